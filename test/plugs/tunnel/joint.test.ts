import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { fromText } from '../../../core/bytes.ts'
import { MultiserverError } from '../../../core/errors.ts'
import { limits } from '../../../core/limits.ts'
import { createPair } from '../../../core/pair.ts'
import { Joint } from '../../../plugs/tunnel/joint.ts'
import { failure } from '../../support/failure.ts'
import { settle } from '../../core/staged.ts'
import type { ByteStream } from '../../../core/types.ts'

const idleMs = 60_000

/** Two ends, with a joint between them: client — near | far — server. */
function createJoint(highWaterBytes?: number): { client: ByteStream; server: ByteStream; joint: Joint } {
  const [client, near] = createPair({ highWaterBytes })
  const [far, server] = createPair({ highWaterBytes })
  return { client, server, joint: new Joint(near, far, { idleMs }) }
}

/** Each case from both ends: a joint has no preferred side. */
const sides = [
  ['the client', ({ client, server }: Ends): [ByteStream, ByteStream] => [client, server]],
  ['the server', ({ client, server }: Ends): [ByteStream, ByteStream] => [server, client]],
] as const
type Ends = { client: ByteStream; server: ByteStream }

beforeEach(() => void vi.useFakeTimers())
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

describe.each(sides)('a joint, seen from %s', (_who, order) => {
  it('passes an end on as an end, and the other direction goes on', async () => {
    const made = createJoint()
    const [mine, other] = order(made)
    await mine.write(fromText('last'))
    await mine.end()
    expect(await other.read()).toEqual(fromText('last'))
    expect(await other.read()).toBeNull()
    await other.write(fromText('answer'))
    expect(await mine.read()).toEqual(fromText('answer'))
    await other.end()
    expect(await mine.read()).toBeNull()
    await made.joint.closed
    expect(made.joint.error).toBeUndefined()
  })

  it('breaks the other end when this one is aborted', async () => {
    const made = createJoint()
    const [mine, other] = order(made)
    const reading = failure(other.read())
    mine.abort()
    expect((await reading).code).toBe('CONNECTION_LOST')
    await made.joint.closed
    expect(made.joint.error?.code).toBe('CONNECTION_LOST')
  })

  it('breaks the other end after an end of its own too', async () => {
    const made = createJoint()
    const [mine, other] = order(made)
    await other.end()
    expect(await mine.read()).toBeNull()
    const reading = failure(other.read())
    mine.abort()
    expect((await reading).code).toBe('CONNECTION_LOST')
    await made.joint.closed
  })

  it('holds a writer back while the other end does not read, and lets it go on', async () => {
    const made = createJoint(1000)
    const [mine, other] = order(made)
    let written = 0
    const writing = (async () => {
      for (; written < 100; written++) await mine.write(new Uint8Array(500))
    })()
    await settle()
    expect(written).toBeLessThan(10)
    let read = 0
    while (read < 50_000) read += (await other.read())?.length ?? 0
    await writing
    expect(written).toBe(100)
    made.joint.abort()
    await made.joint.closed
  })
})

describe('a joint', () => {
  it('counts what it has handed on', async () => {
    const { client, server, joint } = createJoint()
    await client.write(new Uint8Array(3))
    await server.write(new Uint8Array(5))
    await Promise.all([client.read(), server.read()])
    await settle()
    expect(joint.passed).toEqual({ toFar: 3, toNear: 5 })
    joint.abort()
    await joint.closed
  })

  it('gives the reason of its abort to both ends', async () => {
    const [near] = createPair()
    const [far] = createPair()
    const joint = new Joint(near, far, { idleMs })
    const reason = new MultiserverError('ABORTED', 'enough')
    joint.abort(reason)
    await joint.closed
    expect(joint.error).toBe(reason)
    expect(await failure(near.write(fromText('x')))).toBe(reason)
    expect(await failure(far.write(fromText('x')))).toBe(reason)
  })

  it('hands on what an end had sent before it took no more', async () => {
    const last = deferredReads([fromText('why'), null])
    const [client, near] = createPair()
    const joint = new Joint(near, { ...last, write: () => Promise.reject(new Error('reset')) }, { idleMs })
    await client.write(fromText('more'))
    await settle()
    last.go()
    expect(await client.read()).toEqual(fromText('why'))
    await client.read().catch(() => undefined)
    await joint.closed
    expect(joint.error).toMatchObject({ code: 'CONNECTION_LOST', message: 'reset' })
    client.abort()
  })

  it('does not wait for ever for an end that takes no more', async () => {
    const last = deferredReads([])
    const [client, near] = createPair()
    const joint = new Joint(near, { ...last, write: () => Promise.reject(new Error('reset')) }, { idleMs })
    await client.write(fromText('more'))
    const reading = failure(client.read())
    await vi.advanceTimersByTimeAsync(limits.connection.lingerMs)
    expect((await reading).code).toBe('CONNECTION_LOST')
    await joint.closed
  })

  it('ends after a time without a byte, counted from the last one', async () => {
    const { client, server, joint } = createJoint()
    await vi.advanceTimersByTimeAsync(idleMs - 1)
    await client.write(fromText('x'))
    await server.read()
    await vi.advanceTimersByTimeAsync(idleMs - 1)
    expect(joint.error).toBeUndefined()
    await vi.advanceTimersByTimeAsync(1)
    await joint.closed
    expect(joint.error?.code).toBe('TIMEOUT')
    expect((await failure(client.read())).code).toBe('CONNECTION_LOST')
  })

  it('closes what does not close by itself once both have ended', async () => {
    const stuck = deferredReads([null])
    const [client, near] = createPair()
    const joint = new Joint(near, stuck, { idleMs })
    stuck.go()
    await client.end()
    expect(await client.read()).toBeNull()
    await vi.advanceTimersByTimeAsync(limits.connection.lingerMs)
    await joint.closed
    expect(joint.error).toBeUndefined()
  })
})

/** A stream that gives `chunks` once told to, then nothing, and is only closed by an abort. */
function deferredReads(chunks: readonly (Uint8Array<ArrayBuffer> | null)[]): ByteStream & { go(): void } {
  const left = [...chunks]
  let go = () => {}
  let close = () => {}
  let fail: (error: Error) => void = () => {}
  const started = new Promise<void>((resolve) => (go = resolve))
  const aborted = new Promise<never>((_resolve, reject) => (fail = reject))
  aborted.catch(() => undefined)
  return {
    go: () => go(),
    closed: new Promise((resolve) => (close = resolve)),
    async read() {
      await Promise.race([started, aborted])
      const chunk = left.shift()
      return chunk === undefined ? aborted : chunk
    },
    write: () => Promise.resolve(),
    end: () => Promise.resolve(),
    abort(reason = new Error('aborted')) {
      fail(reason)
      close()
    },
  }
}
