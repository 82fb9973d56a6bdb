import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { limits } from '../../../core/limits.ts'
import { Flight } from '../../../plugs/rtc/flight.ts'

const { leastFlightBytes, flightSamples, flightMemoryMs } = limits.session
const kibibyte = 1024

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('what may be under way on a path', () => {
  it('is the least at first, with a round trip alone, and before a round is over', () => {
    const flight = new Flight()
    expect(flight.limitBytes).toBe(leastFlightBytes)
    flight.measure(100)
    expect(flight.limitBytes).toBe(leastFlightBytes)
    flight.onSent(1_000_000, 0)
    vi.advanceTimersByTime(1)
    flight.onAcknowledged(999_999)
    expect(flight.limitBytes).toBe(leastFlightBytes)
    flight.onAcknowledged(1_000_000)
    expect(flight.limitBytes).toBe(1_250_000)
  })

  it('is never less than the least, however slow the path', () => {
    const flight = new Flight()
    round(flight, { bytes: 1, elapsedMs: 5000 })
    expect(flight.limitBytes).toBe(leastFlightBytes)
  })

  it('is a quarter more than the best rate of the last rounds brings in the shortest round trip', () => {
    const flight = new Flight()
    round(flight, { bytes: 1000 * kibibyte, elapsedMs: 100 })
    expect(flight.limitBytes).toBe(1250 * kibibyte)
    // A better rate at a longer round trip.
    round(flight, { bytes: 3200 * kibibyte, elapsedMs: 160 })
    expect(flight.limitBytes).toBe(2500 * kibibyte)
    // A shorter round trip.
    flight.measure(50)
    expect(flight.limitBytes).toBe(1250 * kibibyte)
  })

  it('grows by a quarter each round while the path takes it', () => {
    const flight = new Flight()
    let bytes = flight.limitBytes
    for (let rounds = 0; rounds < 8; rounds++) {
      round(flight, { bytes, elapsedMs: 20 })
      expect(flight.limitBytes).toBe(Math.round(bytes * 1.25))
      bytes = flight.limitBytes
    }
  })

  it('goes by the rate of the last rounds only', () => {
    const flight = new Flight()
    round(flight, { bytes: 4000 * kibibyte, elapsedMs: 100 })
    for (let rounds = 0; rounds < flightSamples - 1; rounds++) {
      round(flight, { bytes: 1000 * kibibyte, elapsedMs: 100 })
      expect(flight.limitBytes).toBe(5000 * kibibyte)
    }
    round(flight, { bytes: 1000 * kibibyte, elapsedMs: 100 })
    expect(flight.limitBytes).toBe(1250 * kibibyte)
  })

  it('forgets the shortest round trip of a path that has become longer, and is the least no more', () => {
    const flight = new Flight()
    round(flight, { bytes: leastFlightBytes, elapsedMs: 1 })
    // As a sender does: each round as much as may be under way, through this span of the memory and the next.
    const longer = () => round(flight, { bytes: flight.limitBytes, elapsedMs: 200 })
    for (let elapsedMs = 0; elapsedMs < flightMemoryMs; elapsedMs += 200) longer()
    expect(flight.limitBytes).toBe(leastFlightBytes)
    for (let elapsedMs = 0; elapsedMs <= flightMemoryMs + 200; elapsedMs += 200) longer()
    const before = flight.limitBytes
    expect(before).toBeGreaterThan(leastFlightBytes)
    longer()
    expect(flight.limitBytes).toBe(Math.round(before * 1.25))
  })

  it('remembers the shortest round trip for as long as a path is not thought to have changed', () => {
    const flight = new Flight()
    flight.measure(10)
    vi.advanceTimersByTime(flightMemoryMs)
    round(flight, { bytes: 2000 * kibibyte, elapsedMs: 20 })
    // 100 KiB a millisecond, for 10 ms and not for 20.
    expect(flight.limitBytes).toBe(1250 * kibibyte)
  })

  it('counts one round at a time, from where it began', () => {
    const flight = new Flight()
    flight.onSent(500_000, 100_000)
    vi.advanceTimersByTime(10)
    flight.onSent(900_000, 100_000)
    vi.advanceTimersByTime(10)
    flight.onAcknowledged(700_000)
    // 600,000 bytes in 20 ms.
    expect(flight.limitBytes).toBe(750_000)
    flight.onAcknowledged(900_000)
    expect(flight.limitBytes).toBe(750_000)
  })

  it('is a whole number, whatever was measured', () => {
    const step = fc.record({
      bytes: fc.nat(4_000_000),
      elapsedMs: fc.double({ min: 0, max: 5000, noNaN: true }),
      rttMs: fc.double({ min: 0.01, max: 5000, noNaN: true }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const flight = new Flight()
        for (const { rttMs, ...sent } of steps) {
          flight.measure(rttMs)
          round(flight, sent)
          expect(Number.isSafeInteger(flight.limitBytes)).toBe(true)
          expect(flight.limitBytes).toBeGreaterThanOrEqual(leastFlightBytes)
        }
      }),
      { numRuns: 1000 },
    )
  })
})

/** Sends so many bytes and has them acknowledged after a while. */
function round(flight: Flight, { bytes, elapsedMs }: { bytes: number; elapsedMs: number }): void {
  flight.onSent(bytes, 0)
  vi.advanceTimersByTime(elapsedMs)
  flight.onAcknowledged(bytes)
}
