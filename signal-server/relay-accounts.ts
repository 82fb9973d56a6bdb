import { TokenBucket } from '../core/token-bucket.ts'
import type { HubLimits } from './limits.ts'
import type { RelayOwner, RelayOwners } from './relay-events.ts'
import { Tally } from './tally.ts'

/** What one peer, a key or the address of a peer without one, has of the relay. */
export interface RelayAccount {
  readonly name: string
  circuits: number
  readonly rate: TokenBucket
  readonly day: DayBytes
}

/** The accounts of all peers that are relayed, or were in the last day, and how many circuits each address has. */
export class RelayAccounts {
  readonly #limits: HubLimits
  /** Those without circuits come in the order in which they were left. */
  readonly #byName = new Map<string, RelayAccount>()
  readonly #ofAddress = new Tally()
  /** Of a client and a server with each other. */
  readonly #ofPair = new Tally()

  constructor(limits: HubLimits) {
    this.#limits = limits
  }

  get size(): number {
    return this.#byName.size
  }

  /** Why one more circuit for the two is not opened now, undefined when it is. */
  refusal(owners: RelayOwners, nowMs: number): string | undefined {
    if (this.#ofPair.of(pairOf(owners)) >= this.#limits.relayCircuitsPerPair)
      return 'the two have as many circuits with each other as they may'
    return this.refusalOf(owners.client, nowMs) ?? this.refusalOf(owners.server, nowMs)
  }

  /** Why one more circuit does not count for the owner of an end now, undefined when it does. */
  refusalOf({ peer, address }: RelayOwner, nowMs: number): string | undefined {
    const { relayCircuitsPerPeer, relayCircuitsPerAddress } = this.#limits
    if (this.#ofAddress.of(address) >= relayCircuitsPerAddress)
      return 'an address has as many circuits as it may'
    const account = this.#accountOf(peer)
    if (account === undefined) return undefined
    if (account.circuits >= relayCircuitsPerPeer) return 'a peer has as many circuits as it may'
    return this.bytesLeft(account, nowMs) > 0 ? undefined : 'a peer has had all bytes it may have in a day'
  }

  /** Of the day; undefined is who has used none yet. */
  bytesLeft(account: RelayAccount | undefined, nowMs: number): number {
    return Math.max(0, this.#limits.relayBytesPerDayPerPeer - (account?.day.sum(nowMs) ?? 0))
  }

  /** Of the day, for a circuit of the two: what the one has that has less. */
  bytesLeftFor({ client, server }: RelayOwners, nowMs: number): number {
    const limited = [client.peer, server.peer].filter((peer) => peer !== undefined)
    return Math.min(...limited.map((peer) => this.bytesLeft(this.#accountOf(peer), nowMs)))
  }

  /** One circuit more that the two have with each other, or one less. */
  changePair(owners: RelayOwners, by: 1 | -1): void {
    this.#ofPair.change(pairOf(owners), by)
  }

  /** One circuit more that counts for the owner of an end. Its peer's account, undefined where that is not limited. */
  enter({ peer, address }: RelayOwner, nowMs: number): RelayAccount | undefined {
    this.#ofAddress.change(address, 1)
    if (peer === undefined) return undefined
    const account = this.#accountOf(peer) ?? this.#create(peer, nowMs)
    account.circuits += 1
    return account
  }

  leave({ peer, address }: RelayOwner, nowMs: number): void {
    this.#ofAddress.change(address, -1)
    const account = this.#accountOf(peer)
    if (account === undefined) return
    account.circuits -= 1
    if (account.circuits > 0) return
    this.#byName.delete(account.name)
    if (account.day.sum(nowMs) > 0) this.#byName.set(account.name, account)
    this.#forgetOldest(nowMs)
  }

  #accountOf(peer: string | undefined): RelayAccount | undefined {
    return peer === undefined ? undefined : this.#byName.get(peer)
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

/** The client by its address where that is limited, for behind one there may be any number of keys. */
function pairOf({ client, server }: RelayOwners): string | undefined {
  const from = client.address ?? client.peer
  return from === undefined || server.peer === undefined ? undefined : `${from} ${server.peer}`
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
