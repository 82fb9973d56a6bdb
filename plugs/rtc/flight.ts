import { limits } from '../../core/limits.ts'

const { leastFlightBytes, flightSamples, flightMemoryMs, acknowledgeAfterBytes, frameBytes } = limits.session

/** Above 1, so that a path that can take more is found out, by a quarter each round. */
const growth = 1.25
/** Until three full rounds have not brought a quarter more than the best: a new path is filled in a few. */
const growthAtFirst = 2
const flatRoundsToFull = 3

/**
 * What is not under way although it counts as such: so much has arrived and waits to be acknowledged in one go, and the
 * last frame, which is not cut, may not fit. Without it the limit made the rate that it is taken from, and never grew:
 * a path of 80 Mbit/s and 80 ms carried a third of what it can.
 */
const slackBytes = acknowledgeAfterBytes + frameBytes

/**
 * A path that takes so long, and carries so little, is a network's, which spaces its packets. What is nearer or quicker goes by the
 * turns of processes: a burst reaches the far side's UDP socket as quick as it is sent, and with the slack one transfer of 3 MiB in
 * twelve stalled on loopback.
 */
const networkMs = 5
const networkBytesPerMs = 20_000

/**
 * How much may be under way on a path: what it delivers in its shortest round trip, as BBR has it
 * (draft-cardwell-iccrg-bbr-congestion-control, section 4.2.3.2), and a little more; and what acknowledgements leave out,
 * as the `extra_acked` of its second version.
 *
 * SCTP below has a congestion control of its own, but it finds the limit by losing packets: the UDP sockets of WebRTC
 * hold some ninety, a burst overflows them, and a tail that is lost costs SCTP's retransmission time-out of 400 ms.
 */
export class Flight {
  /** The shortest round trips of this span of time and of the one before: a path may have become longer since. */
  #shortestNowMs = Infinity
  #shortestBeforeMs = Infinity
  #spanStartedAt = performance.now()
  /** Bytes per millisecond of the last rounds. */
  readonly #rates: number[] = []
  /** Of the round since which none was a quarter better, and how many came after it that the sender had enough for. */
  #bestRate = 0
  #flatRounds = 0
  /** A round: from the moment when `upTo` was sent until it is acknowledged. */
  #round: { upTo: number; from: number; startedAt: number } | undefined

  /** Bytes that may be sent and not acknowledged. */
  get limitBytes(): number {
    if (this.#rates.length === 0) return leastFlightBytes
    const bestRate = Math.max(...this.#rates)
    const isNetwork = this.#shortestMs >= networkMs && bestRate <= networkBytesPerMs
    if (!isNetwork) return Math.max(leastFlightBytes, Math.round(growth * this.#heldBytes))
    const gain = this.#flatRounds < flatRoundsToFull ? growthAtFirst : growth
    return Math.max(leastFlightBytes, Math.round(gain * this.#heldBytes) + slackBytes)
  }

  /** What the path is known to hold; 0 before the first round. */
  get #heldBytes(): number {
    return Math.max(0, ...this.#rates) * this.#shortestMs
  }

  get #shortestMs(): number {
    return Math.min(this.#shortestNowMs, this.#shortestBeforeMs)
  }

  /** A round trip of a small frame. */
  measure(rttMs: number): void {
    const now = performance.now()
    if (now - this.#spanStartedAt > flightMemoryMs) {
      this.#shortestBeforeMs = this.#shortestNowMs
      this.#shortestNowMs = Infinity
      this.#spanStartedAt = now
    }
    this.#shortestNowMs = Math.min(this.#shortestNowMs, rttMs)
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
    const bytes = acknowledged - round.from
    const rate = bytes / elapsedMs
    if (rate >= this.#bestRate * growth) [this.#bestRate, this.#flatRounds] = [rate, 0]
    else if (bytes >= this.#heldBytes) this.#flatRounds += 1
    this.#rates.push(rate)
    if (this.#rates.length > flightSamples) this.#rates.shift()
  }
}
