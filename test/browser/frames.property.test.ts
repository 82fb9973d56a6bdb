import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Bytes } from '../../core/types.ts'
import { decodeFrame, encodeFrame, longestDirection, type Frame } from '../../plugs/rtc/frames.ts'

const offset = fc.integer({ min: 0, max: 2 ** 48 - 1 })
const id = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const anyFrame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({ type: fc.constant('hello' as const), session: bytes(16, 16), received: offset, limit: offset }),
  fc.record({ type: fc.constant('data' as const), offset, bytes: bytes(1, 300) }),
  fc.record({ type: fc.constant('ack' as const), received: offset, limit: offset }),
  fc.record({ type: fc.constant('end' as const), offset: fc.integer({ min: 0, max: longestDirection }) }),
  fc.record({
    type: fc.constant('reset' as const),
    code: fc.integer({ min: 0, max: 65_535 }),
    text: fc.string({ maxLength: 256 }),
  }),
  fc.record({ type: fc.constantFrom('ping' as const, 'pong' as const), id }),
)

describe('the frames of a session in a browser', () => {
  it('decode to what was encoded', () => {
    fc.assert(
      fc.property(anyFrame, (frame) => {
        expect(decodeFrame(encodeFrame(frame))).toEqual(frame)
      }),
      { numRuns: 5000 },
    )
  })

  it('decode any message to a frame that encodes to the same bytes, or to null', () => {
    const type = fc.integer({ min: 0, max: 7 })
    const message = fc.tuple(type, bytes(0, 60)).map(([first, rest]) => Uint8Array.of(first, ...rest))
    fc.assert(
      fc.property(message, (given) => {
        const frame = decodeFrame(given)
        // The text of RESET is for people: what is no UTF-8 in it reads as replacement characters.
        if (frame !== null && frame.type !== 'reset') expect(encodeFrame(frame)).toEqual(given)
      }),
      { numRuns: 10_000 },
    )
  })
})

function bytes(minLength: number, maxLength: number): fc.Arbitrary<Bytes> {
  return fc.uint8Array({ minLength, maxLength }).map((made) => Uint8Array.from(made))
}
