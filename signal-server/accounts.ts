import { isLoopbackSource, siteOf } from '../core/ip.ts'
import { TokenBucket } from '../core/token-bucket.ts'
import type { Alarms } from './alarms.ts'
import { type Entry, Ledger } from './ledger.ts'
import type { HubLimits } from './limits.ts'
import type { Refusal } from './peers.ts'

/** What one source address has open at the hub and how much it has spent lately. */
export interface Account extends Share {
  /** Nothing is limited by address here: loopback, where the operator said so. */
  readonly exempt: boolean
  /** Where many addresses are one customer's: what they have open together. As long as there are sockets, it is the same. */
  site: Share | undefined
  /** Live introductions that its clients made. */
  introductions: number
  readonly newIntroductions: TokenBucket
  readonly messages: TokenBucket
  readonly bytes: TokenBucket
}

/** The sockets of one address, or of one site, which may have as much as so many addresses. */
interface Share extends Entry {
  readonly called: 'address' | 'network'
  readonly worth: number
  /** Of its sockets, those not yet registered or introduced. */
  unregistered: number
  readonly newSockets: TokenBucket
}

/** Addresses and their sites, as long as they have sockets and some seconds more. */
export class Accounts {
  readonly #limits: HubLimits
  readonly #exemptLoopback: boolean
  readonly #accounts: Ledger<Account>
  readonly #sites: Ledger<Share>

  constructor(limits: HubLimits, exemptLoopback: boolean, alarms: Alarms) {
    this.#limits = limits
    this.#exemptLoopback = exemptLoopback
    this.#accounts = new Ledger(alarms, (source, nowMs) => this.#createAccount(source, nowMs))
    this.#sites = new Ledger(alarms, (site, nowMs) =>
      this.#createShare(site, { called: 'network', worth: limits.addressesWorthPerSite }, nowMs),
    )
  }

  counts(): { addresses: number; sites: number } {
    return { addresses: this.#accounts.size, sites: this.#sites.size }
  }

  /** Why one more socket from `source` is not taken now. Changes nothing. */
  refusal(source: string, nowMs: number): Refusal | undefined {
    if (this.#isExempt(source)) return undefined
    const site = siteOf(source)
    const refusal = this.#refusalBy(this.#accounts.get(source), nowMs)
    return refusal ?? (site === undefined ? undefined : this.#refusalBy(this.#sites.get(site), nowMs))
  }

  /** The account that a new socket counts in. */
  open(source: string, nowMs: number): Account {
    const account = this.#accounts.open(source, nowMs)
    const site = siteOf(source)
    account.site = site === undefined ? undefined : this.#sites.open(site, nowMs)
    for (const share of sharesOf(account)) share.newSockets.take(1, nowMs)
    return account
  }

  countUnregistered(account: Account, change: 1 | -1): void {
    for (const share of sharesOf(account)) share.unregistered += change
  }

  /** A socket of it is gone. */
  leave(account: Account, nowMs: number): void {
    if (account.site !== undefined) this.#sites.leave(account.site, nowMs)
    this.#accounts.leave(account, nowMs)
  }

  #refusalBy(share: Share | undefined, nowMs: number): Refusal | undefined {
    if (share === undefined) return undefined
    const { called, worth } = share
    const { registerMs, unregisteredSocketsPerAddress, socketsPerAddress } = this.#limits
    const busy = (message: string): Refusal => ({ code: 'BUSY', message, retryAfterMs: registerMs })
    if (share.unregistered >= unregisteredSocketsPerAddress * worth)
      return busy(`too many sockets of your ${called} have not registered yet`)
    if (share.sockets >= socketsPerAddress * worth)
      return busy(`your ${called} has as many sockets as it may`)
    const retryAfterMs = share.newSockets.waitMs(1, nowMs)
    if (retryAfterMs === 0) return undefined
    return { code: 'RATE', message: `your ${called} opens sockets too fast`, retryAfterMs }
  }

  #createAccount(source: string, nowMs: number): Account {
    const limits = this.#limits
    const bucket = (perSecond: number, burst: number) => new TokenBucket({ perSecond, burst }, nowMs)
    const { introductionsPerSecondPerAddress, introductionsBurstPerAddress } = limits
    const worth = limits.peersWorthPerAddress
    const share = this.#createShare(source, { called: 'address', worth: 1 }, nowMs)
    const newIntroductions = bucket(introductionsPerSecondPerAddress, introductionsBurstPerAddress)
    const messages = bucket(limits.messagesPerSecond * worth, limits.messagesBurst * worth)
    const bytes = bucket(limits.bytesPerSecond * worth, limits.bytesBurst * worth)
    return {
      ...share,
      exempt: this.#isExempt(source),
      site: undefined,
      introductions: 0,
      newIntroductions,
      messages,
      bytes,
      rates: [...share.rates, newIntroductions, messages, bytes],
    }
  }

  #createShare(source: string, { called, worth }: Pick<Share, 'called' | 'worth'>, nowMs: number): Share {
    const { newSocketsPerSecondPerAddress, newSocketsBurstPerAddress } = this.#limits
    const rate = {
      perSecond: newSocketsPerSecondPerAddress * worth,
      burst: newSocketsBurstPerAddress * worth,
    }
    const newSockets = new TokenBucket(rate, nowMs)
    const rates = [newSockets]
    return { source, called, worth, sockets: 0, unregistered: 0, newSockets, rates, forgetting: undefined }
  }

  #isExempt(source: string): boolean {
    return this.#exemptLoopback && isLoopbackSource(source)
  }
}

function sharesOf(account: Account): Share[] {
  return account.site === undefined ? [account] : [account, account.site]
}
