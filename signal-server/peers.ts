import { hubCloseCodes } from '../core/hub-protocol.ts'
import { TokenBucket } from '../core/token-bucket.ts'
import { type Account, Accounts } from './accounts.ts'
import type { Alarms } from './alarms.ts'
import type { Neighbours } from './cluster/neighbours.ts'
import type { HubEffects } from './hub-effects.ts'
import { Intake } from './intake.ts'
import type { HubLimits } from './limits.ts'
import type { Peer, SocketId, Stage } from './peer.ts'

export interface PeersOptions {
  limits: HubLimits
  alarms: Alarms
  effects: HubEffects
  neighbours: Neighbours
  exemptLoopback: boolean
  /** Called for a peer that has just become `gone`, with its introductions still there. */
  onGone: (peer: Peer, nowMs: number) => void
}

export interface NewPeer {
  socket: SocketId
  source: string
  acceptedAtMs: number
  dialedAs: readonly string[]
  hubName: string
  challenge: Uint8Array
}

/** A socket that is no peer's and counts like one for its address, first as one that has not shown what it is for. */
export interface Guest {
  settle(): void
  leave(nowMs: number): void
}

/** Why a socket is not taken, and after how long it is worth trying again. */
export interface Refusal {
  code: 'BUSY' | 'RATE'
  message: string
  retryAfterMs: number
}

/** All far ends: how they come in, what they become, and when they have to go. */
export class Peers {
  readonly #options: PeersOptions
  readonly #limits: HubLimits
  readonly #alarms: Alarms
  readonly #accounts: Accounts
  readonly #bySocket = new Map<SocketId, Peer>()
  readonly #byKey = new Map<string, Peer>()
  readonly #stages: Record<Stage, number> = { new: 0, anonymous: 0, registered: 0, gone: 0 }

  constructor(options: PeersOptions) {
    this.#options = options
    this.#limits = options.limits
    this.#alarms = options.alarms
    this.#accounts = new Accounts(options.limits, options.exemptLoopback, options.alarms)
  }

  get(socket: SocketId): Peer | undefined {
    return this.#bySocket.get(socket)
  }

  /** The peer that is registered with `key`. */
  withKey(key: string): Peer | undefined {
    return this.#byKey.get(key)
  }

  all(): Peer[] {
    return [...this.#bySocket.values()]
  }

  counts(): {
    sockets: number
    unregistered: number
    anonymous: number
    registered: number
    addresses: number
    sites: number
  } {
    return {
      sockets: this.#bySocket.size,
      unregistered: this.#stages.new,
      anonymous: this.#stages.anonymous,
      registered: this.#byKey.size,
      ...this.#accounts.counts(),
    }
  }

  /** Why one more socket from `source` is not taken now. Changes nothing. */
  refusal(source: string, nowMs: number): Refusal | undefined {
    const { unregisteredSockets, registerMs } = this.#limits
    if (this.#stages.new < unregisteredSockets) return this.#accounts.refusal(source, nowMs)
    const message = 'too many sockets have not registered yet'
    return { code: 'BUSY', message, retryAfterMs: registerMs }
  }

  add({ socket, source, acceptedAtMs, dialedAs, hubName, challenge }: NewPeer, nowMs: number): Peer {
    const account = this.#accounts.open(source, nowMs)
    const { recordsPerSecond: perSecond, recordsBurst: burst } = this.#limits
    const peer: Peer = {
      socket,
      account,
      intake: new Intake(this.#limits, account, nowMs),
      hubName,
      stage: 'new',
      challenge: { bytes: challenge, untilMs: nowMs + this.#limits.challengeMs, dialedAs },
      key: undefined,
      introductions: new Set(),
      records: new TokenBucket({ perSecond, burst }, nowMs),
      isPaused: false,
      deadline: undefined,
      heartbeat: undefined,
      turn: undefined,
      renewal: undefined,
    }
    this.#bySocket.set(socket, peer)
    this.#count('new', account, 1)
    this.#setDeadline(
      peer,
      acceptedAtMs + this.#limits.registerMs,
      'neither registered nor introduced in time',
    )
    this.noteLife(peer, nowMs)
    return peer
  }

  /** One more socket of `source` that `refusal` allows, and that is not a peer's. */
  admit(source: string, nowMs: number): Guest {
    const account = this.#accounts.open(source, nowMs)
    let isNew = true
    this.#count('new', account, 1)
    const settle = () => {
      if (isNew) this.#count('new', account, -1)
      isNew = false
    }
    const leave = (laterMs: number) => {
      settle()
      this.#accounts.leave(account, laterMs)
    }
    return { settle, leave }
  }

  /** `peer` has proved `key`; another that holds it has to go. */
  register(peer: Peer, key: string, nowMs: number): void {
    this.replace(key, nowMs)
    peer.key = key
    this.#byKey.set(key, peer)
    this.#enter(peer, 'registered')
    this.#options.neighbours.announce(key)
  }

  /** A newer socket, here or on another node, proved `key`: who holds it here is told so and closed. */
  replace(key: string, nowMs: number): void {
    const replaced = this.#byKey.get(key)
    if (replaced === undefined) return
    this.#options.effects.send(replaced, { type: 'replaced' })
    this.close(replaced, hubCloseCodes.replaced, 'a newer socket proved the same key', nowMs)
  }

  /** Whether there is no room for `client` to become anonymous. */
  isFullFor(client: Peer): boolean {
    return client.stage === 'new' && this.#stages.anonymous >= this.#limits.anonymousPeers
  }

  /** `peer` has an introduction, and no deadline as long as it has one. */
  noteIntroduced(peer: Peer): void {
    if (peer.stage === 'new') this.#enter(peer, 'anonymous')
    peer.deadline?.cancel()
  }

  /** `peer` has one introduction less; a client without any does not stay. */
  noteIntroductionEnded(peer: Peer, nowMs: number): void {
    if (peer.stage !== 'anonymous' || peer.introductions.size > 0) return
    this.#setDeadline(peer, nowMs + this.#limits.idleAnonymousMs, 'no introduction for a while')
  }

  /** `peer` has shown that it is there: the next ping can wait. */
  noteLife(peer: Peer, nowMs: number): void {
    peer.heartbeat?.cancel()
    peer.heartbeat = this.#alarms.set(nowMs + this.#limits.pingMs, (laterMs) => this.#ping(peer, laterMs))
  }

  close(peer: Peer, code: number, reason: string, nowMs: number): void {
    if (peer.stage === 'gone') return
    this.#options.effects.add({ kind: 'close', socket: peer.socket, code, reason })
    this.remove(peer, nowMs)
  }

  /** Closes it with word of when to come again. */
  sendAway(peer: Peer, reconnectAfterMs: number, reason: string, nowMs: number): void {
    const tryForMs = this.#limits.reconnectTryMs
    this.#options.effects.send(peer, { type: 'restarting', reconnectAfterMs, tryForMs })
    this.close(peer, hubCloseCodes.restarting, reason, nowMs)
  }

  /** Forgets a peer whose socket is closed, or is as good as that. */
  remove(peer: Peer, nowMs: number): void {
    if (peer.stage === 'gone') return
    this.#enter(peer, 'gone')
    this.#bySocket.delete(peer.socket)
    if (peer.key !== undefined) {
      this.#byKey.delete(peer.key)
      this.#options.neighbours.withdraw(peer.key)
    }
    peer.heartbeat?.cancel()
    peer.turn?.cancel()
    peer.renewal?.cancel()
    this.#options.onGone(peer, nowMs)
    this.#accounts.leave(peer.account, nowMs)
  }

  /** The deadline of a stage ends with it. */
  #enter(peer: Peer, stage: Stage): void {
    this.#count(peer.stage, peer.account, -1)
    peer.stage = stage
    this.#count(stage, peer.account, 1)
    peer.deadline?.cancel()
  }

  #count(stage: Stage, account: Account, change: 1 | -1): void {
    if (stage !== 'gone') this.#stages[stage] += change
    if (stage === 'new') this.#accounts.countUnregistered(account, change)
  }

  #setDeadline(peer: Peer, atMs: number, reason: string): void {
    peer.deadline?.cancel()
    peer.deadline = this.#alarms.set(atMs, (nowMs) => this.close(peer, hubCloseCodes.deadline, reason, nowMs))
  }

  #ping(peer: Peer, nowMs: number): void {
    this.#options.effects.add({ kind: 'ping', socket: peer.socket })
    peer.heartbeat = this.#alarms.set(nowMs + this.#limits.pongMs, (laterMs) => {
      // A socket that is not read cannot show its pong.
      if (peer.isPaused) this.noteLife(peer, laterMs)
      else this.close(peer, hubCloseCodes.deadline, 'no answer to a ping', laterMs)
    })
  }
}
