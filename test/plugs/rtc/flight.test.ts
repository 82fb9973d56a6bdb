import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { limits } from '../../../core/limits.ts'
import { Flight } from '../../../plugs/rtc/flight.ts'

const { leastFlightBytes, flightSamples, flightMemoryMs, frameBytes, initialLimitBytes } = limits.session
const { acknowledgeAfterBytes } = limits.session
const kibibyte = 1024
/** What is acknowledged in one go, and a frame that does not fit. */
const slack = acknowledgeAfterBytes + frameBytes

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

  it('is no less than the least where there was little to send, however long it took', () => {
    const flight = new Flight()
    round(flight, { bytes: initialLimitBytes - 1, elapsedMs: 5000 })
    expect(flight.limitBytes).toBe(leastFlightBytes)
    expect(flight.frameBytes).toBe(16 * kibibyte)
  })

  it('is what a slow path carries in a second, in frames of a quarter, once it has shown to be slow', () => {
    const flight = new Flight()
    flight.measure(60)
    round(flight, { bytes: 128_000, elapsedMs: 5120 })
    expect(flight.frameBytes).toBe(6250)
    expect(flight.limitBytes).toBe(25_000)
    // What is better carries more at once.
    round(flight, { bytes: 25_000, elapsedMs: 10 })
    expect(flight.frameBytes).toBe(frameBytes)
    expect(flight.limitBytes).toBeGreaterThanOrEqual(leastFlightBytes)
  })

  it('is twice what the best rate of the last rounds brings in the shortest round trip, until the path is full', () => {
    const flight = new Flight()
    round(flight, { bytes: 1000 * kibibyte, elapsedMs: 100 })
    expect(flight.limitBytes).toBe(2000 * kibibyte + slack)
    // A better rate at a longer round trip.
    round(flight, { bytes: 2400 * kibibyte, elapsedMs: 160 })
    expect(flight.limitBytes).toBe(3000 * kibibyte + slack)
    // A shorter round trip.
    flight.measure(50)
    expect(flight.limitBytes).toBe(1500 * kibibyte + slack)
  })

  it('is a quarter more than that once three rounds have brought no quarter more', () => {
    const flight = fullFlight()
    expect(flight.limitBytes).toBe(1250 * kibibyte + slack)
    // A path that has become better is found to be.
    round(flight, { bytes: 1250 * kibibyte, elapsedMs: 100 })
    expect(flight.limitBytes).toBe(2500 * kibibyte + slack)
  })

  it('does not take a path for full because there was little to send', () => {
    const flight = new Flight()
    round(flight, { bytes: 1000 * kibibyte, elapsedMs: 100 })
    for (let rounds = 0; rounds < 2 * flightSamples; rounds++) {
      flight.onStarved()
      round(flight, { bytes: 10 * kibibyte, elapsedMs: 100 })
    }
    expect(flight.limitBytes).toBe(2000 * kibibyte + slack)
  })

  it('grows with each round while the path takes it', () => {
    const flight = new Flight()
    let bytes = flight.limitBytes
    for (let rounds = 0; rounds < 4; rounds++) {
      round(flight, { bytes, elapsedMs: 200 })
      expect(flight.limitBytes).toBe(bytes * 2 + slack)
      bytes = flight.limitBytes
    }
  })

  it.each([
    { what: 'nearer than a network is', bytes: 100 * kibibyte, elapsedMs: 4.9, times: 10 },
    { what: 'quicker than a network is', bytes: 1000 * kibibyte, elapsedMs: 50, times: 1 },
  ])('is a quarter more than what it holds, from the first round on, on a path that is $what', (path) => {
    const flight = new Flight()
    // The round trip of a nearer one is that of a small frame.
    flight.measure(path.elapsedMs)
    round(flight, { bytes: path.times * path.bytes, elapsedMs: path.times * path.elapsedMs })
    expect(flight.limitBytes).toBe(Math.max(leastFlightBytes, Math.round(1.25 * path.bytes)))
    round(flight, { bytes: path.times * 4 * path.bytes, elapsedMs: path.times * path.elapsedMs })
    expect(flight.limitBytes).toBe(Math.round(1.25 * 4 * path.bytes))
  })

  it('goes by the rate of the last rounds only', () => {
    const flight = fullFlight()
    round(flight, { bytes: 1200 * kibibyte, elapsedMs: 100 })
    for (let rounds = 0; rounds < flightSamples - 1; rounds++) {
      round(flight, { bytes: 1200 * kibibyte, elapsedMs: 120 })
      expect(flight.limitBytes).toBe(1500 * kibibyte + slack)
    }
    round(flight, { bytes: 1200 * kibibyte, elapsedMs: 120 })
    expect(flight.limitBytes).toBe(1250 * kibibyte + slack)
  })

  it.each([
    { bytesPerMs: 6_000, oneWayMs: 10 },
    { bytesPerMs: 10_000, oneWayMs: 40 },
    { bytesPerMs: 10_000, oneWayMs: 100 },
  ])('fills a path of $bytesPerMs kB/s and $oneWayMs ms', (path) => {
    expect(play(10, path).deliveredBytes).toBeGreaterThan(0.93 * path.bytesPerMs * 5_000)
  })

  it.each([
    { what: 'a network’s', bytesPerMs: 6_000, oneWayMs: 10 },
    { what: 'long and slow', bytesPerMs: 250, oneWayMs: 30 },
    { what: 'near, of a slow process', bytesPerMs: 10_000, oneWayMs: 0.25 },
  ])('does not grow with the queue that it makes, on a path that is $what', (path) => {
    const { limitBytes } = play(120, path)
    const heldBytes = path.bytesPerMs * 2 * path.oneWayMs
    expect(limitBytes).toBeLessThanOrEqual(Math.max(leastFlightBytes, 1.3 * heldBytes + slack))
  })

  it('does not take acknowledgements that came while the process stood still for a quick path', () => {
    const flight = new Flight()
    flight.measure(20)
    // A frame each 10 ms, the first two of which are acknowledged at once, and the rest when the process goes on.
    for (let sent = 1; sent <= 8; sent++) {
      flight.onSent(sent * 64_000, 0)
      vi.advanceTimersByTime(10)
    }
    flight.onAcknowledged(128_000)
    vi.advanceTimersByTime(60)
    flight.onSent(9 * 64_000, 128_000)
    vi.advanceTimersByTime(20)
    flight.onAcknowledged(9 * 64_000)
    // 448,000 bytes came within a round trip of 20 ms, which had left within 120 ms.
    expect(flight.limitBytes).toBe(Math.round((2 * 20 * 448_000) / 120) + slack)
  })

  it('does not count what left by another path', () => {
    const flight = new Flight()
    flight.measure(80)
    flight.restart(500_000)
    flight.onSent(64_000, 0)
    vi.advanceTimersByTime(4)
    flight.onAcknowledged(400_000)
    flight.onSent(500_000, 400_000)
    vi.advanceTimersByTime(4)
    flight.onAcknowledged(500_000)
    expect(flight.limitBytes).toBe(leastFlightBytes)
    flight.onSent(756_000, 500_000)
    vi.advanceTimersByTime(80)
    flight.onAcknowledged(756_000)
    expect(flight.limitBytes).toBe(2 * 256_000 + slack)
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
    expect(flight.limitBytes).toBe(Math.round(before * 1.25) + slack)
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
          expect(Number.isSafeInteger(flight.frameBytes)).toBe(true)
          expect(flight.frameBytes).toBeGreaterThanOrEqual(4096)
          expect(flight.limitBytes).toBeGreaterThanOrEqual(2 * flight.frameBytes)
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

/** Of a path that carries 1000 KiB in its round trip of 100 ms, and is known to. */
function fullFlight(): Flight {
  const flight = new Flight()
  for (let rounds = 0; rounds < 4; rounds++) round(flight, { bytes: 1000 * kibibyte, elapsedMs: 100 })
  return flight
}

/**
 * What such a path carries in the second half of so many seconds, and how much may be under way in the end: frames leave whole, one
 * after the other, and the far side acknowledges each second one at once and any other within 50 ms.
 */
function play(
  seconds: number,
  { bytesPerMs, oneWayMs }: { bytesPerMs: number; oneWayMs: number },
): { deliveredBytes: number; limitBytes: number } {
  const flight = new Flight()
  const most = acknowledgeAfterBytes / 2
  const acks: { at: number; upTo: number }[] = []
  let [sent, acknowledged, busyUntil, deliveredBytes] = [0, 0, 0, 0]
  flight.measure(2 * oneWayMs)
  for (let now = 0; now < seconds * 1000; now++) {
    while (acks[0] !== undefined && acks[0].at <= now) {
      acknowledged = acks.shift()?.upTo ?? 0
      flight.onAcknowledged(acknowledged)
    }
    while (!flight.needsQuiet && sent + most <= acknowledged + flight.limitBytes) {
      sent += most
      flight.onSent(sent, acknowledged)
      busyUntil = Math.max(busyUntil, now) + most / bytesPerMs
      if (sent % acknowledgeAfterBytes === 0) acks.push({ at: busyUntil + 2 * oneWayMs, upTo: sent })
      if (busyUntil > seconds * 500 && busyUntil <= seconds * 1000) deliveredBytes += most
    }
    if (flight.needsQuiet && sent === acknowledged) {
      flight.onQuiet()
      flight.measure(2 * oneWayMs)
    } else if (flight.needsQuiet && acks.length === 0) {
      acks.push({ at: busyUntil + 50 + 2 * oneWayMs, upTo: sent })
    }
    vi.advanceTimersByTime(1)
  }
  return { deliveredBytes, limitBytes: flight.limitBytes }
}
