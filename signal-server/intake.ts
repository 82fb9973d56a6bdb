import type { Account } from './accounts.ts'
import type { HubLimits } from './limits.ts'
import { TokenBucket } from '../core/token-bucket.ts'

/** Something received; without a text it is a ping or pong, which costs its turn and asks for nothing. */
export interface Received {
  readonly text?: string | undefined
  readonly bytes: number
  readonly atMs: number
}

/** What waits takes beside its bytes, 80 in Node 20: one read of a socket can have eleven thousand empty frames. */
const receivedCostBytes = 128

/**
 * What a peer has sent and the hub has not obeyed yet. Messages are taken out as fast as the rates of the
 * peer and of its address allow; while some wait, the socket is not to be read.
 */
export class Intake {
  readonly #limits: HubLimits
  readonly #account: Account
  readonly #messages: TokenBucket
  readonly #bytes: TokenBucket
  #waiting: Received[] = []
  #waitingBytes = 0
  #overSinceMs: number | undefined

  constructor(limits: HubLimits, account: Account, nowMs: number) {
    this.#limits = limits
    this.#account = account
    this.#messages = new TokenBucket(
      { perSecond: limits.messagesPerSecond, burst: limits.messagesBurst },
      nowMs,
    )
    this.#bytes = new TokenBucket({ perSecond: limits.bytesPerSecond, burst: limits.bytesBurst }, nowMs)
  }

  push(received: Received): void {
    this.#waiting.push(received)
    this.#waitingBytes += received.bytes + receivedCostBytes
  }

  /** The next one, if it is its turn at `nowMs`. */
  take(nowMs: number): Received | undefined {
    const next = this.#waiting[0]
    if (next === undefined || this.waitMs(nowMs) > 0) return undefined
    this.#messages.take(1, nowMs)
    this.#bytes.take(next.bytes, nowMs)
    if (!this.#account.exempt) {
      this.#account.messages.take(1, nowMs)
      this.#account.bytes.take(next.bytes, nowMs)
    }
    this.#waiting.shift()
    this.#waitingBytes -= next.bytes + receivedCostBytes
    return next
  }

  /** Milliseconds until the next message may be taken, 0 when it may be now or when none waits. */
  waitMs(nowMs: number): number {
    const next = this.#waiting[0]
    if (next === undefined) return 0
    const ownMs = Math.max(this.#messages.waitMs(1, nowMs), this.#bytes.waitMs(next.bytes, nowMs))
    if (this.#account.exempt) return ownMs
    const { messages, bytes } = this.#account
    return Math.max(ownMs, messages.waitMs(1, nowMs), bytes.waitMs(next.bytes, nowMs))
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  /** More waits than a socket that is not read may have sent: a flood at once. */
  get isOverfull(): boolean {
    return this.#waitingBytes > this.#limits.waitingBytes
  }

  /**
   * When this becomes a flood if nothing changes, undefined while the peer keeps to its rates.
   * It is over them from the first message that had to wait until its own bucket is half full again:
   * sending in one breath is forgiven, sending on and on at the limit is not.
   */
  floodAtMs(nowMs: number): number | undefined {
    if (this.isOverfull) return nowMs
    const isCalm = this.isEmpty && this.#messages.level(nowMs) >= this.#limits.messagesBurst / 2
    if (isCalm) this.#overSinceMs = undefined
    else if (!this.isEmpty) this.#overSinceMs ??= nowMs
    return this.#overSinceMs === undefined ? undefined : this.#overSinceMs + this.#limits.floodMs
  }
}
