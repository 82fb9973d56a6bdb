import type { Alarm, Alarms } from './alarms.ts'
import type { HubLimits } from './limits.ts'
import { isLoopbackSource } from '../core/ip.ts'
import { TokenBucket } from '../core/token-bucket.ts'

/** What one source address has open at the hub and how much it has spent lately. */
export interface Account {
  readonly source: string
  /** Nothing is limited by address here: loopback, where the operator said so. */
  readonly exempt: boolean
  sockets: number
  /** Of these, not yet registered or introduced. */
  unregistered: number
  /** Live introductions that its clients made. */
  introductions: number
  readonly newSockets: TokenBucket
  readonly newIntroductions: TokenBucket
  readonly messages: TokenBucket
  readonly bytes: TokenBucket
  /** Set while nobody is there, or was not a moment ago: one for the account, however often its sockets come and go. */
  forgetting: Alarm | undefined
}

/** The accounts of all addresses that have sockets, or had some a few seconds ago. */
export class Accounts {
  readonly #limits: HubLimits
  readonly #exemptLoopback: boolean
  readonly #alarms: Alarms
  readonly #bySource = new Map<string, Account>()

  constructor(limits: HubLimits, exemptLoopback: boolean, alarms: Alarms) {
    this.#limits = limits
    this.#exemptLoopback = exemptLoopback
    this.#alarms = alarms
  }

  get size(): number {
    return this.#bySource.size
  }

  get(source: string): Account | undefined {
    return this.#bySource.get(source)
  }

  /** The account that a new socket counts in. */
  open(source: string, nowMs: number): Account {
    const account = this.#bySource.get(source) ?? this.#create(source, nowMs)
    this.#bySource.set(source, account)
    account.sockets += 1
    account.newSockets.take(1, nowMs)
    return account
  }

  /** A socket of it is gone. The account goes once its rates have recovered, or reconnecting would reset them. */
  leave(account: Account, nowMs: number): void {
    account.sockets -= 1
    if (account.sockets > 0) return
    this.#forgetLater(account, nowMs)
  }

  #create(source: string, nowMs: number): Account {
    const limits = this.#limits
    const bucket = (perSecond: number, burst: number) => new TokenBucket({ perSecond, burst }, nowMs)
    const worth = limits.peersWorthPerAddress
    return {
      source,
      exempt: this.#exemptLoopback && isLoopbackSource(source),
      sockets: 0,
      unregistered: 0,
      introductions: 0,
      newSockets: bucket(limits.newSocketsPerSecondPerAddress, limits.newSocketsBurstPerAddress),
      newIntroductions: bucket(limits.introductionsPerSecondPerAddress, limits.introductionsBurstPerAddress),
      messages: bucket(limits.messagesPerSecond * worth, limits.messagesBurst * worth),
      bytes: bucket(limits.bytesPerSecond * worth, limits.bytesBurst * worth),
      forgetting: undefined,
    }
  }

  #forgetLater(account: Account, nowMs: number): void {
    if (account.forgetting !== undefined) return
    const { newSockets, newIntroductions, messages, bytes } = account
    const waits = [newSockets, newIntroductions, messages, bytes].map((bucket) => bucket.fullInMs(nowMs))
    const recoveryMs = Math.max(...waits)
    if (recoveryMs === 0) this.#bySource.delete(account.source)
    else
      account.forgetting = this.#alarms.set(nowMs + recoveryMs, (laterMs) => {
        account.forgetting = undefined
        if (account.sockets === 0) this.#forgetLater(account, laterMs)
      })
  }
}
