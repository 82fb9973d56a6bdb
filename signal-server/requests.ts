import { fromBase64Url, toBase64Url } from '../core/bytes.ts'
import type { IceServer, PeerMessage } from '../core/hub-protocol.ts'
import { relayPath } from '../core/relay-protocol.ts'
import { readRecord } from '../core/record.ts'
import type { Bytes } from '../core/types.ts'
import { Admission } from './admission.ts'
import type { Neighbours } from './cluster/neighbours.ts'
import type { HubEffects } from './hub-effects.ts'
import type { HubObserver } from './hub-observer.ts'
import type { Introducer } from './introducer.ts'
import { sourceOf } from './introductions.ts'
import type { HubLimits } from './limits.ts'
import type { Peer } from './peer.ts'
import type { Peers } from './peers.ts'
import { type ProofChecker, refuseProof } from './proof.ts'
import type { RecordStore } from './records.ts'
import type { RelayDesk, RelayOwner } from './relay-events.ts'

export interface RequestsOptions {
  limits: HubLimits
  effects: HubEffects
  peers: Peers
  introducer: Introducer
  neighbours: Neighbours
  hubNames: () => readonly string[]
  checkProof: ProofChecker
  records: RecordStore
  unixNowMs: () => number
  iceServersFor: (peer: Peer, nowMs: number) => IceServer[]
  relay?: RelayDesk | undefined
  /** The URL of this node, where there are others of its name. */
  nodeUrl?: string | undefined
  observer?: HubObserver | undefined
}

type Register = Extract<PeerMessage, { type: 'register' }>

/** What peers ask of the hub: to be known by a key, to show its record, and what the introducer does for them. */
export class Requests {
  readonly #options: RequestsOptions
  readonly #admission: Admission

  constructor(options: RequestsOptions) {
    this.#options = options
    this.#admission = new Admission(options.limits)
  }

  /** It may have been received a while ago, and have waited for its turn. */
  obey(peer: Peer, message: PeerMessage, nowMs: number, receivedAtMs: number): void {
    switch (message.type) {
      case 'register':
        return this.#register(peer, message, nowMs)
      case 'record':
        return this.#publish(peer, message.record, nowMs)
      case 'introduce':
        return this.#options.introducer.introduce(peer, message.id, toBase64Url(message.to), nowMs)
      case 'signal':
        return this.#options.introducer.forward(peer, message.id, message.data, receivedAtMs)
      case 'relay':
        return this.#openRelay(peer, message.id, nowMs)
      case 'close':
        return this.#options.introducer.close(peer, message.id, message.reason, nowMs)
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
    // Behind the challenge: a turn costs a socket of its own, or one address could take those of all others.
    const turnInMs = this.#admission.turnInMs(nowMs)
    if (turnInMs > 0) return peers.sendAway(peer, turnInMs, 'too many register at once', nowMs)
    const names = { accepted: hubNames(), dialedAs: challenge.dialedAs }
    const refusal = refuseProof(checkProof, { ...request, challenge: challenge.bytes }, names)
    if (refusal !== undefined) return effects.refuse(peer, refusal.code, { message: refusal.message })
    peers.register(peer, key, nowMs)
    this.#options.observer?.registered()
    effects.send(peer, { type: 'registered', iceServers: this.#options.iceServersFor(peer, nowMs) })
    if (request.record !== undefined) this.#publish(peer, request.record, nowMs)
  }

  /** A peer publishes for the key that it has proved, and for no other. */
  #publish(peer: Peer, bytes: Bytes, nowMs: number): void {
    const { effects, records, neighbours, unixNowMs } = this.#options
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
    if (kept.kind === 'kept') return neighbours.share({ key: peer.key, bytes, record: read.record })
    this.#refuseStale(peer, kept.stored)
  }

  /** Another hub of the cluster had a newer record than the one of `key` here, whose peer was told nothing yet. */
  learn(key: string, bytes: Bytes): void {
    const { peers, records, unixNowMs } = this.#options
    const read = readRecord(bytes, fromBase64Url(key) ?? new Uint8Array(), unixNowMs())
    if (read.kind === 'refused') return
    records.put(key, bytes, read.record, unixNowMs())
    const peer = peers.withKey(key)
    // Of two with the same sequence each node keeps its own, until their publisher goes above both.
    const isNewer = (records.newest(key, unixNowMs())?.record.sequence ?? 0) > read.record.sequence
    if (peer !== undefined && !isNewer) this.#refuseStale(peer, bytes)
  }

  #refuseStale(peer: Peer, record: Bytes): void {
    const message = 'a newer record, or another with this sequence, is here'
    this.#options.effects.refuse(peer, 'RECORD_STALE', { message, record })
  }

  /** The dialed peer asks, which is its consent; both are told where, each with a token of its own. */
  #openRelay(peer: Peer, id: string, nowMs: number): void {
    const { effects, introducer, relay } = this.#options
    const introduction = introducer.of(peer, id)
    if (introduction === undefined) return
    const { client, server, source, isRelayed } = introduction
    if (peer !== server) {
      return effects.refuse(peer, 'INVALID', { id, message: 'only the dialed peer may ask for a relay' })
    }
    if (relay === undefined) {
      return effects.refuse(peer, 'RELAY_OFF', { id, message: 'this hub does not relay' })
    }
    if (isRelayed) return effects.refuse(peer, 'INVALID', { id, message: 'an introduction has one relay' })
    const owners = {
      // Of a client of another node nothing is known but its address.
      client: client === undefined ? { peer: source, address: source } : relayOwner(client),
      server: relayOwner(server),
    }
    const answer = relay.open(owners, nowMs)
    if (answer.kind === 'refused') {
      return effects.refuse(peer, answer.code, { id, message: answer.message })
    }
    introduction.isRelayed = true
    const { tokens, limits } = answer
    // A circuit is at one node: where others bear the same name, it goes by that of its own.
    const urlFor = ({ hubName }: Peer) => `${this.#options.nodeUrl ?? hubName}${relayPath}`
    const grant = { url: urlFor(client ?? server), token: tokens.client, limits }
    if (client === undefined) introducer.crossings.tellRelay(introduction, grant)
    else effects.send(client, { type: 'relay', id, ...grant })
    effects.send(server, { type: 'relay', id, url: urlFor(server), token: tokens.server, limits })
  }
}

/** Whose use of the relay it is: that of its key, and of its address if that is limited. */
function relayOwner(peer: Peer): RelayOwner {
  const address = sourceOf(peer)
  return { peer: peer.key ?? address, address }
}
