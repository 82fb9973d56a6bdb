import { limits } from '../../core/limits.ts'

/** Above 1, so that a path that can take more is found out, by a quarter each round. */
const growth = 1.25

const { leastFlightBytes, flightSamples } = limits.session

/**
 * How much may be under way on a path: twice what it delivers in its shortest round trip, as BBR has it
 * (draft-cardwell-iccrg-bbr-congestion-control, section 4.2.3.2).
 *
 * SCTP below has a congestion control of its own, but it finds the limit by losing packets: the UDP sockets of WebRTC
 * hold some ninety, a burst overflows them, and a tail that is lost costs SCTP's retransmission time-out of 400 ms.
 */
export class Flight {
  #shortestMs = Infinity
  /** Bytes per millisecond of the last rounds. */
  readonly #rates: number[] = []
  /** A round: from the moment when `upTo` was sent until it is acknowledged. */
  #round: { upTo: number; from: number; startedAt: number } | undefined

  /** Bytes that may be sent and not acknowledged. */
  get limitBytes(): number {
    if (this.#rates.length === 0) return leastFlightBytes
    return Math.max(leastFlightBytes, Math.round(growth * Math.max(...this.#rates) * this.#shortestMs))
  }

  /** A round trip of a small frame. */
  measure(rttMs: number): void {
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
