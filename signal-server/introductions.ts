import { siteOf } from '../core/ip.ts'
import type { Alarm, Alarms } from './alarms.ts'
import type { HubLimits } from './limits.ts'
import type { Peer } from './peer.ts'
import { Tally } from './tally.ts'

/** One dial through the hub, between a client and the server peer that it asked for. */
export interface Introduction {
  readonly id: string
  /** Undefined where it is a peer of another node. One of the two is of this. */
  readonly client: Peer | undefined
  readonly server: Peer | undefined
  /** The address that a target counts it for, undefined when it is exempt. */
  readonly source: string | undefined
  /** Absent when both ends are here. */
  readonly crossing: Crossing | undefined
  signalsOfClient: number
  signalsOfServer: number
  /** Whether a circuit was opened for it: there is one at most. */
  isRelayed: boolean
  expiry: Alarm | undefined
}

/** The half of an introduction that is on another node. */
export interface Crossing {
  /** Whom the client asked for. */
  readonly key: string
  /** When the client asked, or its node for it. */
  readonly askedAtMs: number
  /** Where the other end is, undefined while that is asked. */
  node: string | undefined
  /** The number that the node of the client gave the introduction; 0 while nobody else knows of it. */
  call: number
  /** Whether the server peer's node has taken it; until then the client has had no answer. */
  isAccepted: boolean
  /** What the client sent before it was known where to. */
  held: string[]
  /** When the client is answered whatever happens. */
  answer: Alarm | undefined
}

export type NewIntroduction = Pick<Introduction, 'id' | 'client' | 'server' | 'source' | 'crossing'>

/** The live introductions, and how many of them each address and each target has. */
export class Introductions {
  readonly #limits: HubLimits
  readonly #alarms: Alarms
  readonly #byId = new Map<string, Introduction>()
  readonly #byCall = new Map<string, Introduction>()
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

  /** The introduction with a peer of `node` that goes by this number, given by its side or by this one. */
  withCall(node: string, call: number, isTheirs: boolean): Introduction | undefined {
    const introduction = this.#byCall.get(callName(isTheirs ? node : '', call))
    return introduction?.crossing?.node === node ? introduction : undefined
  }

  /** Those that reach over to other nodes. */
  crossing(): Introduction[] {
    return [...this.#byId.values()].filter(({ crossing }) => crossing !== undefined)
  }

  /** Why one more from `client` is not taken now, undefined when it is. */
  busyClient({ account }: Peer): string | undefined {
    return !account.exempt && account.introductions >= this.#limits.introductionsPerAddress
      ? 'your address has as many introductions under way as it may'
      : undefined
  }

  /** Why one more to `server` is not taken now, undefined when it is. */
  busyServer(server: Peer, source: string | undefined): string | undefined {
    const limits = this.#limits
    const counts = this.#ofTarget.get(server)
    const from = (origin: string | undefined) => counts?.byOrigin.of(origin) ?? 0
    const isFull =
      (counts?.all ?? 0) >= limits.introductionsPerTarget ||
      from(source) >= limits.introductionsPerTargetAndAddress ||
      from(siteOf(source ?? '')) >= limits.introductionsPerTargetAndSite
    return isFull ? 'the peer has as many introductions under way as it may' : undefined
  }

  /** `onExpired` is called when nobody has ended it in time; it is for the caller to end it then. */
  add(
    ends: NewIntroduction,
    nowMs: number,
    onExpired: (introduction: Introduction, nowMs: number) => void,
  ): Introduction {
    const introduction: Introduction = {
      ...ends,
      signalsOfClient: 0,
      signalsOfServer: 0,
      isRelayed: false,
      expiry: undefined,
    }
    introduction.expiry = this.#alarms.set(nowMs + this.#limits.introductionMs, (laterMs) =>
      onExpired(introduction, laterMs),
    )
    this.#byId.set(ends.id, introduction)
    if (ends.crossing !== undefined && ends.crossing.call > 0) this.setCall(introduction, ends.crossing)
    for (const peer of localEnds(introduction)) peer.introductions.add(introduction)
    if (ends.client !== undefined) ends.client.account.introductions += 1
    this.#count(introduction, 1)
    return introduction
  }

  /** From now on the introduction goes by the number that its crossing has. */
  setCall(introduction: Introduction, crossing: Crossing): void {
    this.#byCall.set(callNameOf(introduction, crossing), introduction)
  }

  /** Counts a signal of one side; false when it has sent all it may. */
  countSignal(introduction: Introduction, isClient: boolean): boolean {
    const sent = isClient ? introduction.signalsOfClient : introduction.signalsOfServer
    if (sent >= this.#limits.signalsPerSide) return false
    if (isClient) introduction.signalsOfClient += 1
    else introduction.signalsOfServer += 1
    return true
  }

  remove(introduction: Introduction): void {
    if (!this.#byId.delete(introduction.id)) return
    const { client, crossing } = introduction
    introduction.expiry?.cancel()
    crossing?.answer?.cancel()
    if (crossing !== undefined) this.#byCall.delete(callNameOf(introduction, crossing))
    for (const peer of localEnds(introduction)) peer.introductions.delete(introduction)
    if (client !== undefined) client.account.introductions -= 1
    this.#count(introduction, -1)
  }

  #count({ server, source }: Introduction, change: 1 | -1): void {
    if (server === undefined) return
    const counts = this.#ofTarget.get(server) ?? { all: 0, byOrigin: new Tally() }
    counts.all += change
    for (const origin of [source, siteOf(source ?? '')]) counts.byOrigin.change(origin, change)
    if (counts.all === 0) this.#ofTarget.delete(server)
    else this.#ofTarget.set(server, counts)
  }
}

interface TargetCounts {
  all: number
  /** Addresses and sites. */
  readonly byOrigin: Tally
}

/** The end that `peer` is not, undefined when it is of another node. */
export function otherEnd(introduction: Introduction, peer: Peer): Peer | undefined {
  return peer === introduction.client ? introduction.server : introduction.client
}

/** The ends that are peers of this hub. */
export function localEnds({ client, server }: Introduction): Peer[] {
  return [client, server].filter((peer) => peer !== undefined)
}

/** The address that targets count a client for. */
export function sourceOf({ account }: Peer): string | undefined {
  return account.exempt ? undefined : account.source
}

/** Numbers of this node need no name before them. */
function callName(node: string, call: number): string {
  return `${node} ${call}`
}

function callNameOf({ client }: Introduction, { node, call }: Crossing): string {
  return callName(client === undefined ? (node ?? '') : '', call)
}
