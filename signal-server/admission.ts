import { TokenBucket } from '../core/token-bucket.ts'
import type { HubLimits } from './limits.ts'

/** Of the rate, this much is given away in advance; the rest is for those who come without a turn. */
const bookedShare = 0.8

/**
 * Spreads a rush of registrations. When a hub with thousands of peers has died they all come back in the same seconds,
 * each with a signature to be checked. Whoever is too many is told when to come again, one after another.
 */
export class Admission {
  readonly #bucket: TokenBucket
  readonly #intervalMs: number
  readonly #longestMs: number
  #bookedUntilMs = 0

  constructor(limits: HubLimits) {
    const { registrationsPerSecond, registrationsBurst, reconnectTryMs } = limits
    this.#bucket = new TokenBucket({ perSecond: registrationsPerSecond, burst: registrationsBurst }, 0)
    this.#intervalMs = 1000 / (registrationsPerSecond * bookedShare)
    this.#longestMs = reconnectTryMs
  }

  /** 0: come in. Otherwise in so many milliseconds. */
  turnInMs(nowMs: number): number {
    if (this.#bucket.take(1, nowMs)) return 0
    const lastMs = nowMs + this.#longestMs
    this.#bookedUntilMs = Math.min(Math.max(this.#bookedUntilMs, nowMs) + this.#intervalMs, lastMs)
    return Math.ceil(this.#bookedUntilMs - nowMs)
  }
}
