import type { TokenBucket } from '../core/token-bucket.ts'
import type { Alarm, Alarms } from './alarms.ts'

/** What is kept of something that sockets come from. */
export interface Entry {
  /** An address, or a network. */
  readonly source: string
  sockets: number
  /** It is forgotten when nobody is there and all these have recovered, or coming again would reset them. */
  readonly rates: readonly TokenBucket[]
  /** One for the entry, however often its sockets come and go. */
  forgetting: Alarm | undefined
}

/** Entries of those that have sockets, or had some a few seconds ago. */
export class Ledger<T extends Entry> {
  readonly #alarms: Alarms
  readonly #create: (source: string, nowMs: number) => T
  readonly #bySource = new Map<string, T>()

  constructor(alarms: Alarms, create: (source: string, nowMs: number) => T) {
    this.#alarms = alarms
    this.#create = create
  }

  get size(): number {
    return this.#bySource.size
  }

  get(source: string): T | undefined {
    return this.#bySource.get(source)
  }

  /** The entry that a new socket counts in. */
  open(source: string, nowMs: number): T {
    const entry = this.#bySource.get(source) ?? this.#create(source, nowMs)
    this.#bySource.set(source, entry)
    entry.sockets += 1
    return entry
  }

  /** A socket is gone. */
  leave(entry: T, nowMs: number): void {
    entry.sockets -= 1
    if (entry.sockets === 0) this.#forgetLater(entry, nowMs)
  }

  #forgetLater(entry: T, nowMs: number): void {
    if (entry.forgetting !== undefined) return
    const recoveryMs = Math.max(...entry.rates.map((rate) => rate.fullInMs(nowMs)))
    if (recoveryMs === 0) this.#bySource.delete(entry.source)
    else
      entry.forgetting = this.#alarms.set(nowMs + recoveryMs, (laterMs) => {
        entry.forgetting = undefined
        if (entry.sockets === 0) this.#forgetLater(entry, laterMs)
      })
  }
}
