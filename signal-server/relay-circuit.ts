import { relayFrameBytes } from '../core/relay-protocol.ts'
import { TokenBucket } from '../core/token-bucket.ts'
import type { Alarm } from './alarms.ts'
import type { HubLimits } from './limits.ts'
import type { SocketId } from './peer.ts'
import type { RelayAccount, RelayAccounts } from './relay-accounts.ts'
import type { RelayOwner, RelayOwners } from './relay-events.ts'

/** One of the two places of a circuit. */
export interface End {
  readonly circuit: Circuit
  /** The digest of the token that it is taken with. */
  readonly tokenName: string
  socket: SocketId | undefined
  /** While the rates do not allow it to be read. */
  held: Alarm | undefined
}

export interface CircuitOptions {
  limits: HubLimits
  accounts: RelayAccounts
  owners: RelayOwners
  tokenNames: { client: string; server: string }
}

/** What two sockets have with each other, and how much of it. */
export class Circuit {
  readonly ends: readonly [End, End]
  /** A frame passed last. */
  passedAtMs: number
  isOpen = false
  isOver = false
  /** Until both ends must be there; then until the circuit has lived long enough. */
  deadline: Alarm | undefined
  idle: Alarm | undefined
  readonly #limits: HubLimits
  readonly #accounts: RelayAccounts
  readonly #owners: RelayOwners
  /** Those that it counts for by now; twice where both ends are of one. */
  readonly #entered: RelayOwner[] = []
  /** Theirs: what passes is charged to each once. */
  readonly #charged = new Set<RelayAccount>()
  readonly #rate: TokenBucket
  #bytes = 0

  constructor({ limits, accounts, owners, tokenNames }: CircuitOptions, nowMs: number) {
    const end = (tokenName: string): End => ({ circuit: this, tokenName, socket: undefined, held: undefined })
    this.ends = [end(tokenNames.client), end(tokenNames.server)]
    this.passedAtMs = nowMs
    this.#limits = limits
    this.#accounts = accounts
    this.#owners = owners
    accounts.changePair(owners, 1)
    this.#enter(owners.client, nowMs)
    const bytes = limits.relayBytesPerSecond
    this.#rate = new TokenBucket({ perSecond: bytes, burst: bytes }, nowMs)
  }

  /** As its peers are told them. `bytes` is what is left for it now; other circuits of a peer may use that up before. */
  told(nowMs: number): Record<string, number> {
    const { relayBytes, relayBytesPerSecond, relayMs, relayIdleMs } = this.#limits
    return {
      bytes: Math.min(relayBytes, this.#accounts.bytesLeftFor(this.#owners, nowMs)),
      bytesPerSecond: relayBytesPerSecond,
      lifeMs: relayMs,
      idleMs: relayIdleMs,
      frameBytes: relayFrameBytes,
    }
  }

  /**
   * The client's end is there: from now on the circuit counts for the server's owner too. Until then it does not, or whoever
   * asks for circuits and takes none would have shut the server's relay for everybody. Why it may not, undefined when it may.
   */
  joinClient(nowMs: number): string | undefined {
    const refusal = this.#accounts.refusalOf(this.#owners.server, nowMs)
    if (refusal === undefined) this.#enter(this.#owners.server, nowMs)
    return refusal
  }

  /** Both sockets, once they are there. */
  sockets(): readonly [SocketId, SocketId] | undefined {
    const [one, other] = this.ends
    return one.socket === undefined || other.socket === undefined ? undefined : [one.socket, other.socket]
  }

  otherThan(end: End): End {
    const [one, other] = this.ends
    return end === one ? other : one
  }

  /** Counts what passes; false, and nothing is counted, when that is more than it may have in all. */
  charge(bytes: number, nowMs: number): boolean {
    const hasRoom =
      this.#bytes + bytes <= this.#limits.relayBytes &&
      [...this.#charged].every((account) => bytes <= this.#accounts.bytesLeft(account, nowMs))
    if (!hasRoom) return false
    this.#bytes += bytes
    this.passedAtMs = nowMs
    for (const account of this.#charged) account.day.add(bytes, nowMs)
    this.spend(bytes, nowMs)
    return true
  }

  /** Counts by the rates alone: a frame that came, whatever it was. */
  spend(bytes: number, nowMs: number): void {
    const cost = bytes + this.#limits.relayFrameCostBytes
    this.#rate.spend(cost, nowMs)
    for (const account of this.#charged) account.rate.spend(cost, nowMs)
  }

  /** Milliseconds until it is back within all its rates. */
  waitMs(nowMs: number): number {
    let waitMs = this.#rate.waitMs(0, nowMs)
    for (const { rate } of this.#charged) waitMs = Math.max(waitMs, rate.waitMs(0, nowMs))
    return waitMs
  }

  end(nowMs: number): void {
    this.isOver = true
    this.deadline?.cancel()
    this.idle?.cancel()
    for (const { held } of this.ends) held?.cancel()
    for (const owner of this.#entered) this.#accounts.leave(owner, nowMs)
    this.#accounts.changePair(this.#owners, -1)
  }

  #enter(owner: RelayOwner, nowMs: number): void {
    this.#entered.push(owner)
    const account = this.#accounts.enter(owner, nowMs)
    if (account !== undefined) this.#charged.add(account)
  }
}
