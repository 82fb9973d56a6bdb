import { goneReason, type IceServer, lostReason, openReason } from '../core/hub-protocol.ts'
import type { Alarms } from './alarms.ts'
import { Crossings } from './cluster/crossings.ts'
import type { Neighbours } from './cluster/neighbours.ts'
import type { HubEffects } from './hub-effects.ts'
import type { HubObserver, IntroductionOutcome } from './hub-observer.ts'
import { type Introduction, Introductions, localEnds, otherEnd, sourceOf } from './introductions.ts'
import type { HubLimits } from './limits.ts'
import type { Peer } from './peer.ts'
import type { Peers } from './peers.ts'

export interface IntroducerOptions {
  /** The name of this node, undefined when there are no others. */
  node: string | undefined
  limits: HubLimits
  alarms: Alarms
  effects: HubEffects
  peers: Peers
  neighbours: Neighbours
  /** What a client is told once it is introduced. */
  iceServersFor: (peer: Peer, nowMs: number) => IceServer[]
  observer?: HubObserver | undefined
}

/** How an introduction ends. */
export interface End {
  reason: string
  /** @default what its peers say by their reason: open or closed */
  outcome?: IntroductionOutcome | undefined
  /** Who ended it, or can't be told any more. */
  by?: Peer | 'node' | undefined
  /** Instead of the reason, for a client that has had no answer yet. @default BUSY */
  refusal?: { code: 'PEER_NOT_FOUND' | 'ID_IN_USE' | 'BUSY'; message: string } | undefined
}

/** What is not sent to a peer for which too much waits. */
export type Withheld = 'incoming' | 'signal'

const lateRefusal = { code: 'BUSY', message: 'the peer could not be asked' } as const

/** Introduces clients to server peers and passes signals on; crossings.ts has what reaches over to other nodes. */
export class Introducer {
  readonly #options: IntroducerOptions
  readonly #introductions: Introductions
  readonly crossings: Crossings

  constructor(options: IntroducerOptions) {
    this.#options = options
    this.#introductions = new Introductions(options.limits, options.alarms)
    this.crossings = new Crossings({
      ...options,
      introductions: this.#introductions,
      finish: (introduction, end, nowMs) => this.finish(introduction, end, nowMs),
      introduceHere: (client, server, id, nowMs) => this.#introduceHere(client, server, id, nowMs),
      forward: (client, id, data, nowMs) => this.forward(client, id, data, nowMs),
    })
  }

  counts(): { introductions: number; targets: number } {
    return { introductions: this.#introductions.size, targets: this.#introductions.targets }
  }

  introduce(client: Peer, id: string, to: string, nowMs: number): void {
    const { effects, peers, neighbours } = this.#options
    const { newIntroductions, exempt } = client.account
    if (!exempt && !newIntroductions.take(1, nowMs)) {
      const retryAfterMs = newIntroductions.waitMs(1, nowMs)
      const message = 'your address asks for introductions too fast'
      return effects.refuse(client, 'RATE', { id, message, retryAfterMs })
    }
    if (this.#introductions.has(id)) {
      return effects.refuse(client, 'ID_IN_USE', { id, message: 'take 16 new random bytes' })
    }
    const server = peers.withKey(to)
    if (server !== undefined) return this.#introduceHere(client, server, id, nowMs)
    switch (neighbours.state) {
      case 'alone':
        return effects.refuse(client, 'PEER_NOT_FOUND', { id, message: 'no peer with this key is here now' })
      case 'lost':
        return this.#refuseBusy(client, id, 'only peers of this node can be reached now')
      case 'joined': {
        const busy = this.#busyFor(client)
        return busy === undefined
          ? this.crossings.start(client, id, to, nowMs)
          : this.#refuseBusy(client, id, busy)
      }
    }
  }

  /** `receivedAtMs` is when the signal came, which may be a while ago. */
  forward(peer: Peer, id: string, data: string, receivedAtMs: number): void {
    const { effects, limits } = this.#options
    const introduction = this.of(peer, id)
    if (introduction === undefined) return
    if (data.length > limits.dataCharacters) {
      const message = `data has at most ${limits.dataCharacters} characters`
      return effects.refuse(peer, 'INVALID', { id, message })
    }
    const { crossing } = introduction
    const hasRoom = crossing === undefined || this.crossings.hasRoom(crossing, data)
    if (!hasRoom || !this.#introductions.countSignal(introduction, peer === introduction.client)) {
      return effects.refuse(peer, 'QUOTA', { id, message: 'this side has sent as many signals as it may' })
    }
    const other = otherEnd(introduction, peer)
    if (other !== undefined) effects.send(other, { type: 'signal', id, data }, receivedAtMs)
    else if (crossing !== undefined) this.crossings.pass(introduction, crossing, data)
  }

  close(peer: Peer, id: string, reason: string, nowMs: number): void {
    const introduction = this.of(peer, id)
    if (introduction !== undefined) this.finish(introduction, { reason, by: peer }, nowMs)
  }

  /** `peer` did not get this, and none may be missing. Of what it has not heard of it is not told the end. */
  endLost(peer: Peer, { id, what }: { id: string; what: Withheld }, nowMs: number): void {
    const introduction = this.#introductions.of(peer, id)
    if (introduction === undefined) return
    this.finish(introduction, { reason: lostReason, by: what === 'incoming' ? peer : undefined }, nowMs)
  }

  /** The introduction, or undefined after telling `peer` what it would be told if there never was one. */
  of(peer: Peer, id: string): Introduction | undefined {
    const introduction = this.#introductions.of(peer, id)
    if (introduction === undefined) {
      this.#options.effects.refuse(peer, 'NO_INTRODUCTION', { id, message: 'there is no such introduction' })
    }
    return introduction
  }

  /** The other ends of all introductions of a peer that is gone are told. */
  endAllOf(peer: Peer, nowMs: number): void {
    for (const introduction of peer.introductions) {
      this.finish(introduction, { reason: goneReason, outcome: 'gone', by: peer }, nowMs)
    }
  }

  finish(introduction: Introduction, end: End, nowMs: number): void {
    const { reason, by, refusal = lateRefusal, outcome = reason === openReason ? 'open' : 'closed' } = end
    const { effects, peers, limits, observer } = this.#options
    const { id, client, crossing } = introduction
    this.#introductions.remove(introduction)
    // One that reaches over to another node is counted where its client is.
    if (client !== undefined && crossing?.isAccepted === false)
      observer?.crossingAnswered(by === client ? 'closed' : refusal.code, nowMs - crossing.askedAtMs)
    else if (client !== undefined) observer?.introductionEnded(outcome, crossing !== undefined)
    for (const peer of localEnds(introduction)) {
      if (peer === by) continue
      if (peer === client && crossing?.isAccepted === false) {
        const { code, message } = refusal
        const retryAfterMs = code === 'BUSY' ? limits.registerMs : undefined
        effects.refuse(peer, code, { id, message, retryAfterMs })
      } else effects.send(peer, { type: 'closed', id, reason })
    }
    for (const peer of localEnds(introduction)) peers.noteIntroductionEnded(peer, nowMs)
    if (crossing !== undefined)
      this.crossings.ended(introduction, crossing, by === 'node' ? undefined : reason)
  }

  #introduceHere(client: Peer, server: Peer, id: string, nowMs: number): void {
    const { effects, peers, iceServersFor, observer } = this.#options
    if (server === client) {
      return effects.refuse(client, 'INVALID', { id, message: 'a socket is not introduced to itself' })
    }
    const source = sourceOf(client)
    const busy = this.#busyFor(client) ?? this.#introductions.busyServer(server, source)
    if (busy !== undefined) return this.#refuseBusy(client, id, busy)
    const ends = { id, client, server, source, crossing: undefined }
    this.#introductions.add(ends, nowMs, (introduction, laterMs) =>
      this.finish(introduction, { reason: 'expired', outcome: 'expired' }, laterMs),
    )
    peers.noteIntroduced(client)
    observer?.introductionStarted()
    effects.send(client, { type: 'introduced', id, iceServers: iceServersFor(client, nowMs) })
    effects.send(server, { type: 'incoming', id })
  }

  #busyFor(client: Peer): string | undefined {
    return this.#options.peers.isFullFor(client)
      ? 'this hub has as many clients as it may'
      : this.#introductions.busyClient(client)
  }

  #refuseBusy(client: Peer, id: string, message: string): void {
    const { effects, limits } = this.#options
    effects.refuse(client, 'BUSY', { id, message, retryAfterMs: limits.registerMs })
  }
}
