import { expect } from 'vitest'
import { toBase64Url } from '../../core/bytes.ts'
import { Announcements } from '../../signal-server/cluster/announcements.ts'
import { type Claimed, shards } from '../../signal-server/cluster/cluster.ts'
import type { ClusterEvent } from '../../signal-server/cluster/crossings.ts'
import { decodeClusterMessage, encodeClusterMessage } from '../../signal-server/cluster/cluster-protocol.ts'
import { Register } from '../../signal-server/cluster/register.ts'
import { IceServers } from '../../signal-server/turn.ts'
import type { ClusterEffect, SocketEffect } from '../../signal-server/hub-effects.ts'
import { HubRig } from './hub-rig.ts'

/** What the bus does with the next thing that is said: gives it, loses it, gives it twice; and when. */
export interface Fate {
  delayMs: number
  copies: 0 | 1 | 2
}

const lifeMs = 60_000
export const claimMs = 20_000
export const nodes = 3

/** What the peers of a hub were told, and what they did that is answered by nothing. */
export type Heard =
  | SocketEffect
  | { kind: 'asked' | 'ended'; socket: number; id: string }
  | { kind: 'left'; socket: number }

/** What is said on the bus: to the register, which answers, or to a node. */
interface Letter {
  readonly atMs: number
  readonly order: number
  readonly open: () => void
}

/** Hubs with one register and a bus that is not to be relied on; time passes only where the test says so. */
export class ClusterRig {
  /** Epochs begin at 1. */
  nowMs = 1_000_000
  readonly register = new Register()
  readonly members: RigNode[]
  readonly #letters: Letter[] = []
  #order = 0
  #fate = 0
  fates: Fate[] = []

  constructor() {
    this.members = Array.from(
      { length: nodes },
      (_, index) => new RigNode(this, toBase64Url(new Uint8Array(16).fill(index))),
    )
  }

  /** Sooner or later, never or twice. Letters of one node to another may overtake each other. */
  post(open: () => void, onLost: () => void = () => {}): void {
    const { delayMs, copies } = this.fates[(this.#fate += 1) % this.fates.length] ?? { delayMs: 1, copies: 1 }
    if (copies === 0) this.#put(delayMs + 2_000, onLost)
    for (let copy = 0; copy < copies; copy += 1) this.#put(delayMs * (copy + 1), open)
  }

  /** Everything that is due in the meantime happens in its order. */
  advance(ms: number): void {
    const untilMs = this.nowMs + ms
    for (;;) {
      const letter = this.#letters.toSorted((a, b) => a.atMs - b.atMs || a.order - b.order)[0]
      const hubAtMs = Math.min(...this.members.map(({ nextAtMs }) => nextAtMs))
      const atMs = Math.min(letter?.atMs ?? Infinity, hubAtMs)
      if (atMs > untilMs) break
      this.nowMs = Math.max(this.nowMs, atMs)
      if (letter !== undefined && letter.atMs <= atMs) {
        this.#letters.splice(this.#letters.indexOf(letter), 1)
        letter.open()
      } else for (const member of this.members) member.advance()
    }
    this.nowMs = untilMs
    for (const member of this.members) member.advance()
  }

  #put(delayMs: number, open: () => void): void {
    this.#letters.push({ atMs: this.nowMs + delayMs, order: (this.#order += 1), open })
  }
}

/** One hub with its announcements, as cluster-node.ts keeps them. */
export class RigNode {
  readonly name: string
  readonly #cluster: ClusterRig
  readonly announcements = new Announcements()
  readonly rig: HubRig
  isDead = false
  #isJoined = false
  #isAsking = false
  #renewAtMs = claimMs
  readonly heard: Heard[] = []
  /** The last introduction that each socket knows of, and how many signals it has sent in it. */
  readonly knows = new Map<number, { id: string; signals: number }>()

  constructor(cluster: ClusterRig, name: string) {
    this.name = name
    this.#cluster = cluster
    this.rig = new HubRig(
      { introductionsPerSecondPerAddress: 1000, introductionsBurstPerAddress: 1000 },
      false,
      new IceServers(),
      name,
    )
    this.rig.onClusterEffect = (effect) => queueMicrotaskLike(() => this.#do(effect))
    this.rig.onEffect = (effect) => this.#hear(effect)
    const pending: (() => void)[] = []
    const queueMicrotaskLike = (work: () => void) => pending.push(work)
    this.flush = () => {
      for (let work = pending.shift(); work !== undefined; work = pending.shift()) work()
    }
    this.hear({ kind: 'joined' })
    this.#isJoined = true
  }

  readonly flush: () => void

  get nextAtMs(): number {
    return this.isDead ? Infinity : Math.min(this.rig.hub.nextAtMs ?? Infinity, this.#renewAtMs)
  }

  /** Does what the hub wants, after the hub has said all of it. */
  act(work: () => void): void {
    if (this.isDead) return
    this.rig.nowMs = this.#cluster.nowMs
    work()
    this.flush()
    this.#ask()
  }

  hear(event: ClusterEvent): void {
    this.act(() => this.rig.handle({ kind: 'cluster', event }))
  }

  advance(): void {
    this.act(() => {
      this.rig.handle({ kind: 'time' })
      if (this.#renewAtMs > this.#cluster.nowMs) return
      this.#renewAtMs = this.#cluster.nowMs + claimMs
      for (let shard = 0; shard < shards; shard += 1) this.announcements.renew(shard)
    })
  }

  /** `socket` has asked for an introduction, or has heard of one. */
  note(socket: number, id: string): void {
    this.knows.set(socket, { id, signals: 0 })
  }

  #hear(effect: SocketEffect): void {
    this.heard.push(effect)
    if (effect.kind === 'send' && effect.message.type === 'incoming')
      this.note(effect.socket, effect.message.id)
  }

  lose(): void {
    this.#isJoined = false
    this.hear({ kind: 'lost' })
  }

  find(): void {
    if (this.#isJoined) return
    this.#isJoined = true
    this.announcements.renewAll()
    this.hear({ kind: 'joined' })
  }

  #do(effect: ClusterEffect): void {
    const cluster = this.#cluster
    switch (effect.kind) {
      case 'announce':
        return this.announcements.announce(effect.key, cluster.nowMs)
      case 'withdraw':
        return this.announcements.withdraw(effect.key)
      case 'share':
        // Nobody publishes here; cluster.test.ts has records.
        return undefined
      case 'locate': {
        const { key } = effect
        const answer = () =>
          this.hear({ kind: 'located', key, node: cluster.register.locate(key, cluster.nowMs) })
        return cluster.post(this.#isJoined ? answer : () => {}, () => this.hear({ kind: 'unlocated', key }))
      }
      case 'tell': {
        const { node, message } = effect
        // As bytes, as on the real bus.
        const text = encodeClusterMessage(this.name, message)
        if (!this.#isJoined) return cluster.post(() => this.hear({ kind: 'untold', node, message }))
        const told = cluster.members.find(({ name, isDead }) => name === node && !isDead)
        if (told === undefined) return cluster.post(() => this.hear({ kind: 'deaf', node }))
        return cluster.post(() => told.receive(text))
      }
    }
  }

  receive(text: string): void {
    const message = decodeClusterMessage(text)
    if (message === undefined || !this.#isJoined) return
    if (message.type !== 'look') return this.hear({ kind: 'told', message })
    this.act(() => this.announcements.look(message.key))
  }

  /** One batch at a time. Whether it was heard is not known when no answer comes. */
  #ask(): void {
    const cluster = this.#cluster
    if (this.#isAsking || !this.#isJoined) return
    const batch = this.announcements.take(cluster.nowMs)
    if (batch === undefined) return
    this.#isAsking = true
    // An answer that comes twice, or after the deadline, is none to what was asked next.
    let isOver = false
    const end = (settle: () => void) => () => {
      if (isOver) return
      isOver = true
      this.#isAsking = false
      settle()
      this.act(() => {})
    }
    const fail = end(() => this.announcements.fail(batch))
    const answer = (claimed: Claimed[]) =>
      end(() => {
        const { lost, beaten } = this.announcements.settle(claimed)
        for (const key of lost) this.hear({ kind: 'superseded', key })
        for (const { node } of beaten) expect(node).not.toBe(this.name)
      })
    let isHeard = false
    cluster.post(() => {
      // Asked once only: the connection is a stream.
      if (isHeard) return
      isHeard = true
      for (const key of batch.releases) cluster.register.release(this.name, key, cluster.nowMs)
      const claimed = batch.claims.map((claim) =>
        cluster.register.claim(this.name, claim, lifeMs, cluster.nowMs),
      )
      cluster.post(answer(claimed), fail)
    }, fail)
  }

  kill(): void {
    this.isDead = true
  }
}
