export interface Rate {
  perSecond: number
  burst: number
}

/** A rate with a burst. Time is passed in, in milliseconds of a clock that never goes back. */
export class TokenBucket {
  readonly #rate: Rate
  #tokens: number
  #atMs: number

  constructor(rate: Rate, nowMs: number) {
    this.#rate = rate
    this.#tokens = rate.burst
    this.#atMs = nowMs
  }

  /** Milliseconds until `cost` could be taken: 0 when it is there now. A cost of 0 waits for nothing but what is owed. */
  waitMs(cost: number, nowMs: number): number {
    const missing = this.#price(cost) - this.level(nowMs)
    return missing <= 0 ? 0 : Math.ceil((missing / this.#rate.perSecond) * 1000)
  }

  /** Whether `cost` was there, and is taken now. */
  take(cost: number, nowMs: number): boolean {
    if (this.waitMs(cost, nowMs) > 0) return false
    this.#tokens -= this.#price(cost)
    return true
  }

  /** Takes `cost` although it may not be there: then nothing can be taken until what is owed has come in. */
  spend(cost: number, nowMs: number): void {
    this.#tokens = this.level(nowMs) - cost
  }

  /** What could be taken now, at most the burst; below zero: what is owed. */
  level(nowMs: number): number {
    const grown = (Math.max(0, nowMs - this.#atMs) * this.#rate.perSecond) / 1000
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + grown)
    this.#atMs = Math.max(this.#atMs, nowMs)
    return this.#tokens
  }

  /** Milliseconds until the bucket is full again and has forgotten everything. */
  fullInMs(nowMs: number): number {
    return this.waitMs(this.#rate.burst, nowMs)
  }

  /** What costs more than a whole burst takes a whole burst, or it could never be paid. */
  #price(cost: number): number {
    return Math.min(cost, this.#rate.burst)
  }
}
