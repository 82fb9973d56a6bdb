import { goneReason } from '../../core/hub-protocol.ts'
import type { Bytes } from '../../core/types.ts'
import type { End, IntroducerOptions } from '../introducer.ts'
import { type Crossing, type Introduction, type Introductions, sourceOf } from '../introductions.ts'
import type { Peer } from '../peer.ts'
import type { ClusterMessage, ClusterRequest } from './cluster-protocol.ts'

/** What a hub hears of its cluster. */
export type ClusterEvent =
  /** From now on other nodes can be reached, or can't. */
  | { kind: 'joined' | 'lost' }
  /** Who has a key that `locate` asked for; undefined: nobody. */
  | { kind: 'located'; key: string; node: string | undefined }
  /** It could not be found out. */
  | { kind: 'unlocated'; key: string }
  /** Another node has a newer proof of a key of this one. */
  | { kind: 'superseded'; key: string }
  /** The cluster keeps this record, newer than the one that was published here. */
  | { kind: 'outdated'; key: string; bytes: Bytes }
  | { kind: 'told'; message: ClusterMessage }
  /** A message did not go out; the node may be alive. */
  | { kind: 'untold'; node: string; message: ClusterRequest }
  /** Nobody listens to the node's channel any more. */
  | { kind: 'deaf'; node: string }

/** What the client's node is told about a circuit. */
export type RelayGrant = Omit<FromNode<'relay'>, 'type' | 'from' | 'call'>

type FromNode<T extends ClusterMessage['type']> = Extract<ClusterMessage, { type: T }>

export interface CrossingsOptions extends IntroducerOptions {
  introductions: Introductions
  finish: (introduction: Introduction, end: End, nowMs: number) => void
  introduceHere: (client: Peer, server: Peer, id: string, nowMs: number) => void
  forward: (client: Peer, id: string, data: string, nowMs: number) => void
}

/** A client waits this long to be told whether a peer of another node takes its introduction. */
const answerMs = 2_000

const notFound = { code: 'PEER_NOT_FOUND', message: 'no peer with this key is here now' } as const

/** Introductions between a peer of this node and one of another. */
export class Crossings {
  readonly #options: CrossingsOptions

  constructor(options: CrossingsOptions) {
    this.#options = options
  }

  /** A client asks for somebody who is not here. */
  start(client: Peer, id: string, key: string, nowMs: number): void {
    const { introductions, neighbours, alarms } = this.#options
    const crossing: Crossing = {
      key,
      askedAtMs: nowMs,
      node: undefined,
      call: 0,
      isAccepted: false,
      held: [],
      answer: undefined,
    }
    const source = sourceOf(client)
    const introduction = introductions.add(
      { id, client, server: undefined, source, crossing },
      nowMs,
      this.#onExpired,
    )
    crossing.answer = alarms.set(nowMs + answerMs, (laterMs) =>
      this.#finish(introduction, { reason: 'late' }, laterMs),
    )
    neighbours.seek(key, introduction)
  }

  /** Whether one more signal may wait: until a peer is found its client can have sent an offer, and little else. */
  hasRoom({ node, held }: Crossing, data: string): boolean {
    const heldCharacters = held.reduce((sum, { length }) => sum + length, 0)
    return node !== undefined || heldCharacters + data.length <= this.#options.limits.messageBytes
  }

  /** A signal of the end that is here. It has been counted. */
  pass(introduction: Introduction, crossing: Crossing, data: string): void {
    const { client, signalsOfClient, signalsOfServer } = introduction
    const { node, call, held } = crossing
    if (node === undefined) return void held.push(data)
    const n = (client === undefined ? signalsOfServer : signalsOfClient) - 1
    this.#options.neighbours.tell(node, { type: 'signal', call, ofClient: client !== undefined, n, data })
  }

  /** The circuit of an introduction whose client is at another node. */
  tellRelay({ crossing }: Introduction, grant: RelayGrant): void {
    const { node, call } = crossing ?? {}
    if (node !== undefined && call !== undefined)
      this.#options.neighbours.tell(node, { type: 'relay', call, ...grant })
  }

  /** The introduction is over here. Without a reason the other node is told nothing: it knows, or can't hear. */
  ended(introduction: Introduction, crossing: Crossing, reason: string | undefined): void {
    const { neighbours } = this.#options
    neighbours.detach(introduction, crossing)
    const { node, call } = crossing
    if (node === undefined || reason === undefined) return
    neighbours.tell(node, { type: 'end', call, ofClient: introduction.client !== undefined, reason })
  }

  handle(event: Exclude<ClusterEvent, { kind: 'outdated' }>, nowMs: number): void {
    const { neighbours, peers } = this.#options
    switch (event.kind) {
      case 'joined':
        neighbours.state = 'joined'
        return
      case 'lost':
        neighbours.state = 'lost'
        for (const introduction of this.#options.introductions.crossing()) {
          this.#finish(introduction, { reason: goneReason, outcome: 'gone', by: 'node' }, nowMs)
        }
        return
      case 'located':
        for (const introduction of neighbours.found(event.key)) this.#locate(introduction, event.node, nowMs)
        return
      case 'unlocated':
        for (const introduction of neighbours.found(event.key))
          this.#finish(introduction, { reason: 'unlocated' }, nowMs)
        return
      case 'superseded':
        return peers.replace(event.key, nowMs)
      case 'told':
        neighbours.heard(event.message.from, nowMs)
        return this.#obey(event.message, nowMs)
      case 'untold':
        return this.#untold(event.node, event.message, nowMs)
      case 'deaf':
        return this.endAllWith(event.node, nowMs)
    }
  }

  endAllWith(node: string, nowMs: number): void {
    for (const introduction of this.#options.neighbours.introductionsWith(node)) {
      this.#finish(
        introduction,
        { reason: goneReason, outcome: 'gone', by: 'node', refusal: notFound },
        nowMs,
      )
    }
  }

  /** Where the peer is, as far as the register knows. */
  #locate(introduction: Introduction, node: string | undefined, nowMs: number): void {
    const { neighbours, peers, introductions, introduceHere, forward } = this.#options
    const { id, client, crossing, source } = introduction
    if (client === undefined || crossing === undefined) return
    const server = peers.withKey(crossing.key)
    if (server !== undefined) {
      // It came here meanwhile.
      introductions.remove(introduction)
      introduceHere(client, server, id, nowMs)
      for (const data of crossing.held) forward(client, id, data, nowMs)
      return
    }
    const { key } = crossing
    if (node === undefined || node === this.#options.node) {
      return this.#finish(
        introduction,
        { reason: goneReason, outcome: 'gone', by: 'node', refusal: notFound },
        nowMs,
      )
    }
    crossing.node = node
    // Only now: a node takes numbers in rising order, and who asked first need not be located first.
    crossing.call = neighbours.nextCall()
    introductions.setCall(introduction, crossing)
    if (!neighbours.attach(introduction, crossing, nowMs))
      return this.#finish(introduction, { reason: 'full', by: 'node' }, nowMs)
    neighbours.tell(node, { type: 'introduce', call: crossing.call, id, key, source })
    for (const [n, data] of crossing.held.splice(0).entries()) {
      neighbours.tell(node, { type: 'signal', call: crossing.call, ofClient: true, n, data })
    }
  }

  #obey(message: ClusterMessage, nowMs: number): void {
    switch (message.type) {
      case 'introduce':
        return this.#introduce(message, nowMs)
      case 'accepted':
        return this.#accepted(message, nowMs)
      case 'refused':
        return this.#refused(message, nowMs)
      case 'signal':
        return this.#signal(message, nowMs)
      case 'relay':
        return this.#relay(message)
      case 'end': {
        const { from, call, ofClient, reason } = message
        const introduction = this.#options.introductions.withCall(from, call, ofClient)
        const outcome = reason === goneReason ? 'gone' : undefined
        if (introduction !== undefined) this.#finish(introduction, { reason, outcome, by: 'node' }, nowMs)
        return
      }
      case 'here':
      case 'look':
        return
    }
  }

  /** A client of another node wants to be introduced to a peer of this one. */
  #introduce({ from, call, id, key, source }: FromNode<'introduce'>, nowMs: number): void {
    const { neighbours, peers, introductions, effects } = this.#options
    if (!neighbours.isNewCall(from, call, nowMs)) return
    const refuse = (code: FromNode<'refused'>['code'], reason: string) =>
      neighbours.tell(from, { type: 'refused', call, code, reason })
    const server = peers.withKey(key)
    if (server === undefined) return refuse(notFound.code, notFound.message)
    if (introductions.has(id)) return refuse('ID_IN_USE', 'take 16 new random bytes')
    const busy = introductions.busyServer(server, source)
    if (busy !== undefined) return refuse('BUSY', busy)
    const crossing = {
      key,
      askedAtMs: nowMs,
      node: from,
      call,
      isAccepted: true,
      held: [],
      answer: undefined,
    }
    const introduction = introductions.add(
      { id, client: undefined, server, source, crossing },
      nowMs,
      this.#onExpired,
    )
    neighbours.attach(introduction, crossing, nowMs)
    neighbours.tell(from, { type: 'accepted', call })
    effects.send(server, { type: 'incoming', id })
  }

  #accepted({ from, call }: FromNode<'accepted'>, nowMs: number): void {
    const { introductions, peers, effects, iceServersFor, neighbours, observer } = this.#options
    const introduction = introductions.withCall(from, call, false)
    const { client, crossing } = introduction ?? {}
    if (introduction === undefined || client === undefined || crossing === undefined) {
      return neighbours.tell(from, { type: 'end', call, ofClient: true, reason: goneReason })
    }
    if (crossing.isAccepted) return
    if (peers.isFullFor(client)) return this.#finish(introduction, { reason: 'BUSY' }, nowMs)
    crossing.isAccepted = true
    crossing.answer?.cancel()
    peers.noteIntroduced(client)
    observer?.introductionStarted()
    observer?.crossingAnswered('introduced', nowMs - crossing.askedAtMs)
    const { id } = introduction
    effects.send(client, { type: 'introduced', id, iceServers: iceServersFor(client, nowMs) })
  }

  #refused({ from, call, code, reason }: FromNode<'refused'>, nowMs: number): void {
    const introduction = this.#options.introductions.withCall(from, call, false)
    if (introduction?.crossing?.isAccepted !== false) return
    this.#finish(introduction, { reason, by: 'node', refusal: { code, message: reason } }, nowMs)
  }

  #signal({ from, call, ofClient, n, data }: FromNode<'signal'>, nowMs: number): void {
    const { introductions, neighbours, effects, limits } = this.#options
    const introduction = introductions.withCall(from, call, ofClient)
    if (introduction === undefined) {
      // The other node has not heard that it is over.
      return neighbours.tell(from, { type: 'end', call, ofClient: !ofClient, reason: goneReason })
    }
    const { id, signalsOfClient, signalsOfServer, crossing } = introduction
    const expected = ofClient ? signalsOfClient : signalsOfServer
    if (n < expected) return
    const isFit = n === expected && crossing?.isAccepted === true && data.length <= limits.dataCharacters
    const peer = ofClient ? introduction.server : introduction.client
    if (peer === undefined || !isFit || !introductions.countSignal(introduction, ofClient)) {
      return this.#finish(introduction, { reason: 'lost' }, nowMs)
    }
    effects.send(peer, { type: 'signal', id, data })
  }

  #relay({ from, call, url, token, limits }: FromNode<'relay'>): void {
    const introduction = this.#options.introductions.withCall(from, call, false)
    const { client, crossing, isRelayed } = introduction ?? {}
    if (introduction === undefined || client === undefined || crossing?.isAccepted !== true) return
    if (isRelayed === true) return
    introduction.isRelayed = true
    this.#options.effects.send(client, { type: 'relay', id: introduction.id, url, token, limits })
  }

  #untold(node: string, message: ClusterRequest, nowMs: number): void {
    if (!('call' in message)) return
    const isTheirs =
      message.type === 'accepted' ||
      message.type === 'refused' ||
      ('ofClient' in message && !message.ofClient)
    const introduction = this.#options.introductions.withCall(node, message.call, isTheirs)
    if (introduction !== undefined) this.#finish(introduction, { reason: 'lost', by: 'node' }, nowMs)
  }

  readonly #onExpired = (introduction: Introduction, nowMs: number) =>
    this.#finish(introduction, { reason: 'expired', outcome: 'expired' }, nowMs)

  #finish(introduction: Introduction, end: End, nowMs: number): void {
    this.#options.finish(introduction, end, nowMs)
  }
}
