/**
 * The registry of a hub as a state machine: events in, messages and closes out. It has no sockets and no
 * clock; whoever owns those tells it what happened and when, and does what it answers, in order.
 *
 *   peers.ts          who is there, how they come in and when they have to go
 *   intake.ts         what they sent and how fast it is obeyed
 *   requests.ts       what they ask for
 *   introducer.ts     how they are introduced     introductions.ts  who may signal whom
 *   cluster/          the same with other hubs; cluster.ts explains it
 *   records.ts        what they have published
 */
import { decodePeerMessage, hubCloseCodes, type IceServer } from '../core/hub-protocol.ts'
import { Alarms } from './alarms.ts'
import type { ClusterEvent } from './cluster/crossings.ts'
import { type ClusterState, Neighbours } from './cluster/neighbours.ts'
import { type HubEffect, HubEffects } from './hub-effects.ts'
import { Introducer, type Withheld } from './introducer.ts'
import type { HubObserver } from './hub-observer.ts'
import type { HubLimits } from './limits.ts'
import type { Peer, SocketId } from './peer.ts'
import { type Guest, Peers, type Refusal } from './peers.ts'
import type { ProofChecker } from './proof.ts'
import { Records } from './records.ts'
import type { RelayDesk } from './relay-events.ts'
import { Requests } from './requests.ts'
import type { IceServers } from './turn.ts'

export type { HubEffect } from './hub-effects.ts'
export type { Withheld } from './introducer.ts'

export interface HubOptions {
  limits: HubLimits
  /** The names that a registration may be signed for; asked each time, a port may be known only later. */
  hubNames: () => readonly string[]
  checkProof: ProofChecker
  /** That many bytes which nobody can guess. */
  randomBytes: (length: number) => Uint8Array
  /** With a clock of its own: TURN credentials end at a time of day. */
  iceServers: IceServers
  exemptLoopback: boolean
  /** Where circuits are to be had. @default none: peers are told that this hub does not relay */
  relay?: RelayDesk | undefined
  /** The URL of this node, where there are others of its name: circuits are found under it. */
  nodeUrl?: string | undefined
  /** Unix time, which records are dated with; everything else goes by the time of `handle`. */
  unixNowMs: () => number
  /** The name of this hub in its cluster; without one it is alone, and has no effects and events of a cluster. */
  node?: string | undefined
  observer?: HubObserver | undefined
}

export type HubEvent =
  /** `acceptedAtMs` is when the TCP connection came, which the deadline counts from. Ask `refusal` first. */
  | { kind: 'connected'; socket: SocketId; source: string; acceptedAtMs: number; dialedAs: readonly string[] }
  | SocketEvent
  | { kind: 'cluster'; event: ClusterEvent }
  /** What `nextAtMs` announced is due, or may be. */
  | { kind: 'time' }
  /** Everyone is sent away, a little apart from each other. */
  | { kind: 'drain' }

type SocketEvent =
  | { kind: 'message'; socket: SocketId; text: string; bytes: number }
  | { kind: 'binary'; socket: SocketId }
  /** They count as messages do. */
  | { kind: 'ping' | 'pong'; socket: SocketId; bytes: number }
  /** A message about introduction `id` was not sent to this socket, where too much waits already. */
  | { kind: 'undelivered'; socket: SocketId; id: string; what: Withheld }
  | { kind: 'disconnected'; socket: SocketId }

/** How many of each there are now. */
export interface HubCounts {
  sockets: number
  /** Neither registered nor introduced yet. */
  unregistered: number
  anonymous: number
  registered: number
  introductions: number
  /** Peers with introductions to them. */
  targets: number
  /** Source addresses that are remembered, some for a few seconds more. */
  addresses: number
  /** The IPv6 /48 that these are of. */
  sites: number
}

export class Hub {
  /** What peers have published. */
  readonly records: Records
  readonly #options: HubOptions
  readonly #alarms = new Alarms()
  readonly #effects: HubEffects
  readonly #neighbours: Neighbours
  readonly #peers: Peers
  readonly #introducer: Introducer
  readonly #requests: Requests

  constructor(options: HubOptions) {
    this.#options = options
    this.#effects = new HubEffects(options.observer)
    const basics = { ...options, node: options.node, alarms: this.#alarms, effects: this.#effects }
    this.#neighbours = new Neighbours({
      ...basics,
      onSilent: (node, nowMs) => this.#introducer.crossings.endAllWith(node, nowMs),
    })
    const shared = { ...basics, neighbours: this.#neighbours, iceServersFor: this.#iceServersFor }
    this.#peers = new Peers({ ...shared, onGone: (peer, nowMs) => this.#introducer.endAllOf(peer, nowMs) })
    this.#introducer = new Introducer({ ...shared, peers: this.#peers })
    this.records = new Records({
      keys: options.limits.recordKeys,
      isHere: (key) => this.#peers.withKey(key) !== undefined,
    })
    this.#requests = new Requests({
      ...shared,
      peers: this.#peers,
      records: this.records,
      introducer: this.#introducer,
    })
  }

  /** What `peer` is told now. Who stays registered is told again, by itself, when that has served half its time. */
  readonly #iceServersFor = (peer: Peer, nowMs: number): IceServer[] => {
    const { iceServers, observer } = this.#options
    const { iceServers: told, renewInMs } = iceServers.forOwner(peer)
    if (renewInMs !== undefined) observer?.turnIssued()
    if (renewInMs !== undefined && peer.stage === 'registered') {
      peer.renewal?.cancel()
      peer.renewal = this.#alarms.set(nowMs + renewInMs, (laterMs) =>
        this.#effects.send(peer, { type: 'ice-servers', iceServers: this.#iceServersFor(peer, laterMs) }),
      )
    }
    return told
  }

  /** When a `time` event is due next, undefined when nothing waits. */
  get nextAtMs(): number | undefined {
    return this.#alarms.nextAtMs
  }

  counts(): HubCounts {
    return { ...this.#peers.counts(), ...this.#introducer.counts() }
  }

  /** Whether other hubs can be reached, and with how many of them there are introductions. */
  cluster(): { state: ClusterState; neighbours: number; sought: number } {
    return { state: this.#neighbours.state, ...this.#neighbours.counts() }
  }

  /** Why one more socket from `source` is not taken now. Changes nothing; a `connected` may follow at once. */
  refusal(source: string, nowMs: number): Refusal | undefined {
    return this.#peers.refusal(source, nowMs)
  }

  /** Counts a socket that is no peer's, such as one of the relay. Ask `refusal` first. */
  admit(source: string, nowMs: number): Guest {
    return this.#peers.admit(source, nowMs)
  }

  /** What is to be done about `event`. `nowMs` is of a clock that never goes back. */
  handle(event: HubEvent, nowMs: number): HubEffect[] {
    // What is due comes first: nothing may be obeyed after its deadline because a timer was late.
    this.#alarms.ring(nowMs)
    if (event.kind === 'drain') this.#drain(nowMs)
    else if (event.kind === 'connected') this.#welcome(event, nowMs)
    else if (event.kind === 'cluster') this.#hearCluster(event.event, nowMs)
    else if (event.kind !== 'time') {
      const peer = this.#peers.get(event.socket)
      if (peer !== undefined) this.#handleOf(peer, event, nowMs)
    }
    return this.#effects.take()
  }

  #welcome(event: Extract<HubEvent, { kind: 'connected' }>, nowMs: number): void {
    const challenge = Uint8Array.from(this.#options.randomBytes(32))
    const names = this.#options.hubNames()
    // Among its own names only: what a request says it has dialed decides nothing.
    const hubName = names.find((name) => event.dialedAs.includes(name)) ?? names[0] ?? ''
    const peer = this.#peers.add({ ...event, hubName, challenge }, nowMs)
    this.#effects.send(peer, {
      type: 'welcome',
      hub: names[0] ?? '',
      challenge,
      limits: { ...this.#options.limits },
      iceServers: this.#options.iceServers.stunOnly(),
      relay: this.#options.relay !== undefined,
    })
  }

  #hearCluster(event: ClusterEvent, nowMs: number): void {
    if (event.kind === 'outdated') this.#requests.learn(event.key, event.bytes)
    else this.#introducer.crossings.handle(event, nowMs)
  }

  #handleOf(peer: Peer, event: SocketEvent, nowMs: number): void {
    switch (event.kind) {
      case 'message':
      case 'ping':
      case 'pong':
        if (event.kind === 'pong') this.#peers.noteLife(peer, nowMs)
        peer.intake.push({
          text: event.kind === 'message' ? event.text : undefined,
          bytes: event.bytes,
          atMs: nowMs,
        })
        // A paused one has its turn set already; what else it sends only waits, as long as that is not too much.
        return peer.isPaused && !peer.intake.isOverfull ? undefined : this.#obeyWaiting(peer, nowMs)
      case 'binary':
        return this.#peers.close(peer, hubCloseCodes.protocol, 'messages are text', nowMs)
      case 'undelivered':
        return this.#introducer.endLost(peer, event, nowMs)
      case 'disconnected':
        return this.#peers.remove(peer, nowMs)
    }
  }

  /** Obeys what waits as far as the rates allow, and sees that the socket is read only when nothing is left. */
  #obeyWaiting(peer: Peer, nowMs: number): void {
    peer.turn?.cancel()
    for (let next = peer.intake.take(nowMs); next !== undefined; next = peer.intake.take(nowMs)) {
      if (next.text !== undefined) this.#obey(peer, next.text, nowMs, next.atMs)
      if (peer.stage === 'gone') return
    }
    const floodAtMs = peer.intake.floodAtMs(nowMs)
    if (floodAtMs !== undefined && floodAtMs <= nowMs) {
      return this.#peers.close(peer, hubCloseCodes.flood, 'sent more than the hub takes for too long', nowMs)
    }
    const isOver = !peer.intake.isEmpty
    if (isOver !== peer.isPaused)
      this.#effects.add({ kind: isOver ? 'pause' : 'resume', socket: peer.socket })
    peer.isPaused = isOver
    if (!isOver) return
    const turnAtMs = nowMs + peer.intake.waitMs(nowMs)
    peer.turn = this.#alarms.set(Math.min(turnAtMs, floodAtMs ?? turnAtMs), (laterMs) =>
      this.#obeyWaiting(peer, laterMs),
    )
  }

  #obey(peer: Peer, text: string, nowMs: number, receivedAtMs: number): void {
    const decoded = decodePeerMessage(text)
    switch (decoded.kind) {
      case 'unreadable':
        return this.#peers.close(peer, hubCloseCodes.protocol, 'a message is one JSON object', nowMs)
      case 'unknown': {
        const message = 'this hub does not know messages of this type'
        return this.#effects.refuse(peer, 'UNKNOWN_MESSAGE', { id: decoded.id, message })
      }
      case 'invalid': {
        const message = `${decoded.field} of ${decoded.type} is malformed`
        return this.#effects.refuse(peer, 'INVALID', { id: decoded.id, message })
      }
      case 'message':
        return this.#requests.obey(peer, decoded.message, nowMs, receivedAtMs)
    }
  }

  #drain(nowMs: number): void {
    const { reconnectSpreadMs, registrationsPerSecond } = this.#options.limits
    const peers = this.#peers.all()
    const spreadMs = Math.max(reconnectSpreadMs, (peers.length / registrationsPerSecond) * 1000)
    for (const [index, peer] of peers.entries()) {
      this.#peers.sendAway(peer, Math.floor((spreadMs * index) / peers.length), 'the hub restarts', nowMs)
    }
  }
}
