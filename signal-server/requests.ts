import { toBase64Url } from '../core/bytes.ts'
import { goneReason, type IceServer, type PeerMessage } from '../core/hub-protocol.ts'
import { Admission } from './admission.ts'
import type { Alarms } from './alarms.ts'
import type { HubEffects } from './hub-effects.ts'
import { type Introduction, Introductions, otherEnd } from './introductions.ts'
import type { HubLimits } from './limits.ts'
import type { Peer } from './peer.ts'
import type { Peers } from './peers.ts'
import { type ProofChecker, refuseProof } from './proof.ts'

export interface RequestsOptions {
  limits: HubLimits
  alarms: Alarms
  effects: HubEffects
  peers: Peers
  hubNames: () => readonly string[]
  checkProof: ProofChecker
  iceServers: () => IceServer[]
}

type Register = Extract<PeerMessage, { type: 'register' }>

/** What peers ask of the hub: to be known by a key, to be introduced, to pass a signal on. */
export class Requests {
  readonly #options: RequestsOptions
  readonly #introductions: Introductions
  readonly #admission: Admission

  constructor(options: RequestsOptions) {
    this.#options = options
    this.#admission = new Admission(options.limits)
    this.#introductions = new Introductions(options.limits, options.alarms)
  }

  counts(): { introductions: number; targets: number } {
    return { introductions: this.#introductions.size, targets: this.#introductions.targets }
  }

  obey(peer: Peer, message: PeerMessage, nowMs: number): void {
    switch (message.type) {
      case 'register':
        return this.#register(peer, message, nowMs)
      case 'record':
        return this.#refuseRecord(peer)
      case 'introduce':
        return this.#introduce(peer, message.id, toBase64Url(message.to), nowMs)
      case 'signal':
        return this.#forward(peer, message.id, message.data)
      case 'relay':
        return this.#refuseRelay(peer, message.id)
      case 'close':
        return this.#close(peer, message.id, message.reason, nowMs)
    }
  }

  /** The other ends of all introductions of a peer that is gone are told. */
  endAllOf(peer: Peer, nowMs: number): void {
    for (const introduction of peer.introductions) {
      this.#end(introduction, [otherEnd(introduction, peer)], goneReason, nowMs)
    }
  }

  #register(peer: Peer, request: Register, nowMs: number): void {
    const { effects, peers, limits, hubNames, checkProof } = this.#options
    if (peer.stage === 'registered') {
      return effects.refuse(peer, 'INVALID', { message: 'this socket is registered already' })
    }
    const key = toBase64Url(request.key)
    // Caps come before the signature: checking one is the most expensive thing that a stranger can ask for.
    if (peers.withKey(key) === undefined && peers.counts().registered >= limits.registeredPeers) {
      const message = 'this hub has as many peers as it may'
      return effects.refuse(peer, 'BUSY', { message, retryAfterMs: limits.registerMs })
    }
    const turnInMs = this.#admission.turnInMs(nowMs)
    if (turnInMs > 0) return peers.sendAway(peer, turnInMs, 'too many register at once', nowMs)
    const { challenge } = peer
    peer.challenge = undefined
    if (challenge === undefined || challenge.untilMs <= nowMs) {
      const message = 'the challenge was used or has expired; connect again'
      return effects.refuse(peer, 'BAD_SIGNATURE', { message })
    }
    const names = { accepted: hubNames(), dialedAs: challenge.dialedAs }
    const refusal = refuseProof(checkProof, { ...request, challenge: challenge.bytes }, names)
    if (refusal !== undefined) return effects.refuse(peer, refusal.code, { message: refusal.message })
    peers.register(peer, key, nowMs)
    effects.send(peer, { type: 'registered', iceServers: this.#options.iceServers() })
    if (request.record !== undefined) this.#refuseRecord(peer)
  }

  #refuseRecord(peer: Peer): void {
    this.#options.effects.refuse(peer, 'RECORD_INVALID', { message: 'this hub keeps no records' })
  }

  #introduce(client: Peer, id: string, to: string, nowMs: number): void {
    const { effects, peers, limits, iceServers } = this.#options
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
    if (server === undefined) {
      return effects.refuse(client, 'PEER_NOT_FOUND', { id, message: 'no peer with this key is here now' })
    }
    if (server === client) {
      return effects.refuse(client, 'INVALID', { id, message: 'a socket is not introduced to itself' })
    }
    const isFull = client.stage === 'new' && peers.counts().anonymous >= limits.anonymousPeers
    const busy = isFull ? 'this hub has as many clients as it may' : this.#introductions.busy(client, server)
    if (busy !== undefined) {
      return effects.refuse(client, 'BUSY', { id, message: busy, retryAfterMs: limits.registerMs })
    }
    this.#introductions.add(id, client, server, nowMs, (introduction, laterMs) =>
      this.#end(introduction, [client, server], 'expired', laterMs),
    )
    peers.noteIntroduced(client)
    effects.send(client, { type: 'introduced', id, iceServers: iceServers() })
    effects.send(server, { type: 'incoming', id })
  }

  #forward(peer: Peer, id: string, data: string): void {
    const { effects, limits } = this.#options
    const introduction = this.#introductionOf(peer, id)
    if (introduction === undefined) return
    if (data.length > limits.dataCharacters) {
      return effects.refuse(peer, 'INVALID', {
        id,
        message: `data has at most ${limits.dataCharacters} characters`,
      })
    }
    if (!this.#introductions.countSignal(introduction, peer)) {
      return effects.refuse(peer, 'QUOTA', { id, message: 'this side has sent as many signals as it may' })
    }
    effects.send(otherEnd(introduction, peer), { type: 'signal', id, data })
  }

  #refuseRelay(peer: Peer, id: string): void {
    const introduction = this.#introductionOf(peer, id)
    if (introduction === undefined) return
    const { effects } = this.#options
    if (introduction.server === peer)
      effects.refuse(peer, 'RELAY_OFF', { id, message: 'this hub does not relay' })
    else effects.refuse(peer, 'INVALID', { id, message: 'only the dialed peer may ask for a relay' })
  }

  #close(peer: Peer, id: string, reason: string, nowMs: number): void {
    const introduction = this.#introductionOf(peer, id)
    if (introduction !== undefined) this.#end(introduction, [otherEnd(introduction, peer)], reason, nowMs)
  }

  /** The introduction, or undefined after telling `peer` what it would be told if there never was one. */
  #introductionOf(peer: Peer, id: string): Introduction | undefined {
    const introduction = this.#introductions.of(peer, id)
    if (introduction === undefined) {
      this.#options.effects.refuse(peer, 'NO_INTRODUCTION', { id, message: 'there is no such introduction' })
    }
    return introduction
  }

  #end(introduction: Introduction, told: readonly Peer[], reason: string, nowMs: number): void {
    const { effects, peers } = this.#options
    const { id, client, server } = introduction
    this.#introductions.remove(introduction)
    for (const peer of told) effects.send(peer, { type: 'closed', id, reason })
    for (const peer of [client, server]) peers.noteIntroductionEnded(peer, nowMs)
  }
}
