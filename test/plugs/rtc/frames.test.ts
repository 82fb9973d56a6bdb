import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { concat } from '../../../core/bytes.ts'
import {
  dataHeaderBytes,
  decodeFrame,
  encodeFrame,
  longestDirection,
  writeDataHeader,
  type Frame,
} from '../../../plugs/rtc/frames.ts'
import type { Bytes } from '../../../core/types.ts'

interface Vector {
  readonly name: string
  /** Bytes as hex. */
  readonly frame: { readonly type: string; readonly session?: string; readonly bytes?: string }
  readonly message: string
}

const vectors: {
  readonly frames: readonly Vector[]
  readonly none: readonly { name: string; message: string }[]
} = JSON.parse(readFileSync(new URL('../../vectors/session.json', import.meta.url), 'utf8'))

const offset = fc.oneof(
  fc.integer({ min: 0, max: 2 ** 48 - 1 }),
  fc.constantFrom(0, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 48 - 1),
)
const bytes = (minLength: number, maxLength: number) =>
  fc.uint8Array({ minLength, maxLength }).map((value) => Uint8Array.from(value))
const id = fc.integer({ min: 0, max: 2 ** 32 - 1 })

const anyFrame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({ type: fc.constant('hello' as const), session: bytes(16, 16), received: offset, limit: offset }),
  fc.record({ type: fc.constant('data' as const), offset, bytes: bytes(1, 300) }),
  fc.record({ type: fc.constant('ack' as const), received: offset, limit: offset }),
  fc.record({ type: fc.constant('end' as const), offset: offset.filter((at) => at <= longestDirection) }),
  fc.record({
    type: fc.constant('reset' as const),
    code: fc.integer({ min: 0, max: 65_535 }),
    text: fc.string({ maxLength: 256 }),
  }),
  fc.record({ type: fc.constantFrom('ping' as const, 'pong' as const), id }),
)

describe('the frames of a session', () => {
  it.each(vectors.frames)('are what they were written down as: $name', ({ frame, message }) => {
    const expected = fromVector(frame)
    expect(toHex(encodeFrame(expected))).toBe(message)
    expect(decodeFrame(fromHex(message))).toEqual(expected)
  })

  it.each(vectors.none)('are none: $name', ({ message }) => {
    expect(decodeFrame(fromHex(message))).toBeNull()
  })

  it('decode to what was encoded', () => {
    fc.assert(
      fc.property(anyFrame, (frame) => {
        expect(decodeFrame(encodeFrame(frame))).toEqual(frame)
      }),
      { numRuns: 20_000 },
    )
  })

  it('decode any message to a frame that encodes to the same bytes, or to null', () => {
    const message = fc.oneof(
      bytes(0, 300),
      fc
        .tuple(fc.integer({ min: 0, max: 7 }), bytes(0, 40))
        .map(([type, rest]) => concat(Uint8Array.of(type), rest)),
      // A HELLO but for one byte.
      fc.tuple(bytes(30, 30), fc.nat(29), fc.nat(255)).map(([hello, at, value]) => {
        hello.set([0, 1])
        hello[at] = value
        return hello
      }),
    )
    fc.assert(
      fc.property(message, (given) => {
        const frame = decodeFrame(given)
        // The text of RESET is for people: what is no UTF-8 in it reads as replacement characters.
        if (frame !== null && frame.type !== 'reset') expect(encodeFrame(frame)).toEqual(given)
      }),
      { numRuns: 60_000 },
    )
  })

  it('have exactly their length: any other reads as null', () => {
    fc.assert(
      fc.property(anyFrame, bytes(1, 4), (frame, more) => {
        const message = encodeFrame(frame)
        const [shortest, longest] = lengths[frame.type]
        for (let length = 0; length <= message.length; length++) {
          const isRight = length >= shortest && length <= longest
          expect(decodeFrame(message.subarray(0, length)) === null).toBe(!isRight)
        }
        const longer = concat(message, more)
        expect(decodeFrame(longer) === null).toBe(longer.length > longest)
      }),
      { numRuns: 2000 },
    )
  })

  it('have one of seven types, and HELLO version 1', () => {
    const length30 = new Uint8Array(30)
    for (let type = 7; type < 256; type++) {
      length30[0] = type
      for (const length of [1, 5, 7, 13, 30]) expect(decodeFrame(length30.subarray(0, length))).toBeNull()
    }
    const hello = encodeFrame({ type: 'hello', session: new Uint8Array(16), received: 0, limit: 0 })
    for (let version = 0; version < 256; version++) {
      hello[1] = version
      expect(decodeFrame(hello) === null).toBe(version !== 1)
    }
  })

  it('are read at whatever place of their memory they stand', () => {
    const frame: Frame = { type: 'ack', received: 2 ** 40 + 1, limit: 2 ** 41 + 3 }
    const memory = concat(Uint8Array.of(9, 9, 9), encodeFrame(frame), Uint8Array.of(9))
    expect(decodeFrame(memory.subarray(3, -1))).toEqual(frame)
  })

  it('cut the text of RESET to 256 bytes', () => {
    const message = encodeFrame({ type: 'reset', code: 1, text: 'x'.repeat(1000) })
    expect(message).toHaveLength(3 + 256)
    expect(decodeFrame(message)).toEqual({ type: 'reset', code: 1, text: 'x'.repeat(256) })
  })

  it('keep a copy of the session id, not the memory of the message', () => {
    const message = encodeFrame({ type: 'hello', session: new Uint8Array(16).fill(7), received: 0, limit: 0 })
    const frame = decodeFrame(message)
    message.fill(0)
    expect(frame).toMatchObject({ session: new Uint8Array(16).fill(7) })
  })

  it('have the payload of DATA behind its header, whatever the memory had before', () => {
    const frame = new Uint8Array(dataHeaderBytes + 3).fill(9)
    writeDataHeader(frame, 2 ** 33)
    frame.set([1, 2, 3], dataHeaderBytes)
    expect(decodeFrame(frame)).toEqual({ type: 'data', offset: 2 ** 33, bytes: Uint8Array.of(1, 2, 3) })
  })
})

const lengths: Record<Frame['type'], readonly [number, number]> = {
  hello: [30, 30],
  data: [8, Infinity],
  ack: [13, 13],
  end: [7, 7],
  reset: [3, 259],
  ping: [5, 5],
  pong: [5, 5],
}

function fromVector(frame: Vector['frame']): Frame {
  const { session, bytes: payload, ...rest } = frame
  return {
    ...rest,
    ...(session === undefined ? {} : { session: fromHex(session) }),
    ...(payload === undefined ? {} : { bytes: fromHex(payload) }),
  } as Frame
}

function fromHex(hex: string): Bytes {
  return Uint8Array.from(Buffer.from(hex, 'hex'))
}

function toHex(message: Uint8Array): string {
  return Buffer.from(message).toString('hex')
}
