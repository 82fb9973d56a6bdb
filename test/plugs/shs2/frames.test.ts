import fc from 'fast-check'
import sodium from 'libsodium-wrappers'
import { beforeAll, describe, expect, it } from 'vitest'
import { concat, copy, fromText, toHex } from '../../../core/bytes.ts'
import { CipherState } from '../../../core/noise.ts'
import { createPair } from '../../../core/pair.ts'
import { loadNoiseCrypto } from '../../../plugs/noise-crypto.ts'
import { FrameStream } from '../../../plugs/secret/frame-stream.ts'
import { Shs2Opener, Shs2Sealer } from '../../../plugs/shs2/frames.ts'
import type { Bytes, ByteStream } from '../../../core/types.ts'
import { anyFault, applyFault, cutBytes, firstDifference, readToError } from '../shs/faults.ts'
import { failure, readAll, streamOf } from '../shs/helpers.ts'

const overhead = 18 + 16
const largest = 65_519

beforeAll(() => sodium.ready)

describe('the frames of shs2', () => {
  it('carry bytes both ways and close when both have said goodbye', async () => {
    const [a, b] = makePair()
    await a.write(fromText('hello'))
    await a.end()
    expect(await b.read()).toEqual(fromText('hello'))
    expect(await b.read()).toBeNull()
    await b.write(fromText('after your goodbye'))
    await b.end()
    expect(await readAll(a)).toEqual(fromText('after your goodbye'))
    await Promise.all([a.closed, b.closed])
  })

  it('have bodies of up to 16 KiB, four of them at a time', () => {
    const sealer = new Shs2Sealer(cipher(1))
    expect(sealer.seal(new Uint8Array(1), 0)).toMatchObject({ next: 1, frames: { length: overhead + 1 } })
    const first = sealer.seal(new Uint8Array(70_000), 0)
    expect(first).toMatchObject({ next: 65_536, frames: { length: 4 * overhead + 65_536 } })
    const second = sealer.seal(new Uint8Array(70_000), first.next)
    expect(second).toMatchObject({ next: 70_000, frames: { length: overhead + 70_000 - 65_536 } })
  })

  it('are put together however they were cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 70_000 }), { maxLength: 4 }),
        fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1, maxLength: 10 }),
        async (lengths, cuts) => {
          const wire = sealFrames(lengths)
          const stream = readerOf(
            cutBytes(
              concat(...wire.frames),
              cuts.map((cut) => Math.max(cut, 40)),
            ),
          )
          expect(Buffer.compare(await readAll(stream), wire.plain)).toBe(0)
        },
      ),
      { numRuns: 300 },
    )
  })

  it('are put together when they come a byte at a time', async () => {
    const wire = sealFrames([1, 3000, 20])
    expect(await readAll(readerOf(cutBytes(concat(...wire.frames), [1])))).toEqual(wire.plain)
  })

  it('give at most 64 KiB at a time, join what came together, and keep no large buffer behind little', async () => {
    const small = sealFrames(Array.from({ length: 100 }, () => 10))
    const opener = new Shs2Opener(cipher(1))
    opener.push(concat(...small.frames))
    expect(opener.open()).toHaveLength(1000)
    const stream = readerOf([concat(...sealFrames([largest, largest, 5]).frames)])
    const chunks: Bytes[] = []
    for (let chunk = await stream.read(); chunk !== null; chunk = await stream.read()) chunks.push(chunk)
    for (const chunk of chunks) {
      expect(chunk.length).toBeLessThanOrEqual(65_536)
      expect(chunk.buffer.byteLength).toBeLessThanOrEqual(chunk.length * 2)
    }
  })

  it('give exactly what came before a fault, and then a coded error', async () => {
    const wires = [[5], [3, 40, 1], [100, 4096, 7], [16, 16, 16, 16], [2, 66_000]].map(sealFrames)
    const damage = fc.record({
      fault: anyFault,
      chunkBytes: fc.integer({ min: 32, max: 70_000 }),
      wire: fc.constantFrom(...wires),
    })
    let faults = 0
    await fc.assert(
      fc.asyncProperty(damage, async ({ fault, chunkBytes, wire }) => {
        const whole = concat(...wire.frames)
        const changed = applyFault(fault, wire.frames)
        const same = firstDifference(whole, changed)
        if (same >= whole.length) return
        faults += 1
        const stream = readerOf(cutBytes(changed, [chunkBytes]))
        const { plain, error } = await readToError(stream)
        expect(Buffer.compare(plain, wire.plain.subarray(0, plainBefore(wire, same)))).toBe(0)
        expect(['PROTOCOL', 'TRUNCATED']).toContain(error.code)
        expect(await failure(stream.read())).toBe(error)
      }),
      { numRuns: 10_000 },
    )
    expect(faults).toBeGreaterThan(9000)
  })

  it('are refused with a flip in any bit of a short session', async () => {
    const wire = sealFrames([6, 9])
    const whole = concat(...wire.frames)
    for (let bit = 0; bit < whole.length * 8; bit += 1) {
      const forged = whole.slice()
      forged[bit >> 3] = (forged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      const { plain, error } = await readToError(readerOf([forged]))
      expect(error.code, `bit ${bit}`).toBe('PROTOCOL')
      expect(plain).toEqual(wire.plain.subarray(0, plainBefore(wire, bit >> 3)))
    }
  })

  it('are refused when they say that they are longer than there can be', async () => {
    for (const length of [65_520, 65_535]) {
      const sealing = cipher(1)
      const frame = sealing.encrypt(Uint8Array.of(length >> 8, length & 0xff))
      const { error } = await readToError(readerOf([concat(frame, new Uint8Array(length + 16))]))
      expect(error).toMatchObject({ code: 'PROTOCOL', message: expect.stringContaining('too long') })
    }
  })

  it('say TRUNCATED when the layer below ends without a goodbye', async () => {
    const { frames } = sealFrames([5])
    const { plain, error } = await readToError(readerOf(frames.slice(0, 1)))
    expect(plain).toHaveLength(5)
    expect(error.code).toBe('TRUNCATED')
  })

  it('are followed by nothing after goodbye', async () => {
    const { frames } = sealFrames([5])
    const inner = streamOf([...frames, new Uint8Array(1)])
    const stream = streamOver(inner)
    expect(await readAll(stream)).toHaveLength(5)
    await stream.end()
    await expect.poll(() => inner.aborted).toBe(true)
  })

  it('change their key before every 65,536th operation, in the middle of a frame as well', () => {
    for (const first of [0, 1]) {
      const [sending, receiving] = [cipher(1, first), cipher(1, first)]
      const [sealer, opener] = [new Shs2Sealer(sending), new Shs2Opener(receiving)]
      const without = cipher(1, first)
      let differs = 0
      for (let frame = 0; frame < 32_770; frame += 1) {
        const { frames } = sealer.seal(Uint8Array.of(frame & 0xff), 0)
        const plainNoise = concat(
          without.encrypt(Uint8Array.of(0, 1)),
          without.encrypt(Uint8Array.of(frame & 0xff)),
        )
        if (toHex(frames) !== toHex(plainNoise)) differs += 1
        opener.push(copy(frames))
        expect(opener.open()).toEqual(Uint8Array.of(frame & 0xff))
      }
      // From the 65,536th operation on, and not before.
      expect(differs).toBe(first === 0 ? 2 : 3)
    }
  })

  it('end when the operations are used up, on either side', async () => {
    const last = Number.MAX_SAFE_INTEGER - 2
    const [a, b] = createPair()
    const writer = new FrameStream(a, options(cipher(1, last), cipher(2)))
    await writer.write(Uint8Array.of(1))
    expect(await failure(writer.write(Uint8Array.of(2)))).toMatchObject({ code: 'CONNECTION_LOST' })
    await a.closed
    expect(await b.read().catch(() => null)).toBeDefined()
  })
})

function cipher(number: number, nonce = 0): CipherState {
  const state = new CipherState(loadNoiseCrypto())
  state.initializeKey(new Uint8Array(32).fill(number))
  state.setNonce(nonce)
  return state
}

function options(send: CipherState, receive: CipherState) {
  return { sealer: new Shs2Sealer(send), opener: new Shs2Opener(receive), received: null }
}

function streamOver(inner: ByteStream): FrameStream {
  return new FrameStream(inner, options(cipher(2), cipher(1)))
}

function readerOf(chunks: readonly Uint8Array[]): FrameStream {
  return streamOver(streamOf(chunks))
}

function makePair(): [FrameStream, FrameStream] {
  const [a, b] = createPair()
  return [new FrameStream(a, options(cipher(1), cipher(2))), streamOver(b)]
}

interface Wire {
  readonly plain: Bytes
  /** Each frame, and goodbye last. */
  readonly frames: Bytes[]
  /** Of the bodies. */
  readonly lengths: readonly number[]
}

function sealFrames(lengths: readonly number[]): Wire {
  const total = lengths.reduce((sum, length) => sum + length, 0)
  const plain = Uint8Array.from({ length: total }, (_, index) => (index * 13 + 5) & 0xff)
  // Of the largest bodies that there may be: others may send them.
  const sealer = new Shs2Sealer(cipher(1), largest)
  const frames: Bytes[] = []
  const bodies: number[] = []
  let start = 0
  for (const length of lengths) {
    for (const end = start + length; start < end;) {
      const sealed = sealer.seal(plain.subarray(0, end), start)
      frames.push(sealed.frames)
      bodies.push(sealed.next - start)
      start = sealed.next
    }
  }
  return { plain, frames: [...frames, sealer.sealGoodbye()], lengths: bodies }
}

/** Bytes of plaintext in the frames that end before the wire's byte `at`. */
function plainBefore({ lengths }: Wire, at: number): number {
  let [plain, wire] = [0, 0]
  for (const length of lengths) {
    wire += overhead + length
    if (wire > at) break
    plain += length
  }
  return plain
}
