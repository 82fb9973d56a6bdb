import { limits } from '../../core/limits.ts'

const { leastFlightBytes, flightSamples, flightMemoryMs, frameBytes, initialLimitBytes } = limits.session
const { acknowledgeAfterBytes, acknowledgeAfterMs } = limits.session

/** Above 1, so that a path that can take more is found out, by a quarter each round. */
const growth = 1.25
/** Until three full rounds have not brought a quarter more than the best: a new path is filled in a few. */
const growthAtFirst = 2
const flatRoundsToFull = 3

/**
 * A path that takes so long, and carries so little, is a network's, which spaces its packets. What is nearer or quicker goes by the
 * turns of processes: a burst reaches the far side's UDP socket as quick as it is sent, and with the slack one transfer of 3 MiB in
 * twelve stalled on loopback.
 */
const networkMs = 5
const networkBytesPerMs = 20_000
/**
 * Of a path that is slow more is not under way than it carries in a second, and a frame is no longer than a quarter: PINGs, ACKs and RESET
 * wait behind them, and who hears nothing for long looks for another path.
 */
const slowestFlightMs = 1000
const frameMs = 250
const leastFrameBytes = 4 * 1024
/** While nobody knows how slow it is. */
const firstFrameBytes = 16 * 1024
/** Times of sending that are remembered: a flight of 4 MiB in the largest frames. */
const mostSendTimes = 64

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
  #needsQuiet = false
  /** Bytes per millisecond of the last rounds, and the best of them; 0 before the first. */
  readonly #rates: number[] = []
  #rate = 0
  /** A round has carried enough to tell a slow path from one that had little to carry. */
  #hasCarriedMuch = false
  /** Of the round since which none was a quarter better, and how many came after it that were not starved. */
  #bestRate = 0
  #flatRounds = 0
  /** A round: from the moment when `upTo` was sent until it is acknowledged; the oldest byte under way had left at `firstSentAt`. */
  #round: { upTo: number; from: number; startedAt: number; firstSentAt: number } | undefined
  /** What is under way and when it left, oldest first. */
  readonly #sent: { upTo: number; at: number }[] = []
  /** There was nothing more to send, or the peer had no room for it, at some time since the last round ended. */
  #isStarved = false
  /** Bytes before this left on another path, and may be acknowledged by way of it. */
  #firstOwn = 0

  /** Bytes that may be sent and not acknowledged. */
  get limitBytes(): number {
    if (this.#rates.length === 0) return leastFlightBytes
    const rate = this.#rate
    const leastBytes = this.#hasCarriedMuch
      ? Math.min(leastFlightBytes, rate * slowestFlightMs)
      : leastFlightBytes
    const isNetwork = this.#shortestMs >= networkMs && rate <= networkBytesPerMs
    const isFilling = this.#flatRounds < flatRoundsToFull
    const gain = isNetwork && isFilling ? growthAtFirst : growth
    const heldBytes = gain * this.#heldBytes + (isNetwork ? this.#slackBytes : 0)
    return Math.round(Math.max(leastBytes, 2 * this.frameBytes, heldBytes))
  }

  /** The most that a frame should carry. */
  get frameBytes(): number {
    if (!this.#hasCarriedMuch) return firstFrameBytes
    return Math.round(Math.min(Math.max(this.#rate * frameMs, leastFrameBytes), frameBytes))
  }

  /**
   * What is not under way although it counts as such: so much has arrived and waits to be acknowledged in one go, and the
   * last frame, which is not cut, may not fit. Without it the limit made the rate that it is taken from, and never grew:
   * a path of 80 Mbit/s and 80 ms carried a third of what it can.
   */
  get #slackBytes(): number {
    const unacknowledgedBytes = this.#rate * acknowledgeAfterMs + this.frameBytes
    return Math.min(acknowledgeAfterBytes, unacknowledgedBytes) + this.frameBytes
  }

  /** What the path is known to hold; 0 before the first round. */
  get #heldBytes(): number {
    return this.#rate * this.#shortestMs
  }

  get #shortestMs(): number {
    return Math.min(this.#shortestNowMs, this.#shortestBeforeMs)
  }

  /**
   * The shortest round trip is to be measured anew, which only an empty path can tell: a full one is as long as what is under way
   * makes it, and would be given more for that. Nothing is to be sent until all, or nearly, is acknowledged, then a PING first, and
   * `onQuiet`.
   */
  get needsQuiet(): boolean {
    return this.#needsQuiet
  }

  onQuiet(): void {
    this.#needsQuiet = false
  }

  /** A round trip of a small frame. */
  measure(rttMs: number): void {
    const now = performance.now()
    if (now - this.#spanStartedAt > flightMemoryMs) {
      this.#shortestBeforeMs = this.#shortestNowMs
      this.#shortestNowMs = Infinity
      this.#spanStartedAt = now
      this.#needsQuiet = true
    }
    this.#shortestNowMs = Math.min(this.#shortestNowMs, rttMs)
  }

  /** What is sent goes this way from now on; everything before `sent` had left by another. */
  restart(sent: number): void {
    this.#round = undefined
    this.#sent.length = 0
    this.#isStarved = false
    this.#firstOwn = sent
  }

  /** Everything before `sent` has been handed over, and before `acknowledged` has arrived. */
  onSent(sent: number, acknowledged: number): void {
    if (sent <= this.#firstOwn) return
    const now = performance.now()
    if (this.#sent.length < mostSendTimes) this.#sent.push({ upTo: sent, at: now })
    const from = Math.max(acknowledged, this.#firstOwn)
    this.#round ??= { upTo: sent, from, startedAt: now, firstSentAt: this.#sent[0]?.at ?? now }
  }

  /** All that may be sent, whatever the flight, has been. */
  onStarved(): void {
    this.#isStarved = true
  }

  onAcknowledged(acknowledged: number): void {
    while (this.#sent[0] !== undefined && this.#sent[0].upTo <= acknowledged) this.#sent.shift()
    const round = this.#round
    if (round === undefined || acknowledged < round.upTo) return
    this.#round = undefined
    const elapsedMs = Math.max(performance.now() - round.startedAt, 0.1)
    this.measure(elapsedMs)
    const bytes = acknowledged - round.from
    // A process that stood still finds acknowledgements of a while in one go: they came no quicker than the bytes had left.
    const rate = bytes / Math.max(elapsedMs, round.startedAt - round.firstSentAt)
    const isStarved = this.#isStarved
    this.#isStarved = false
    this.#hasCarriedMuch ||= bytes >= initialLimitBytes
    if (rate >= this.#bestRate * growth) [this.#bestRate, this.#flatRounds] = [rate, 0]
    else if (!isStarved) this.#flatRounds += 1
    // A path carries no more than it is given.
    if (isStarved && rate <= this.#rate) return
    this.#rates.push(rate)
    if (this.#rates.length > flightSamples) this.#rates.shift()
    // Looked at with each frame.
    this.#rate = Math.max(...this.#rates)
  }
}
