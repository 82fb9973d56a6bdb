import { TokenBucket } from '../core/token-bucket.ts'
import type { HubLimits } from './limits.ts'

/** What one peer, a key or an address without one, has of the relay. */
export interface RelayAccount {
  readonly name: string
  circuits: number
  readonly rate: TokenBucket
  readonly day: DayBytes
}

/** The accounts of all peers that are relayed, or were in the last day. */
export class RelayAccounts {
  readonly #limits: HubLimits
  /** Those without circuits come in the order in which they were left. */
  readonly #byName = new Map<string, RelayAccount>()

  constructor(limits: HubLimits) {
    this.#limits = limits
  }

  get size(): number {
    return this.#byName.size
  }

  /** Why one more circuit for `name` is not opened now, undefined when it is. */
  refusal(name: string, nowMs: number): string | undefined {
    const account = this.#byName.get(name)
    if (account === undefined) return undefined
    if (account.circuits >= this.#limits.relayCircuitsPerPeer) return 'a peer has as many circuits as it may'
    return this.bytesLeft(account, nowMs) > 0 ? undefined : 'a peer has had all bytes it may have in a day'
  }

  /** Of the day. */
  bytesLeft(account: RelayAccount, nowMs: number): number {
    return Math.max(0, this.#limits.relayBytesPerDayPerPeer - account.day.sum(nowMs))
  }

  /** The account, with one circuit more. */
  enter(name: string, nowMs: number): RelayAccount {
    const account = this.#byName.get(name) ?? this.#create(name, nowMs)
    account.circuits += 1
    return account
  }

  leave(account: RelayAccount, nowMs: number): void {
    account.circuits -= 1
    if (account.circuits > 0) return
    this.#byName.delete(account.name)
    if (account.day.sum(nowMs) > 0) this.#byName.set(account.name, account)
    this.#forgetOldest(nowMs)
  }

  #create(name: string, nowMs: number): RelayAccount {
    const bytes = this.#limits.relayBytesPerSecondPerPeer
    const rate = new TokenBucket({ perSecond: bytes, burst: bytes }, nowMs)
    const account = { name, circuits: 0, rate, day: new DayBytes() }
    this.#byName.set(name, account)
    return account
  }

  /** Those whose day is over, and those that are too many. */
  #forgetOldest(nowMs: number): void {
    for (const account of this.#byName.values()) {
      if (account.circuits > 0) continue
      if (account.day.sum(nowMs) > 0 && this.#byName.size <= this.#limits.relayPeers) return
      this.#byName.delete(account.name)
    }
  }
}

const hourMs = 60 * 60_000
const hours = 24

/** Bytes of the last 24 hours, and of no more than 25: they are kept by the hour. */
export class DayBytes {
  #byHour: { hour: number; bytes: number }[] = []
  #sum = 0

  add(bytes: number, nowMs: number): void {
    this.#forget(nowMs)
    const hour = Math.floor(nowMs / hourMs)
    const last = this.#byHour.at(-1)
    if (last?.hour === hour) last.bytes += bytes
    else this.#byHour.push({ hour, bytes })
    this.#sum += bytes
  }

  sum(nowMs: number): number {
    this.#forget(nowMs)
    return this.#sum
  }

  #forget(nowMs: number): void {
    const oldest = Math.floor(nowMs / hourMs) - hours
    for (let first = this.#byHour[0]; first !== undefined && first.hour < oldest; first = this.#byHour[0]) {
      this.#sum -= first.bytes
      this.#byHour.shift()
    }
  }
}
