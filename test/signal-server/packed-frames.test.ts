import fc from 'fast-check'
import { expect, it } from 'vitest'
import { PackedFrames } from '../../signal-server/packed-frames.ts'

it('gives frames back as they came, in their order, and what it gave does not change', () => {
  const step = fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.constant('shift' as const))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100, size: 'max' }), (steps) => {
      const packed = new PackedFrames()
      const waiting: Uint8Array[] = []
      const given: { frame: Buffer; expected: Uint8Array }[] = []
      for (const now of steps) {
        if (now !== 'shift') {
          packed.push(now)
          waiting.push(now)
        } else {
          const expected = waiting.shift()
          const frame = packed.shift()
          expect(frame === undefined).toBe(expected === undefined)
          if (frame !== undefined && expected !== undefined) given.push({ frame, expected })
        }
        expect(packed.bytes).toBe(waiting.reduce((sum, { length }) => sum + 4 + length, 0))
      }
      for (const { frame, expected } of given) expect(new Uint8Array(frame)).toEqual(expected)
    }),
  )
})
