/**
 * The registry of a hub as a state machine: events in, messages and closes out. It has no sockets and no
 * clock; whoever owns those tells it what happened and when, and does what it answers, in order.
 */
import { toBase64Url } from '../core/bytes.ts'
import {
  decodePeerMessage,
  goneReason,
  hubCloseCodes,
  type HubErrorCode,
  type HubMessage,
  type IceServer,
  type PeerMessage,
} from '../core/hub-protocol.ts'
import { type Account, Accounts } from './accounts.ts'
import { Alarms } from './alarms.ts'
import { Intake } from './intake.ts'
import { type Introduction, Introductions, otherEnd } from './introductions.ts'
import type { HubLimits } from './limits.ts'
import type { Peer, SocketId, Stage } from './peer.ts'
import { type ProofChecker, refuseProof } from './proof.ts'

export interface HubOptions {
  limits: HubLimits
  /** The names that a registration may be signed for; asked each time, a port may be known only later. */
  hubNames: () => readonly string[]
  checkProof: ProofChecker
  /** That many bytes which nobody can guess. */
  randomBytes: (length: number) => Uint8Array
  /** Told to everyone. */
  iceServers: readonly IceServer[]
  exemptLoopback: boolean
}

export type HubEvent =
  /** `acceptedAtMs` is when the TCP connection came, which the deadline counts from. Ask `refusal` first. */
  | { kind: 'connected'; socket: SocketId; source: string; acceptedAtMs: number; dialedAs: readonly string[] }
  | { kind: 'message'; socket: SocketId; text: string; bytes: number }
  | { kind: 'binary'; socket: SocketId }
  /** A ping or a pong, which count as messages do. */
  | { kind: 'ping' | 'pong'; socket: SocketId; bytes: number }
  | { kind: 'disconnected'; socket: SocketId }
  /** What `nextAtMs` announced is due, or may be. */
  | { kind: 'time' }
  /** Everyone is sent away, a little apart from each other. */
  | { kind: 'drain' }

export type HubEffect =
  | { kind: 'send'; socket: SocketId; message: HubMessage }
  /** The last that is said about this socket. */
  | { kind: 'close'; socket: SocketId; code: number; reason: string }
  | { kind: 'ping'; socket: SocketId }
  /** Whether the socket is to be read. */
  | { kind: 'pause' | 'resume'; socket: SocketId }

/** Why a socket is not taken, and after how long it is worth trying again. */
export interface Refusal {
  code: 'BUSY' | 'RATE'
  message: string
  retryAfterMs: number
}

/** How many of each there are now. */
export interface HubCounts {
  sockets: number
  unregistered: number
  anonymous: number
  registered: number
  introductions: number
  /** Peers with introductions to them. */
  targets: number
  /** Source addresses that are remembered, some for a few seconds more. */
  addresses: number
}

export class Hub {
  readonly #options: HubOptions
  readonly #limits: HubLimits
  readonly #alarms = new Alarms()
  readonly #accounts: Accounts
  readonly #introductions: Introductions
  readonly #peers = new Map<SocketId, Peer>()
  readonly #registered = new Map<string, Peer>()
  #counts: Record<Stage, number> = { new: 0, anonymous: 0, registered: 0, gone: 0 }
  #effects: HubEffect[] = []

  constructor(options: HubOptions) {
    this.#options = options
    this.#limits = options.limits
    this.#accounts = new Accounts(options.limits, options.exemptLoopback, this.#alarms)
    this.#introductions = new Introductions(options.limits, this.#alarms)
  }

  /** When a `time` event is due next, undefined when nothing waits. */
  get nextAtMs(): number | undefined {
    return this.#alarms.nextAtMs
  }

  counts(): HubCounts {
    return {
      sockets: this.#peers.size,
      unregistered: this.#counts.new,
      anonymous: this.#counts.anonymous,
      registered: this.#registered.size,
      introductions: this.#introductions.size,
      targets: this.#introductions.targets,
      addresses: this.#accounts.size,
    }
  }

  /** Why one more socket from `source` is not taken now. Changes nothing; a `connected` may follow at once. */
  refusal(source: string, nowMs: number): Refusal | undefined {
    const limits = this.#limits
    const retryAfterMs = limits.registerMs
    if (this.#counts.new >= limits.unregisteredSockets) {
      return { code: 'BUSY', message: 'too many sockets have not registered yet', retryAfterMs }
    }
    const account = this.#accounts.get(source)
    if (account === undefined || account.exempt) return undefined
    if (account.unregistered >= limits.unregisteredSocketsPerAddress) {
      return {
        code: 'BUSY',
        message: 'too many sockets of your address have not registered yet',
        retryAfterMs,
      }
    }
    if (account.sockets >= limits.socketsPerAddress) {
      return { code: 'BUSY', message: 'your address has as many sockets as it may', retryAfterMs }
    }
    const waitMs = account.newSockets.waitMs(1, nowMs)
    return waitMs === 0
      ? undefined
      : { code: 'RATE', message: 'your address opens sockets too fast', retryAfterMs: waitMs }
  }

  /** What is to be done about `event`. `nowMs` is of a clock that never goes back. */
  handle(event: HubEvent, nowMs: number): HubEffect[] {
    this.#effects = []
    // What is due comes first: nothing may be obeyed after its deadline because a timer was late.
    this.#alarms.ring(nowMs)
    if (event.kind === 'drain') this.#drain(nowMs)
    else if (event.kind === 'connected') this.#connect(event, nowMs)
    else if (event.kind !== 'time') {
      const peer = this.#peers.get(event.socket)
      if (peer !== undefined) this.#handleOf(peer, event, nowMs)
    }
    return this.#effects
  }

  #handleOf(
    peer: Peer,
    event: Exclude<HubEvent, { kind: 'connected' | 'time' | 'drain' }>,
    nowMs: number,
  ): void {
    switch (event.kind) {
      case 'message':
        peer.intake.push(event)
        return this.#obeyWaiting(peer, nowMs)
      case 'binary':
        return this.#close(peer, hubCloseCodes.protocol, 'messages are text', nowMs)
      case 'pong':
        this.#pingLater(peer, nowMs)
        peer.intake.push({ bytes: event.bytes })
        return this.#obeyWaiting(peer, nowMs)
      case 'ping':
        peer.intake.push({ bytes: event.bytes })
        return this.#obeyWaiting(peer, nowMs)
      case 'disconnected':
        return this.#forget(peer, nowMs)
    }
  }

  #connect(event: Extract<HubEvent, { kind: 'connected' }>, nowMs: number): void {
    const account = this.#accounts.open(event.source, nowMs)
    const challenge = this.#options.randomBytes(32)
    const peer: Peer = {
      socket: event.socket,
      account,
      intake: new Intake(this.#limits, account, nowMs),
      dialedAs: event.dialedAs,
      stage: 'new',
      challenge: { bytes: challenge, untilMs: nowMs + this.#limits.challengeMs },
      key: undefined,
      introductions: new Set(),
      isPaused: false,
      deadline: undefined,
      heartbeat: undefined,
      turn: undefined,
    }
    this.#peers.set(event.socket, peer)
    this.#countStage('new', account, 1)
    peer.deadline = this.#alarms.set(event.acceptedAtMs + this.#limits.registerMs, (laterMs) =>
      this.#close(peer, hubCloseCodes.deadline, 'neither registered nor introduced in time', laterMs),
    )
    this.#pingLater(peer, nowMs)
    this.#send(peer, {
      type: 'welcome',
      hub: this.#options.hubNames()[0] ?? '',
      challenge: Uint8Array.from(challenge),
      limits: { ...this.#limits },
      iceServers: this.#iceServers(),
      relay: false,
    })
  }

  /** Obeys what waits as far as the rates allow, and sees that the socket is read only when nothing is left. */
  #obeyWaiting(peer: Peer, nowMs: number): void {
    peer.turn?.cancel()
    for (let next = peer.intake.take(nowMs); next !== undefined; next = peer.intake.take(nowMs)) {
      if (next.text !== undefined) this.#obey(peer, next.text, nowMs)
      if (peer.stage === 'gone') return
    }
    const floodAtMs = peer.intake.floodAtMs(nowMs)
    if (floodAtMs !== undefined && floodAtMs <= nowMs) {
      this.#close(peer, hubCloseCodes.flood, 'sent more than the hub takes for too long', nowMs)
      return
    }
    const isOver = !peer.intake.isEmpty
    if (isOver !== peer.isPaused)
      this.#effects.push({ kind: isOver ? 'pause' : 'resume', socket: peer.socket })
    peer.isPaused = isOver
    if (!isOver) return
    const turnAtMs = nowMs + peer.intake.waitMs(nowMs)
    peer.turn = this.#alarms.set(Math.min(turnAtMs, floodAtMs ?? turnAtMs), (laterMs) =>
      this.#obeyWaiting(peer, laterMs),
    )
  }

  #obey(peer: Peer, text: string, nowMs: number): void {
    const decoded = decodePeerMessage(text)
    switch (decoded.kind) {
      case 'unreadable':
        return this.#close(peer, hubCloseCodes.protocol, 'a message is one JSON object', nowMs)
      case 'unknown':
        return this.#refuse(
          peer,
          'UNKNOWN_MESSAGE',
          'this hub does not know messages of this type',
          decoded.id,
        )
      case 'invalid':
        return this.#refuse(peer, 'INVALID', `${decoded.field} of ${decoded.type} is malformed`, decoded.id)
      case 'message':
        return this.#obeyMessage(peer, decoded.message, nowMs)
    }
  }

  #obeyMessage(peer: Peer, message: PeerMessage, nowMs: number): void {
    switch (message.type) {
      case 'register':
        return this.#register(peer, message, nowMs)
      case 'record':
        return this.#refuse(peer, 'RECORD_INVALID', 'this hub keeps no records')
      case 'introduce':
        return this.#introduce(peer, message.id, toBase64Url(message.to), nowMs)
      case 'signal':
        return this.#forward(peer, message.id, message.data)
      case 'relay':
        return this.#refuseRelay(peer, message.id)
      case 'close': {
        const introduction = this.#introductionOf(peer, message.id)
        if (introduction !== undefined)
          this.#end(introduction, [otherEnd(introduction, peer)], message.reason, nowMs)
      }
    }
  }

  #register(peer: Peer, proof: Extract<PeerMessage, { type: 'register' }>, nowMs: number): void {
    if (peer.stage === 'registered') return this.#refuse(peer, 'INVALID', 'this socket is registered already')
    const key = toBase64Url(proof.key)
    const replaced = this.#registered.get(key)
    // Caps come before the signature: checking one is the most expensive thing that a stranger can ask for.
    if (replaced === undefined && this.#registered.size >= this.#limits.registeredPeers) {
      return this.#refuse(
        peer,
        'BUSY',
        'this hub has as many peers as it may',
        undefined,
        this.#limits.registerMs,
      )
    }
    const { challenge } = peer
    peer.challenge = undefined
    if (challenge === undefined || challenge.untilMs <= nowMs) {
      return this.#refuse(peer, 'BAD_SIGNATURE', 'the challenge was used or has expired; connect again')
    }
    const names = { accepted: this.#options.hubNames(), dialedAs: peer.dialedAs }
    const refusal = refuseProof(this.#options.checkProof, { ...proof, challenge: challenge.bytes }, names)
    if (refusal !== undefined) return this.#refuse(peer, refusal.code, refusal.message)
    if (replaced !== undefined) {
      this.#send(replaced, { type: 'replaced' })
      this.#close(replaced, hubCloseCodes.replaced, 'a newer socket proved the same key', nowMs)
    }
    peer.key = key
    this.#registered.set(key, peer)
    this.#enter(peer, 'registered', nowMs)
    this.#send(peer, { type: 'registered', iceServers: this.#iceServers() })
    if (proof.record !== undefined) this.#refuse(peer, 'RECORD_INVALID', 'this hub keeps no records')
  }

  #introduce(client: Peer, id: string, to: string, nowMs: number): void {
    const { account } = client
    const isFast = !account.exempt && !account.newIntroductions.take(1, nowMs)
    if (isFast) {
      const retryAfterMs = account.newIntroductions.waitMs(1, nowMs)
      return this.#refuse(client, 'RATE', 'your address asks for introductions too fast', id, retryAfterMs)
    }
    if (this.#introductions.has(id)) return this.#refuse(client, 'ID_IN_USE', 'take 16 new random bytes', id)
    const server = this.#registered.get(to)
    if (server === undefined)
      return this.#refuse(client, 'PEER_NOT_FOUND', 'no peer with this key is here now', id)
    if (server === client) return this.#refuse(client, 'INVALID', 'a socket is not introduced to itself', id)
    const isFull = client.stage === 'new' && this.#counts.anonymous >= this.#limits.anonymousPeers
    const refusal = isFull
      ? ({ code: 'BUSY', message: 'this hub has as many clients as it may' } as const)
      : this.#introductions.refusal(client, server)
    if (refusal !== undefined) {
      return this.#refuse(client, refusal.code, refusal.message, id, this.#limits.registerMs)
    }
    this.#introductions.add(id, client, server, nowMs, (introduction, laterMs) =>
      this.#end(introduction, [client, server], 'expired', laterMs),
    )
    if (client.stage === 'new') this.#enter(client, 'anonymous', nowMs)
    client.deadline?.cancel()
    this.#send(client, { type: 'introduced', id, iceServers: this.#iceServers() })
    this.#send(server, { type: 'incoming', id })
  }

  #forward(peer: Peer, id: string, data: string): void {
    const introduction = this.#introductionOf(peer, id)
    if (introduction === undefined) return
    if (data.length > this.#limits.dataCharacters) {
      return this.#refuse(peer, 'INVALID', `data has at most ${this.#limits.dataCharacters} characters`, id)
    }
    if (!this.#introductions.countSignal(introduction, peer)) {
      return this.#refuse(peer, 'QUOTA', 'this side has sent as many signals as it may', id)
    }
    this.#send(otherEnd(introduction, peer), { type: 'signal', id, data })
  }

  #refuseRelay(peer: Peer, id: string): void {
    const introduction = this.#introductionOf(peer, id)
    if (introduction === undefined) return
    if (introduction.server !== peer)
      return this.#refuse(peer, 'INVALID', 'only the dialed peer may ask for a relay', id)
    this.#refuse(peer, 'RELAY_OFF', 'this hub does not relay', id)
  }

  /** The introduction, or undefined after telling `peer` what it would be told if there never was one. */
  #introductionOf(peer: Peer, id: string): Introduction | undefined {
    const introduction = this.#introductions.of(peer, id)
    if (introduction === undefined) this.#refuse(peer, 'NO_INTRODUCTION', 'there is no such introduction', id)
    return introduction
  }

  #end(introduction: Introduction, told: readonly Peer[], reason: string, nowMs: number): void {
    const { id, client, server } = introduction
    this.#introductions.remove(introduction)
    for (const peer of told) this.#send(peer, { type: 'closed', id, reason })
    for (const peer of [client, server]) {
      if (peer.stage === 'anonymous' && peer.introductions.size === 0) this.#expectIntroduction(peer, nowMs)
    }
  }

  /** `peer` leaves the stage it was in, and its deadline behind. */
  #enter(peer: Peer, stage: Stage, nowMs: number): void {
    this.#countStage(peer.stage, peer.account, -1)
    peer.stage = stage
    this.#countStage(stage, peer.account, 1)
    peer.deadline?.cancel()
    if (stage === 'anonymous') this.#expectIntroduction(peer, nowMs)
  }

  #expectIntroduction(peer: Peer, nowMs: number): void {
    peer.deadline?.cancel()
    peer.deadline = this.#alarms.set(nowMs + this.#limits.idleAnonymousMs, (laterMs) =>
      this.#close(peer, hubCloseCodes.deadline, 'no introduction for a while', laterMs),
    )
  }

  #pingLater(peer: Peer, nowMs: number): void {
    peer.heartbeat?.cancel()
    peer.heartbeat = this.#alarms.set(nowMs + this.#limits.pingMs, (laterMs) => this.#ping(peer, laterMs))
  }

  #ping(peer: Peer, nowMs: number): void {
    this.#effects.push({ kind: 'ping', socket: peer.socket })
    peer.heartbeat = this.#alarms.set(nowMs + this.#limits.pongMs, (laterMs) => {
      // A socket that is not read cannot show its pong.
      if (peer.isPaused) this.#pingLater(peer, laterMs)
      else this.#close(peer, hubCloseCodes.deadline, 'no answer to a ping', laterMs)
    })
  }

  #drain(nowMs: number): void {
    const peers = [...this.#peers.values()]
    const { reconnectSpreadMs, reconnectTryMs } = this.#limits
    for (const [index, peer] of peers.entries()) {
      const reconnectAfterMs = Math.floor((reconnectSpreadMs * index) / peers.length)
      this.#send(peer, { type: 'restarting', reconnectAfterMs, tryForMs: reconnectTryMs })
    }
    for (const peer of peers) this.#close(peer, hubCloseCodes.restarting, 'the hub restarts', nowMs)
  }

  #close(peer: Peer, code: number, reason: string, nowMs: number): void {
    if (peer.stage === 'gone') return
    this.#effects.push({ kind: 'close', socket: peer.socket, code, reason })
    this.#forget(peer, nowMs)
  }

  #forget(peer: Peer, nowMs: number): void {
    if (peer.stage === 'gone') return
    this.#enter(peer, 'gone', nowMs)
    this.#peers.delete(peer.socket)
    if (peer.key !== undefined) this.#registered.delete(peer.key)
    for (const alarm of [peer.heartbeat, peer.turn]) alarm?.cancel()
    for (const introduction of peer.introductions) {
      this.#end(introduction, [otherEnd(introduction, peer)], goneReason, nowMs)
    }
    this.#accounts.leave(peer.account, nowMs)
  }

  #countStage(stage: Stage, account: Account, change: 1 | -1): void {
    if (stage !== 'gone') this.#counts[stage] += change
    if (stage === 'new') account.unregistered += change
  }

  #refuse(peer: Peer, code: HubErrorCode, message: string, id?: string, retryAfterMs?: number): void {
    this.#send(peer, { type: 'error', code, message, id, retryAfterMs })
  }

  #send(peer: Peer, message: HubMessage): void {
    this.#effects.push({ kind: 'send', socket: peer.socket, message })
  }

  #iceServers(): IceServer[] {
    return this.#options.iceServers.map((server) => ({ ...server, urls: [...server.urls] }))
  }
}
