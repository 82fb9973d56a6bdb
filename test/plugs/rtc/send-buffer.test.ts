import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SendBuffer } from '../../../plugs/rtc/send-buffer.ts'

/** What a direction has at `offset`, in every run. */
function bytesAt(offset: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => ((offset + index) * 31 + ((offset + index) >> 8)) & 0xff)
}

describe('the bytes kept to be sent again', () => {
  it('are those appended and not released, whatever the order of calls', () => {
    const step = fc.oneof(
      fc.record({ append: fc.oneof(fc.nat(200), fc.nat(200_000)) }),
      fc.record({ release: fc.double({ min: 0, max: 1, noNaN: true }) }),
      fc.record({ copyFrom: fc.double({ min: 0, max: 1, noNaN: true }), bytes: fc.nat(70_000) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const buffer = new SendBuffer()
        let [start, end] = [0, 0]
        for (const each of steps) {
          if ('append' in each) {
            buffer.append(bytesAt(end, each.append))
            end += each.append
          } else if ('release' in each) {
            start += Math.round(each.release * (end - start))
            buffer.release(start)
          } else {
            const from = start + Math.round(each.copyFrom * (end - start))
            const target = new Uint8Array(Math.min(each.bytes, end - from))
            buffer.copy(from, target)
            expect(Buffer.compare(target, bytesAt(from, target.length))).toBe(0)
          }
          expect([buffer.start, buffer.end, buffer.bytes]).toEqual([start, end, end - start])
        }
      }),
      { numRuns: 500 },
    )
  })

  it('are a copy: the chunk may change after it was appended', () => {
    const buffer = new SendBuffer()
    const chunk = Uint8Array.of(1, 2, 3)
    buffer.append(chunk)
    chunk.fill(9)
    const target = new Uint8Array(3)
    buffer.copy(0, target)
    expect([...target]).toEqual([1, 2, 3])
  })

  it('are those of this buffer, although the memory has had others', () => {
    const before = new SendBuffer()
    before.append(new Uint8Array(100_000).fill(7))
    before.release(100_000)
    const buffer = new SendBuffer()
    buffer.append(bytesAt(0, 10))
    expect(() => buffer.copy(0, new Uint8Array(11))).toThrow(RangeError)
    const target = new Uint8Array(10)
    buffer.copy(0, target)
    expect(target).toEqual(bytesAt(0, 10))
  })

  it('stay released when an older offset comes late', () => {
    const buffer = new SendBuffer()
    buffer.append(bytesAt(0, 100_000))
    buffer.release(90_000)
    buffer.release(10)
    expect([buffer.start, buffer.bytes]).toEqual([90_000, 10_000])
  })

  it('are not made up: what was not appended, or was released, throws', () => {
    const buffer = new SendBuffer()
    expect(() => buffer.copy(0, new Uint8Array(1))).toThrow(RangeError)
    buffer.append(bytesAt(0, 200_000))
    buffer.release(150_000)
    expect(() => buffer.copy(0, new Uint8Array(1))).toThrow(RangeError)
    expect(() => buffer.copy(199_999, new Uint8Array(70_000))).toThrow(RangeError)
    expect(() => buffer.copy(199_999, new Uint8Array(2))).toThrow(RangeError)
    expect(() => buffer.copy(149_999, new Uint8Array(2))).toThrow(RangeError)
  })
})
