import type { Alarms } from '../alarms.ts'
import type { HubEffects } from '../hub-effects.ts'
import type { Crossing, Introduction } from '../introductions.ts'
import type { ClusterRequest } from './cluster-protocol.ts'
import type { SharedRecord } from './sharing.ts'

/** How often a node with introductions to another says that it is there. */
const hereMs = 5_000
/** Two of these may be lost before a node is taken for dead. */
const silentMs = 15_000
/** A node without introductions is forgotten after this; an old message of it can't be under way any more. */
const forgetMs = 120_000
/** More nodes than anybody runs: who writes to the bus must not fill the memory of a hub. */
const maxNodes = 1_024

/** `alone`: not of a cluster. `lost`: of one that can't be reached now. */
export const clusterStates = ['alone', 'lost', 'joined'] as const
export type ClusterState = (typeof clusterStates)[number]

interface Neighbour {
  readonly node: string
  readonly introductions: Set<Introduction>
  heardAtMs: number
  /** The highest number of an introduction that it has asked for: lower ones came twice, or too late. */
  lastCall: number
}

export interface NeighboursOptions {
  /** The name of this node, undefined when there are no others. */
  node: string | undefined
  alarms: Alarms
  effects: HubEffects
  /** A node is taken for dead, with its introductions still there. */
  onSilent: (node: string, nowMs: number) => void
}

/** What a hub knows of the other nodes: which introductions reach over to which, and whom it is looking for. */
export class Neighbours {
  readonly #options: NeighboursOptions
  readonly #byNode = new Map<string, Neighbour>()
  readonly #sought = new Map<string, Set<Introduction>>()
  state: ClusterState
  #lastCall = 0

  constructor(options: NeighboursOptions) {
    this.#options = options
    this.state = options.node === undefined ? 'alone' : 'lost'
  }

  /** How many nodes there are introductions with, and how many keys are looked for. */
  counts(): { neighbours: number; sought: number } {
    const busy = [...this.#byNode.values()].filter(({ introductions }) => introductions.size > 0)
    return { neighbours: busy.length, sought: this.#sought.size }
  }

  /** A number for an introduction that a client of this node asks for. */
  nextCall(): number {
    return (this.#lastCall += 1)
  }

  announce(key: string): void {
    if (this.state !== 'alone') this.#options.effects.add({ kind: 'announce', key })
  }

  withdraw(key: string): void {
    if (this.state !== 'alone') this.#options.effects.add({ kind: 'withdraw', key })
  }

  share(shared: SharedRecord): void {
    if (this.state !== 'alone') this.#options.effects.add({ kind: 'share', shared })
  }

  tell(node: string, message: ClusterRequest): void {
    this.#options.effects.add({ kind: 'tell', node, message })
  }

  /** However many look for one key at the same time, the register is asked once. */
  seek(key: string, introduction: Introduction): void {
    const seekers = this.#sought.get(key)
    if (seekers !== undefined) return void seekers.add(introduction)
    this.#sought.set(key, new Set([introduction]))
    this.#options.effects.add({ kind: 'locate', key })
  }

  /** Those who looked for `key`; nobody does any more. */
  found(key: string): Introduction[] {
    const seekers = [...(this.#sought.get(key) ?? [])]
    this.#sought.delete(key)
    return seekers
  }

  /** From now on `introduction` stands and falls with its node. False when there is no room to know that node. */
  attach(introduction: Introduction, { node }: Crossing, nowMs: number): boolean {
    const neighbour = node === undefined ? undefined : this.#meet(node, nowMs)
    if (neighbour === undefined) return false
    if (neighbour.introductions.size === 0) neighbour.heardAtMs = nowMs
    neighbour.introductions.add(introduction)
    return true
  }

  detach(introduction: Introduction, { node, key }: Crossing): void {
    if (node !== undefined) return void this.#byNode.get(node)?.introductions.delete(introduction)
    const seekers = this.#sought.get(key)
    seekers?.delete(introduction)
    // The answer will come all the same; should somebody look for the key until then, it is theirs.
    if (seekers?.size === 0) this.#sought.delete(key)
  }

  introductionsWith(node: string): Introduction[] {
    return [...(this.#byNode.get(node)?.introductions ?? [])]
  }

  heard(node: string, nowMs: number): void {
    const neighbour = this.#byNode.get(node)
    if (neighbour !== undefined) neighbour.heardAtMs = nowMs
  }

  /** Whether `node` asks for this introduction for the first time. */
  isNewCall(node: string, call: number, nowMs: number): boolean {
    const neighbour = this.#meet(node, nowMs)
    if (neighbour === undefined || call <= neighbour.lastCall) return false
    neighbour.lastCall = call
    return true
  }

  #meet(node: string, nowMs: number): Neighbour | undefined {
    const known = this.#byNode.get(node)
    if (known !== undefined || this.#byNode.size >= maxNodes) return known
    const neighbour = { node, introductions: new Set<Introduction>(), heardAtMs: nowMs, lastCall: 0 }
    this.#byNode.set(node, neighbour)
    this.#watch(neighbour, nowMs)
    return neighbour
  }

  #watch(neighbour: Neighbour, nowMs: number): void {
    this.#options.alarms.set(nowMs + hereMs, (laterMs) => {
      const { node, introductions, heardAtMs } = neighbour
      const silenceMs = laterMs - heardAtMs
      if (introductions.size > 0 && silenceMs >= silentMs) this.#options.onSilent(node, laterMs)
      else if (introductions.size > 0) this.tell(node, { type: 'here' })
      if (introductions.size === 0 && silenceMs >= forgetMs) this.#byNode.delete(node)
      else this.#watch(neighbour, laterMs)
    })
  }
}
