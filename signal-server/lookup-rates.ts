import { isLoopbackSource } from '../core/ip.ts'
import { TokenBucket } from '../core/token-bucket.ts'
import type { HubLimits } from './limits.ts'

/** How fast each source address may look records up. */
export class LookupRates {
  readonly #limits: HubLimits
  readonly #exemptLoopback: boolean
  /** The one that asked last is the last. */
  readonly #buckets = new Map<string, TokenBucket>()

  constructor(limits: HubLimits, exemptLoopback: boolean) {
    this.#limits = limits
    this.#exemptLoopback = exemptLoopback
  }

  get size(): number {
    return this.#buckets.size
  }

  /** 0 when one more lookup of `source` may be answered, else how long it has to wait. */
  take(source: string, nowMs: number): number {
    if (this.#exemptLoopback && isLoopbackSource(source)) return 0
    const { lookupsPerSecondPerAddress: perSecond, lookupsBurstPerAddress: burst } = this.#limits
    const bucket = this.#buckets.get(source) ?? new TokenBucket({ perSecond, burst }, nowMs)
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
      const isOver = this.#buckets.size > this.#limits.lookupAddresses
      if (!isOver && bucket.fullInMs(nowMs) > 0) return
      // The newest is full before its first lookup is counted.
      if (this.#buckets.size === 1) return
      this.#buckets.delete(source)
    }
  }
}
