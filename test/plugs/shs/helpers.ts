import { expect } from 'vitest'
import { concat, fromText } from '../../../core/bytes.ts'
import { createPair } from '../../../core/pair.ts'
import type { Bytes, ByteStream, Secured, Transform } from '../../../core/types.ts'
import { keysFromSeed, type Keys } from '../../../plugs/keys.ts'

/** Keys that are the same in every run. */
export function makeKeys(number: number): Promise<Keys> {
  return keysFromSeed(new Uint8Array(32).fill(number))
}

/** A signal that never aborts. */
function noSignal(): AbortSignal {
  return new AbortController().signal
}

export function connect(transform: Transform, section: string, inner: ByteStream): Promise<Secured> {
  const target = transform.parse(section)
  if (target === null) throw new Error(`${section} does not parse`)
  return target.connect(inner, { signal: noSignal() })
}

export function accept(transform: Transform, inner: ByteStream): Promise<Secured> {
  return transform.accept(inner, { signal: noSignal() })
}

/** Both ends of a secured stream in memory; the first is the client's. */
export async function securePair(
  client: Transform,
  server: Transform,
  [a, b]: [ByteStream, ByteStream] = createPair(),
): Promise<[Secured, Secured]> {
  return Promise.all([connect(client, server.section(), a), accept(server, b)])
}

export async function readAll(stream: ByteStream): Promise<Bytes> {
  const chunks: Bytes[] = []
  for (let chunk = await stream.read(); chunk !== null; chunk = await stream.read()) chunks.push(chunk)
  return concat(...chunks)
}

/** What a promise rejects with. */
export async function failure(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  try {
    await promise
  } catch (error) {
    return error as Error
  }
  throw new Error('it did not reject')
}

/** `stream` with what is written to it changed on the way; `offset` counts the bytes written before. */
export function tapWrites(
  stream: ByteStream,
  change: (chunk: Uint8Array, offset: number) => Uint8Array | Promise<Uint8Array>,
): ByteStream & { writes: Uint8Array[] } {
  let offset = 0
  const writes: Uint8Array[] = []
  return {
    closed: stream.closed,
    writes,
    read: () => stream.read(),
    async write(chunk) {
      const at = offset
      offset += chunk.length
      const changed = await change(chunk.slice(), at)
      writes.push(changed)
      if (changed.length > 0) await stream.write(changed)
    },
    end: () => stream.end(),
    abort: (reason) => stream.abort(reason),
  }
}

/** A stream that reads `chunks`, then ends, and keeps what is written. */
export function streamOf(
  chunks: readonly Uint8Array[],
): ByteStream & { written: Uint8Array[]; aborted: boolean } {
  const waiting = [...chunks]
  const written: Uint8Array[] = []
  let close: () => void = () => undefined
  const stream = {
    closed: new Promise<void>((resolve) => (close = resolve)),
    written,
    aborted: false,
    read: () => Promise.resolve((waiting.shift() as Bytes | undefined) ?? null),
    async write(chunk: Uint8Array) {
      written.push(chunk.slice())
    },
    async end() {
      close()
    },
    abort() {
      stream.aborted = true
      close()
    },
  }
  return stream
}

/** Watches the timers set from now on; `stop` gives how many were neither cleared nor due. */
export function trackTimers(): { stop(): number } {
  const { setTimeout, clearTimeout } = globalThis
  const running = new Set<unknown>()
  globalThis.setTimeout = ((callback: () => void, ms?: number) => {
    const timer = setTimeout(() => {
      running.delete(timer)
      callback()
    }, ms)
    running.add(timer)
    return timer
  }) as typeof setTimeout
  globalThis.clearTimeout = (timer) => {
    running.delete(timer)
    clearTimeout(timer)
  }
  return {
    stop() {
      Object.assign(globalThis, { setTimeout, clearTimeout })
      return running.size
    },
  }
}

/** `stream`, written to a byte at a time. */
export function inPieces(stream: ByteStream): ByteStream {
  return {
    closed: stream.closed,
    read: () => stream.read(),
    async write(chunk) {
      for (const byte of chunk) await stream.write(Uint8Array.of(byte))
    },
    end: () => stream.end(),
    abort: (reason) => stream.abort(reason),
  }
}

/** Says `words` and goodbye, and hears the other side out. */
export async function talk({ stream }: Secured, words: Uint8Array): Promise<Uint8Array> {
  const speaking = stream.write(words).then(() => stream.end())
  const [heard] = await Promise.all([readAll(stream), speaking])
  return heard
}

/** Each side says a word, hears the other's, and all is closed. */
export async function exchange(c: Secured, s: Secured): Promise<void> {
  const [fromServer, fromClient] = await Promise.all([
    talk(c, fromText('hi bob')),
    talk(s, fromText('hi alice')),
  ])
  expect(fromServer).toEqual(fromText('hi alice'))
  expect(fromClient).toEqual(fromText('hi bob'))
  await Promise.all([c.stream.closed, s.stream.closed])
}

/** What each side rejects with, undefined where it does not. */
export async function settleBoth(connecting: Promise<Secured>, accepting: Promise<Secured>) {
  const [c, s] = await Promise.allSettled([connecting, accepting])
  const reason = (outcome: PromiseSettledResult<Secured>): unknown =>
    outcome.status === 'rejected' ? outcome.reason : undefined
  return { client: reason(c), server: reason(s) }
}
