import type { Account } from './accounts.ts'
import type { Alarm, Alarms } from './alarms.ts'
import type { HubLimits } from './limits.ts'
import type { Peer } from './peer.ts'

/** One dial through the hub, between a client and the server peer that it asked for. */
export interface Introduction {
  readonly id: string
  readonly client: Peer
  readonly server: Peer
  signalsOfClient: number
  signalsOfServer: number
  /** Whether a circuit was opened for it: there is one at most. */
  isRelayed: boolean
  expiry: Alarm | undefined
}

/** The live introductions, and how many of them each address and each target has. */
export class Introductions {
  readonly #limits: HubLimits
  readonly #alarms: Alarms
  readonly #byId = new Map<string, Introduction>()
  readonly #ofTarget = new Map<Peer, TargetCounts>()

  constructor(limits: HubLimits, alarms: Alarms) {
    this.#limits = limits
    this.#alarms = alarms
  }

  get size(): number {
    return this.#byId.size
  }

  /** How many targets have some, for seeing that nothing is left behind. */
  get targets(): number {
    return this.#ofTarget.size
  }

  has(id: string): boolean {
    return this.#byId.has(id)
  }

  /** The introduction, if `peer` is one of its two ends. For anybody else it is as if there were none. */
  of(peer: Peer, id: string): Introduction | undefined {
    const introduction = this.#byId.get(id)
    return introduction?.client === peer || introduction?.server === peer ? introduction : undefined
  }

  /** Why one more from `client` to `server` is not taken now, undefined when it is. */
  busy(client: Peer, server: Peer): string | undefined {
    const limits = this.#limits
    const { account } = client
    if (!account.exempt && account.introductions >= limits.introductionsPerAddress) {
      return 'your address has as many introductions under way as it may'
    }
    const counts = this.#ofTarget.get(server)
    const fromAddress = account.exempt ? 0 : (counts?.byAccount.get(account) ?? 0)
    const isFull = (counts?.all ?? 0) >= limits.introductionsPerTarget
    return isFull || fromAddress >= limits.introductionsPerTargetAndAddress
      ? 'the peer has as many introductions under way as it may'
      : undefined
  }

  /** `onExpired` is called when nobody has ended it in time; it is for the caller to end it then. */
  add(
    id: string,
    client: Peer,
    server: Peer,
    nowMs: number,
    onExpired: (introduction: Introduction, nowMs: number) => void,
  ): Introduction {
    const introduction: Introduction = {
      id,
      client,
      server,
      signalsOfClient: 0,
      signalsOfServer: 0,
      isRelayed: false,
      expiry: undefined,
    }
    introduction.expiry = this.#alarms.set(nowMs + this.#limits.introductionMs, (laterMs) =>
      onExpired(introduction, laterMs),
    )
    this.#byId.set(id, introduction)
    client.introductions.add(introduction)
    server.introductions.add(introduction)
    client.account.introductions += 1
    this.#count(introduction, 1)
    return introduction
  }

  /** Counts a signal from `peer`; false when its side has sent all it may. */
  countSignal(introduction: Introduction, peer: Peer): boolean {
    const isClient = peer === introduction.client
    const sent = isClient ? introduction.signalsOfClient : introduction.signalsOfServer
    if (sent >= this.#limits.signalsPerSide) return false
    if (isClient) introduction.signalsOfClient += 1
    else introduction.signalsOfServer += 1
    return true
  }

  remove(introduction: Introduction): void {
    if (!this.#byId.delete(introduction.id)) return
    introduction.expiry?.cancel()
    introduction.client.introductions.delete(introduction)
    introduction.server.introductions.delete(introduction)
    introduction.client.account.introductions -= 1
    this.#count(introduction, -1)
  }

  #count({ client, server }: Introduction, change: 1 | -1): void {
    const counts = this.#ofTarget.get(server) ?? { all: 0, byAccount: new Map<Account, number>() }
    counts.all += change
    const fromAddress = (counts.byAccount.get(client.account) ?? 0) + change
    if (fromAddress === 0) counts.byAccount.delete(client.account)
    else counts.byAccount.set(client.account, fromAddress)
    if (counts.all === 0) this.#ofTarget.delete(server)
    else this.#ofTarget.set(server, counts)
  }
}

interface TargetCounts {
  all: number
  readonly byAccount: Map<Account, number>
}

/** The end that `peer` is not. */
export function otherEnd(introduction: Introduction, peer: Peer): Peer {
  return peer === introduction.client ? introduction.server : introduction.client
}
