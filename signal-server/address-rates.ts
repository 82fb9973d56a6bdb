import { isLoopbackSource } from '../core/ip.ts'
import { type Rate, TokenBucket } from '../core/token-bucket.ts'

export interface AddressRatesOptions {
  /** Of each address. */
  rate: Rate
  /** How many addresses are remembered. */
  addresses: number
  /** Whether loopback is not limited. */
  exemptLoopback: boolean
}

/** How fast each source address may ask for something. */
export class AddressRates {
  readonly #options: AddressRatesOptions
  /** The one that asked last is the last. */
  readonly #buckets = new Map<string, TokenBucket>()

  constructor(options: AddressRatesOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#buckets.size
  }

  /** 0 when one more request of `source` may be answered, else how long it has to wait. */
  take(source: string, nowMs: number): number {
    const { rate, exemptLoopback } = this.#options
    if (exemptLoopback && isLoopbackSource(source)) return 0
    const bucket = this.#buckets.get(source) ?? new TokenBucket(rate, nowMs)
    this.#buckets.delete(source)
    this.#buckets.set(source, bucket)
    this.#forgetOldest(nowMs)
    const waitMs = bucket.waitMs(1, nowMs)
    bucket.take(1, nowMs)
    return waitMs
  }

  /** Those that asked longest ago go first: all that have recovered, and more when there is no room. */
  #forgetOldest(nowMs: number): void {
    for (const [source, bucket] of this.#buckets) {
      const isOver = this.#buckets.size > this.#options.addresses
      if (!isOver && bucket.fullInMs(nowMs) > 0) return
      // The newest is full before its first request is counted.
      if (this.#buckets.size === 1) return
      this.#buckets.delete(source)
    }
  }
}
