import { fromBase64Url, toBase64Url } from '../core/bytes.ts'
import { goneReason, type IceServer, openReason, type PeerMessage } from '../core/hub-protocol.ts'
import { relayPath } from '../core/relay-protocol.ts'
import { readRecord } from '../core/record.ts'
import type { Bytes } from '../core/types.ts'
import type { Alarms } from './alarms.ts'
import type { HubEffects } from './hub-effects.ts'
import { type Introduction, Introductions, otherEnd } from './introductions.ts'
import type { HubObserver, IntroductionOutcome } from './hub-observer.ts'
import type { HubLimits } from './limits.ts'
import type { Peer } from './peer.ts'
import type { Peers } from './peers.ts'
import { type ProofChecker, refuseProof } from './proof.ts'
import type { RecordStore } from './records.ts'
import type { RelayDesk } from './relay-events.ts'
import type { IceServers } from './turn.ts'

export interface RequestsOptions {
  limits: HubLimits
  alarms: Alarms
  effects: HubEffects
  peers: Peers
  hubNames: () => readonly string[]
  checkProof: ProofChecker
  records: RecordStore
  unixNowMs: () => number
  iceServers: IceServers
  relay?: RelayDesk | undefined
  observer?: HubObserver | undefined
}

type Register = Extract<PeerMessage, { type: 'register' }>

/** What peers ask of the hub: to be known by a key, to show its record, to be introduced, to pass a signal on. */
export class Requests {
  readonly #options: RequestsOptions
  readonly #introductions: Introductions

  constructor(options: RequestsOptions) {
    this.#options = options
    this.#introductions = new Introductions(options.limits, options.alarms)
  }

  counts(): { introductions: number; targets: number } {
    return { introductions: this.#introductions.size, targets: this.#introductions.targets }
  }

  /** It may have been received a while ago, and have waited for its turn. */
  obey(peer: Peer, message: PeerMessage, nowMs: number, receivedAtMs: number): void {
    switch (message.type) {
      case 'register':
        return this.#register(peer, message, nowMs)
      case 'record':
        return this.#publish(peer, message.record, nowMs)
      case 'introduce':
        return this.#introduce(peer, message.id, toBase64Url(message.to), nowMs)
      case 'signal':
        return this.#forward(peer, message.id, message.data, receivedAtMs)
      case 'relay':
        return this.#openRelay(peer, message.id, nowMs)
      case 'close':
        return this.#close(peer, message.id, message.reason, nowMs)
    }
  }

  /** The other ends of all introductions of a peer that is gone are told. */
  endAllOf(peer: Peer, nowMs: number): void {
    for (const introduction of peer.introductions) {
      this.#end(introduction, [otherEnd(introduction, peer)], goneReason, 'gone', nowMs)
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
    const { challenge } = peer
    peer.challenge = undefined
    if (challenge === undefined || challenge.untilMs <= nowMs) {
      const message = 'the challenge was used or has expired; connect again'
      return effects.refuse(peer, 'BAD_SIGNATURE', { message })
    }
    const names = { accepted: hubNames(), dialedAs: peer.dialedAs }
    const refusal = refuseProof(checkProof, { ...request, challenge: challenge.bytes }, names)
    if (refusal !== undefined) return effects.refuse(peer, refusal.code, { message: refusal.message })
    peers.register(peer, key, nowMs)
    this.#options.observer?.registered()
    effects.send(peer, { type: 'registered', iceServers: this.#iceServersFor(peer, nowMs) })
    if (request.record !== undefined) this.#publish(peer, request.record, nowMs)
  }

  /** What `peer` is told now. Who stays registered is told again, by itself, when that has served half its time. */
  #iceServersFor(peer: Peer, nowMs: number): IceServer[] {
    const { alarms, effects, observer } = this.#options
    const { iceServers, renewInMs } = this.#options.iceServers.forOwner(peer)
    if (renewInMs !== undefined) observer?.turnIssued()
    if (renewInMs !== undefined && peer.stage === 'registered') {
      peer.renewal?.cancel()
      peer.renewal = alarms.set(nowMs + renewInMs, (laterMs) =>
        effects.send(peer, { type: 'ice-servers', iceServers: this.#iceServersFor(peer, laterMs) }),
      )
    }
    return iceServers
  }

  /** A peer publishes for the key that it has proved, and for no other. */
  #publish(peer: Peer, bytes: Bytes, nowMs: number): void {
    const { effects, records, unixNowMs } = this.#options
    const key = peer.key === undefined ? null : fromBase64Url(peer.key)
    if (peer.key === undefined || key === null) {
      return effects.refuse(peer, 'RECORD_INVALID', { message: 'register the key first' })
    }
    if (!peer.records.take(1, nowMs)) {
      const retryAfterMs = peer.records.waitMs(1, nowMs)
      return effects.refuse(peer, 'RATE', { message: 'you publish too fast', retryAfterMs })
    }
    const read = readRecord(bytes, key, unixNowMs())
    if (read.kind === 'refused') return effects.refuse(peer, 'RECORD_INVALID', { message: read.why })
    const kept = records.put(peer.key, bytes, read.record, unixNowMs())
    if (kept.kind === 'kept') return
    const message = 'a newer record, or another with this sequence, is here'
    effects.refuse(peer, 'RECORD_STALE', { message, record: kept.stored })
  }

  #introduce(client: Peer, id: string, to: string, nowMs: number): void {
    const { effects, peers, limits } = this.#options
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
      this.#end(introduction, [client, server], 'expired', 'expired', laterMs),
    )
    peers.noteIntroduced(client)
    this.#options.observer?.introductionStarted()
    effects.send(client, { type: 'introduced', id, iceServers: this.#iceServersFor(client, nowMs) })
    effects.send(server, { type: 'incoming', id })
  }

  #forward(peer: Peer, id: string, data: string, receivedAtMs: number): void {
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
    effects.send(otherEnd(introduction, peer), { type: 'signal', id, data }, receivedAtMs)
  }

  /** The dialed peer asks, which is its consent; both are told where, each with a token of its own. */
  #openRelay(peer: Peer, id: string, nowMs: number): void {
    const introduction = this.#introductionOf(peer, id)
    if (introduction === undefined) return
    const { effects, relay } = this.#options
    const { client, server } = introduction
    if (peer !== server) {
      return effects.refuse(peer, 'INVALID', { id, message: 'only the dialed peer may ask for a relay' })
    }
    if (relay === undefined)
      return effects.refuse(peer, 'RELAY_OFF', { id, message: 'this hub does not relay' })
    if (introduction.isRelayed) {
      return effects.refuse(peer, 'INVALID', { id, message: 'an introduction has one relay' })
    }
    const answer = relay.open({ client: relayOwner(client), server: relayOwner(server) }, nowMs)
    if (answer.kind === 'refused') {
      return effects.refuse(peer, answer.code, { id, message: answer.message })
    }
    introduction.isRelayed = true
    const { tokens, limits } = answer
    const tell = (end: Peer, token: Bytes) =>
      effects.send(end, { type: 'relay', id, url: `${end.hubName}${relayPath}`, token, limits })
    tell(client, tokens.client)
    tell(server, tokens.server)
  }

  #close(peer: Peer, id: string, reason: string, nowMs: number): void {
    const introduction = this.#introductionOf(peer, id)
    if (introduction === undefined) return
    const outcome = reason === openReason ? 'open' : 'closed'
    this.#end(introduction, [otherEnd(introduction, peer)], reason, outcome, nowMs)
  }

  /** The introduction, or undefined after telling `peer` what it would be told if there never was one. */
  #introductionOf(peer: Peer, id: string): Introduction | undefined {
    const introduction = this.#introductions.of(peer, id)
    if (introduction === undefined) {
      this.#options.effects.refuse(peer, 'NO_INTRODUCTION', { id, message: 'there is no such introduction' })
    }
    return introduction
  }

  #end(
    introduction: Introduction,
    told: readonly Peer[],
    reason: string,
    outcome: IntroductionOutcome,
    nowMs: number,
  ): void {
    const { effects, peers, observer } = this.#options
    observer?.introductionEnded(outcome)
    const { id, client, server } = introduction
    this.#introductions.remove(introduction)
    for (const peer of told) effects.send(peer, { type: 'closed', id, reason })
    for (const peer of [client, server]) peers.noteIntroductionEnded(peer, nowMs)
  }
}

/** Whose use of the relay it is: that of a key, or of an address that is limited. */
function relayOwner({ key, account }: Peer): string | undefined {
  return key ?? (account.exempt ? undefined : account.source)
}
