import fc from 'fast-check'
import sodium from 'libsodium-wrappers'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { concat, fromText } from '../../../core/bytes.ts'
import { createPair } from '../../../core/pair.ts'
import type { Bytes, ByteStream } from '../../../core/types.ts'
import { BoxStream } from '../../../plugs/shs/box-stream.ts'
import { loadCrypto, type ShsCrypto } from '../../../plugs/shs/crypto.ts'
import { FrameSealer } from '../../../plugs/shs/frames.ts'
import { anyFault, applyFault, cutBytes, firstDifference, readToError, type Fault } from './faults.ts'
import { failure, readAll, streamOf, tapWrites, trackTimers } from './helpers.ts'

let crypto: ShsCrypto

beforeAll(async () => {
  await sodium.ready
  crypto = await loadCrypto()
})

describe('box-stream', () => {
  it('carries bytes both ways and closes when both have said goodbye', async () => {
    const timers = trackTimers()
    const [a, b] = makePair()
    await a.write(fromText('ping'))
    await a.end()
    expect(await readAll(b)).toEqual(fromText('ping'))
    await b.write(fromText('pong after the goodbye of the other'))
    await b.end()
    expect(await readAll(a)).toEqual(fromText('pong after the goodbye of the other'))
    await Promise.all([a.closed, b.closed])
    expect(timers.stop()).toBe(0)
  })

  it('ends the layer below only after both goodbyes', async () => {
    const [first, second] = createPair()
    let ended = false
    const watched: ByteStream = {
      closed: first.closed,
      read: () => first.read(),
      write: (chunk) => first.write(chunk),
      abort: (reason) => first.abort(reason),
      end: () => {
        ended = true
        return first.end()
      },
    }
    const [a, b] = makePair([watched, second])
    await a.end()
    expect(await b.read()).toBeNull()
    expect(ended).toBe(false)
    await b.end()
    expect(await a.read()).toBeNull()
    await a.closed
    expect(ended).toBe(true)
  })

  it('leaves frames that are being written alone, and uses their memory again afterwards', async () => {
    const held: { frames: Uint8Array; settle: () => void }[] = []
    const holding: ByteStream = {
      ...streamOf([]),
      write: (frames) => new Promise((resolve) => held.push({ frames, settle: resolve })),
    }
    const writing = makeStream(holding).write(new Uint8Array(64 * 1024))
    await vi.waitFor(() => expect(held).toHaveLength(1))
    const [first] = held
    const before = first?.frames.slice()
    const others = Array.from({ length: 3 }, () => makeStream(streamOf([])))
    await Promise.all(others.map((stream) => stream.write(new Uint8Array(128 * 1024).fill(1))))
    expect(first?.frames).toEqual(before)
    first?.settle()
    await writing
    void makeStream(holding).write(new Uint8Array(64 * 1024).fill(2))
    await vi.waitFor(() => expect(held).toHaveLength(2))
    expect(held[1]?.frames.buffer).toBe(first?.frames.buffer)
    held[1]?.settle()
  })

  it('opens bodies in the memory of the chunk that they came in', async () => {
    const { plain, frames } = sealFrames([4096, 4096, 4096])
    const chunk = concat(...frames)
    const opened = await makeStream(streamOf([chunk])).read()
    expect(opened?.buffer).toBe(chunk.buffer)
    expect(opened).toEqual(plain)
  })

  it('fills its frames and hands a large write down in few pieces', async () => {
    const inner = streamOf([])
    const stream = makeStream(inner)
    await stream.write(new Uint8Array(1024 * 1024))
    expect(inner.written).toHaveLength(16)
    expect(inner.written.every((chunk) => chunk.length === 16 * (34 + 4096))).toBe(true)
  })

  it('joins the frames that came together', async () => {
    const wire = sealFrames([1000, 2000, 3000, 4096])
    const stream = makeStream(streamOf([concat(...wire.frames)]))
    expect(await stream.read()).toEqual(wire.plain)
    expect(await stream.read()).toBeNull()
  })

  it('gives at most 64 KiB at a time', async () => {
    const wire = sealFrames(Array.from({ length: 40 }, () => 4000))
    const stream = makeStream(streamOf([concat(...wire.frames)]))
    const chunks: Bytes[] = []
    for (let chunk = await stream.read(); chunk !== null; chunk = await stream.read()) chunks.push(chunk)
    expect(chunks.every((chunk) => chunk.length <= 64 * 1024)).toBe(true)
    expect(chunks).toHaveLength(3)
    expect(Buffer.compare(concat(...chunks), wire.plain)).toBe(0)
  })

  it('keeps no large buffer behind a small chunk', async () => {
    const wire = sealFrames(Array.from({ length: 1000 }, () => 1))
    const chunk = await makeStream(streamOf([concat(...wire.frames)])).read()
    expect(chunk?.length).toBe(1000)
    expect(chunk?.buffer.byteLength).toBe(1000)
  })

  it('writes nothing for no bytes', async () => {
    const inner = streamOf([])
    await makeStream(inner).write(new Uint8Array(0))
    expect(inner.written).toEqual([])
  })

  it('accepts a frame without bytes', async () => {
    const frames = [sealRaw(0), sealGoodbyeAfter(1)]
    expect(await makeStream(streamOf(frames)).read()).toBeNull()
  })

  it('refuses a body over 4,096 bytes', async () => {
    const inner = streamOf([sealRaw(4097)])
    expect(await failure(makeStream(inner).read())).toMatchObject({ code: 'PROTOCOL' })
    expect(inner.aborted).toBe(true)
  })

  it('says TRUNCATED when the layer below ends without a goodbye', async () => {
    const wire = sealFrames([10])
    const [first] = wire.frames
    const inner = streamOf([first ?? new Uint8Array()])
    const stream = makeStream(inner)
    expect(await stream.read()).toEqual(wire.plain)
    expect(await failure(stream.read())).toMatchObject({ code: 'TRUNCATED' })
    expect(await failure(stream.read())).toMatchObject({ code: 'TRUNCATED' })
    expect(await failure(stream.write(Uint8Array.of(1)))).toMatchObject({ code: 'TRUNCATED' })
    expect(inner.aborted).toBe(true)
  })

  it('reads nothing after goodbye and hangs up on who sends it', async () => {
    const wire = sealFrames([10])
    const inner = streamOf([concat(...wire.frames, new Uint8Array(50)), new Uint8Array(50)])
    const stream = makeStream(inner)
    expect(await readAll(stream)).toEqual(wire.plain)
    await stream.end()
    await stream.closed
    expect(await stream.read()).toBeNull()
  })

  it('refuses to write after its own end', async () => {
    const [a] = makePair()
    await a.end()
    await a.end()
    expect(await failure(a.write(Uint8Array.of(1)))).toMatchObject({ code: 'CLOSED' })
  })

  it('aborts both directions, what is outstanding too, and never throws', async () => {
    const [a, b] = makePair()
    const reading = failure(a.read())
    a.abort()
    a.abort(new Error('again'))
    expect(await reading).toMatchObject({ code: 'ABORTED' })
    expect(await failure(a.write(Uint8Array.of(1)))).toMatchObject({ code: 'ABORTED' })
    expect(await failure(a.end())).toMatchObject({ code: 'ABORTED' })
    await a.closed
    expect(await failure(b.read())).toMatchObject({ code: 'CONNECTION_LOST' })
    await b.closed
  })

  it('aborts a write that waits for the peer', async () => {
    const [a, b] = makePair()
    const writing = failure(a.write(new Uint8Array(1024 * 1024)))
    a.abort()
    expect(await writing).toMatchObject({ code: 'ABORTED' })
    b.abort()
  })

  it('gives the layer below lingerMs to close, then aborts it', async () => {
    const timers = trackTimers()
    const inner = streamOf([])
    const pending = new Promise<never>(() => undefined)
    const wire = sealFrames([])
    const stuck: ByteStream = { ...inner, end: () => Promise.resolve(), read: () => pending }
    const reads = [concat(...wire.frames)]
    stuck.read = () => (reads.length > 0 ? Promise.resolve(reads.shift() as Bytes) : pending)
    const stream = makeStream(stuck, 20)
    await stream.end()
    expect(await stream.read()).toBeNull()
    await stream.closed
    expect(inner.aborted).toBe(true)
    expect(timers.stop()).toBe(0)
  })

  it('waits for as long as the layer below delivers', async () => {
    const inner = streamOf([])
    const pending = new Promise<never>(() => undefined)
    const reads = [concat(...sealFrames([]).frames)]
    let [looks, deliveredBytes] = [0, 0]
    const slow: ByteStream = {
      ...inner,
      info: {
        // Each look finds that more has arrived, until nothing does.
        get deliveredBytes() {
          looks += 1
          if (looks < 20) deliveredBytes += 64 * 1024
          return deliveredBytes
        },
      },
      end: () => pending,
      read: () => (reads.length > 0 ? Promise.resolve(reads.shift() as Bytes) : pending),
    }
    const stream = makeStream(slow, 1)
    await stream.end()
    expect(await stream.read()).toBeNull()
    await stream.closed
    expect(inner.aborted).toBe(true)
    expect(looks).toBeGreaterThanOrEqual(20)
  })

  it('ends cleanly when a peer that has said goodbye is gone before ours', async () => {
    const inner = streamOf([concat(...sealFrames([]).frames)])
    inner.write = () => Promise.reject(new Error('EPIPE'))
    const stream = makeStream(inner)
    expect(await stream.read()).toBeNull()
    await stream.end()
    await stream.closed
  })

  it('says so when bytes written after the goodbye of the peer are lost', async () => {
    const inner = streamOf([concat(...sealFrames([]).frames)])
    inner.write = () => Promise.reject(new Error('EPIPE'))
    const stream = makeStream(inner)
    expect(await stream.read()).toBeNull()
    expect(await failure(stream.write(Uint8Array.of(1)))).toMatchObject({ code: 'CONNECTION_LOST' })
    expect(await failure(stream.end())).toMatchObject({ code: 'CONNECTION_LOST' })
    stream.abort()
  })

  it('still reads what had arrived after a write has failed', async () => {
    const wire = sealFrames([10, 20])
    const inner = streamOf(wire.frames)
    inner.write = () => Promise.reject(new Error('EPIPE'))
    const stream = makeStream(inner)
    expect(await failure(stream.write(Uint8Array.of(1)))).toMatchObject({ code: 'CONNECTION_LOST' })
    expect(await readAll(stream)).toEqual(wire.plain)
    stream.abort()
  })

  it('does not change the bytes that it was given', async () => {
    const [a, b] = makePair()
    const given = Uint8Array.from({ length: 10_000 }, (_, index) => index & 0xff)
    const writing = a.write(given)
    expect(await readSome(b, 10_000)).toEqual(given)
    await writing
    expect(given.every((byte, index) => byte === (index & 0xff))).toBe(true)
    a.abort()
  })

  it('puts together what was cut anyhow', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 9000 }), { maxLength: 5 }),
        fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 10 }),
        async (lengths, cuts) => {
          const wire = sealFrames(lengths)
          const stream = makeStream(streamOf(cutBytes(concat(...wire.frames), cuts)))
          expect(Buffer.compare(await readAll(stream), wire.plain)).toBe(0)
        },
      ),
      { numRuns: 500 },
    )
  })

  it('puts together what comes a byte at a time', async () => {
    const wire = sealFrames([1, 4096, 100])
    const stream = makeStream(streamOf(cutBytes(concat(...wire.frames), [1])))
    expect(await readAll(stream)).toEqual(wire.plain)
  })

  it('gives exactly what came before a fault, and then a coded error', async () => {
    // Made once: the cases differ in what happens on the way.
    const wires = [[5], [3, 40, 1], [100, 4096, 7], [16, 16, 16, 16], [2, 5000]].map(sealFrames)
    const damage = fc.record({
      fault: anyFault,
      chunkBytes: fc.integer({ min: 1, max: 6000 }),
      wire: fc.constantFrom(...wires),
    })
    let faults = 0
    await fc.assert(
      fc.asyncProperty(damage, async ({ fault, chunkBytes, wire }) => {
        faults += Number(await findsFault(wire, fault, Math.max(chunkBytes, 32)))
      }),
      { numRuns: 33_000 },
    )
    expect(faults).toBeGreaterThan(30_000)
  })

  it('gives nothing after any flipped bit of a short session', async () => {
    const wire = sealFrames([5, 1, 20])
    const { length } = concat(...wire.frames)
    let found = 0
    for (let at = 0; at < length; at++) {
      for (let other = 0; other < 8; other++)
        found += Number(await findsFault(wire, { kind: 'flip', at, other }))
    }
    expect(found).toBe(length * 8)
  })

  it('gives nothing after any frame of a short session that is dropped, doubled or swapped', async () => {
    const wire = sealFrames([5, 5, 1, 20])
    const last = wire.frames.length - 1
    for (let at = 0; at <= last; at++) {
      expect(await findsFault(wire, { kind: 'drop', at, other: 0 })).toBe(true)
      for (let other = 0; other < last; other++)
        expect(await findsFault(wire, { kind: 'swap', at, other })).toBe(true)
    }
    // What comes after goodbye is not read, whatever it is: a second one is no fault.
    for (let at = 0; at < last; at++)
      expect(await findsFault(wire, { kind: 'double', at, other: 0 })).toBe(true)
  })

  it('refuses every frame of the other direction and of another session', async () => {
    const [a, b] = createPair()
    const mirrored = makeStream(tapWrites(a, (chunk) => chunk))
    // What this side wrote comes back to it.
    const writing = mirrored.write(fromText('mine'))
    const chunk = await b.read()
    await writing
    if (chunk === null) throw new Error('nothing was written')
    await b.write(chunk)
    expect(await failure(mirrored.read())).toMatchObject({ code: 'PROTOCOL' })
  })
})

interface Wire {
  plain: Bytes
  /** Each frame, and goodbye last. */
  frames: Bytes[]
  lengths: number[]
}

function sessionKeys(number = 1): { key: Bytes; nonce: Bytes } {
  return { key: new Uint8Array(32).fill(number), nonce: new Uint8Array(24).fill(number) }
}

function makeStream(inner: ByteStream, lingerMs?: number): BoxStream {
  const session = { send: sessionKeys(2), receive: sessionKeys(1) }
  return new BoxStream(inner, { crypto, session, received: null, lingerMs })
}

function makePair([a, b] = createPair()): [BoxStream, BoxStream] {
  const session = { send: sessionKeys(1), receive: sessionKeys(2) }
  return [new BoxStream(a, { crypto, session, received: null }), makeStream(b)]
}

function sealFrames(lengths: number[]): Wire {
  const plain = Uint8Array.from(
    { length: lengths.reduce((sum, n) => sum + n, 0) },
    (_, i) => (i * 13 + 5) & 0xff,
  )
  const sealer = new FrameSealer(crypto, sessionKeys())
  const frames: Bytes[] = []
  const bodies: number[] = []
  let at = 0
  for (const length of lengths) {
    for (let left = length; left > 0; left -= 4096) {
      const body = Math.min(left, 4096)
      frames.push(sealer.seal(plain.subarray(at, at + body), 0).frames)
      bodies.push(body)
      at += body
    }
  }
  return { plain, frames: [...frames, sealer.sealGoodbye()], lengths: bodies }
}

/** The first frame of a session with a body of any length, as no writer of ours makes it. */
function sealRaw(length: number): Bytes {
  const { key, nonce } = sessionKeys()
  const bodyNonce = nonce.slice()
  bodyNonce[23] = (bodyNonce[23] ?? 0) + 1
  const head = new Uint8Array(18)
  const frame = new Uint8Array(34 + length)
  crypto.seal(frame.subarray(34), head.subarray(2), new Uint8Array(length), bodyNonce, key)
  head.set([length >> 8, length & 0xff])
  crypto.seal(frame.subarray(16, 34), frame.subarray(0, 16), head, nonce, key)
  return frame
}

function sealGoodbyeAfter(frames: number): Bytes {
  const { key, nonce } = sessionKeys()
  nonce[23] = (nonce[23] ?? 0) + 2 * frames
  return new FrameSealer(crypto, { key, nonce }).sealGoodbye()
}

/** Bytes of plaintext in the frames that end before the wire's byte `at`. */
function plainBefore({ lengths }: Wire, at: number): number {
  let plain = 0
  let wire = 0
  for (const length of lengths) {
    wire += 34 + length
    if (wire > at) break
    plain += length
  }
  return plain
}

/**
 * Checks that a stream gives exactly what was sealed before the fault, then an error that stays.
 *
 * @returns false where the fault changes nothing that is read
 */
async function findsFault(wire: Wire, fault: Fault, chunkBytes = Infinity): Promise<boolean> {
  const whole = concat(...wire.frames)
  const changed = applyFault(fault, wire.frames)
  const same = firstDifference(whole, changed)
  if (same >= whole.length) return false
  const stream = makeStream(streamOf(cutBytes(changed, [chunkBytes])))
  const { plain, error } = await readToError(stream)
  expect(Buffer.compare(plain, wire.plain.subarray(0, plainBefore(wire, same)))).toBe(0)
  expect(['PROTOCOL', 'TRUNCATED']).toContain(error.code)
  expect(await failure(stream.read())).toBe(error)
  return true
}

async function readSome(stream: ByteStream, bytes: number): Promise<Bytes> {
  const chunks: Bytes[] = []
  for (let got = 0; got < bytes; got = concat(...chunks).length) {
    const chunk = await stream.read()
    if (chunk === null) break
    chunks.push(chunk)
  }
  return concat(...chunks)
}
