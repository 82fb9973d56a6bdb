import { limits } from '../../core/limits.ts'

const { leastFlightBytes, flightSamples, flightMemoryMs } = limits.session

/** Above 1, so that a path that can take more is found out, by a quarter each round. */
const growth = 1.25

/**
 * How much may be under way on a path: what it delivers in its shortest round trip, as BBR has it
 * (draft-cardwell-iccrg-bbr-congestion-control, section 4.2.3.2), and a little more.
 *
 * SCTP below has a congestion control of its own, but it finds the limit by losing packets: the UDP sockets of WebRTC
 * hold some ninety, a burst overflows them, and a tail that is lost costs SCTP's retransmission time-out of 400 ms.
 */
export class Flight {
  /** The shortest round trip of this span of time and of the one before: a path may have become longer since. */
  #shortestMs = Infinity
  #shortestBeforeMs = Infinity
  #spanStartedAt = performance.now()
  /** Bytes per millisecond of the last rounds. */
  readonly #rates: number[] = []
  /** A round: from the moment when `upTo` was sent until it is acknowledged. */
  #round: { upTo: number; from: number; startedAt: number } | undefined

  /** Bytes that may be sent and not acknowledged. */
  get limitBytes(): number {
    const shortestMs = Math.min(this.#shortestMs, this.#shortestBeforeMs)
    if (this.#rates.length === 0 || shortestMs === Infinity) return leastFlightBytes
    return Math.max(leastFlightBytes, Math.round(growth * Math.max(...this.#rates) * shortestMs))
  }

  /** A round trip of a small frame. */
  measure(rttMs: number): void {
    const now = performance.now()
    if (now - this.#spanStartedAt > flightMemoryMs) {
      this.#shortestBeforeMs = this.#shortestMs
      this.#shortestMs = Infinity
      this.#spanStartedAt = now
    }
    this.#shortestMs = Math.min(this.#shortestMs, rttMs)
  }

  /** Everything before `sent` has been handed over, and before `acknowledged` has arrived. */
  onSent(sent: number, acknowledged: number): void {
    this.#round ??= { upTo: sent, from: acknowledged, startedAt: performance.now() }
  }

  onAcknowledged(acknowledged: number): void {
    const round = this.#round
    if (round === undefined || acknowledged < round.upTo) return
    this.#round = undefined
    const elapsedMs = Math.max(performance.now() - round.startedAt, 0.1)
    this.measure(elapsedMs)
    this.#rates.push((acknowledged - round.from) / elapsedMs)
    if (this.#rates.length > flightSamples) this.#rates.shift()
  }
}
