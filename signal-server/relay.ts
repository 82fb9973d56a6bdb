/**
 * The relay of a hub as a state machine, like `hub.ts`: events in, effects out, and no sockets and no clock. It joins two
 * sockets that show the two tokens of a circuit, holds them to their limits, and never looks at what passes.
 *
 *   relay-events.ts    what it hears and says
 *   relay-circuit.ts   one of its circuits
 *   relay-accounts.ts  what each peer and each address has of it
 *   relay-sockets.ts   the WebSockets: they carry, and pause who sends more than the far side reads
 */
import { createHash } from 'node:crypto'
import { relayCloseCodes } from '../core/relay-protocol.ts'
import { toBase64Url } from '../core/bytes.ts'
import { type Alarm, Alarms } from './alarms.ts'
import type { RelayObserver, RelayOutcome, RelayRefusal } from './hub-observer.ts'
import type { HubLimits } from './limits.ts'
import type { SocketId } from './peer.ts'
import { RelayAccounts } from './relay-accounts.ts'
import { Circuit, type End } from './relay-circuit.ts'
import type {
  RelayAnswer,
  RelayCounts,
  RelayDesk,
  RelayEffect,
  RelayEvent,
  RelayOwners,
} from './relay-events.ts'

export interface RelayOptions {
  limits: HubLimits
  /** That many bytes which nobody can guess. */
  randomBytes: (length: number) => Uint8Array
  observer?: RelayObserver | undefined
}

export class Relay implements RelayDesk {
  readonly #limits: HubLimits
  readonly #options: RelayOptions
  readonly #alarms = new Alarms()
  readonly #accounts: RelayAccounts
  readonly #circuits = new Set<Circuit>()
  /** By digests: how long a look-up takes tells nothing about a token. */
  readonly #byToken = new Map<string, End>()
  readonly #newcomers = new Map<SocketId, Alarm>()
  readonly #bySocket = new Map<SocketId, End>()
  #effects: RelayEffect[] = []
  #isDraining = false
  #open = 0

  constructor(options: RelayOptions) {
    this.#limits = options.limits
    this.#options = options
    this.#accounts = new RelayAccounts(options.limits)
  }

  /** When a `time` event is due next, undefined when nothing waits. */
  get nextAtMs(): number | undefined {
    return this.#alarms.nextAtMs
  }

  counts(): RelayCounts {
    return {
      sockets: this.#newcomers.size,
      waiting: this.#circuits.size - this.#open,
      open: this.#open,
      peers: this.#accounts.size,
    }
  }

  /** A circuit for the two peers, if they may have one. What became due meanwhile waits for the next event. */
  open(owners: RelayOwners, nowMs: number): RelayAnswer {
    const refusal = this.#refusal(owners, nowMs)
    if (refusal !== undefined) {
      this.#options.observer?.relayRefused(refusal.code)
      return { kind: 'refused', ...refusal }
    }
    const { limits, randomBytes } = this.#options
    const client = Uint8Array.from(randomBytes(32))
    const server = Uint8Array.from(randomBytes(32))
    const tokenNames = { client: nameOf(toBase64Url(client)), server: nameOf(toBase64Url(server)) }
    const circuit = new Circuit({ limits, accounts: this.#accounts, owners, tokenNames }, nowMs)
    for (const end of circuit.ends) this.#byToken.set(end.tokenName, end)
    this.#circuits.add(circuit)
    circuit.deadline = this.#alarms.set(nowMs + limits.relayTokenMs, (laterMs) =>
      this.#finish(circuit, 'expired', relayCloseCodes.gone, 'the other end did not come', laterMs),
    )
    return { kind: 'opened', tokens: { client, server }, limits: circuit.told(nowMs) }
  }

  /** What is to be done about `event`. `nowMs` is of a clock that never goes back. */
  handle(event: RelayEvent, nowMs: number): RelayEffect[] {
    // Nothing may be obeyed after its deadline because a timer was late.
    this.#alarms.ring(nowMs)
    switch (event.kind) {
      case 'connected':
        this.#await(event.socket, event.acceptedAtMs)
        break
      case 'text':
        this.#hear(event.socket, event.text, nowMs)
        break
      case 'frame':
        this.#pass(event.socket, event.bytes, nowMs)
        break
      case 'control':
        this.#control(event.socket, event.bytes, nowMs)
        break
      case 'disconnected':
        this.#leave(event.socket, nowMs)
        break
      case 'drain':
        this.#drain(nowMs)
        break
      case 'time':
        break
    }
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  #refusal(owners: RelayOwners, nowMs: number): { code: RelayRefusal; message: string } | undefined {
    if (this.#isDraining) return { code: 'RELAY_OFF', message: 'the hub restarts' }
    if (this.#circuits.size >= this.#limits.relayCircuits) {
      return { code: 'BUSY', message: 'this hub has as many circuits as it may' }
    }
    const message = this.#accounts.refusal(owners, nowMs)
    return message === undefined ? undefined : { code: 'QUOTA', message }
  }

  // --- sockets ---

  #await(socket: SocketId, acceptedAtMs: number): void {
    if (this.#isDraining) return this.#close(socket, relayCloseCodes.draining, 'the hub restarts')
    const deadline = this.#alarms.set(acceptedAtMs + this.#limits.registerMs, () =>
      this.#turnAway(socket, 'no token in time'),
    )
    this.#newcomers.set(socket, deadline)
  }

  #hear(socket: SocketId, text: string, nowMs: number): void {
    if (!this.#newcomers.has(socket)) return this.#violate(socket, nowMs)
    const end = this.#byToken.get(nameOf(text))
    if (end === undefined) return this.#turnAway(socket, 'no circuit has this token now')
    this.#byToken.delete(end.tokenName)
    this.#forgetNewcomer(socket)
    this.#bySocket.set(socket, end)
    end.socket = socket
    this.#effects.push({ kind: 'settle', socket })
    const { circuit } = end
    const refusal = end === circuit.ends[0] ? circuit.joinClient(nowMs) : undefined
    if (refusal !== undefined) return this.#finish(circuit, 'quota', relayCloseCodes.quota, refusal, nowMs)
    const sockets = circuit.sockets()
    if (sockets !== undefined) this.#begin(circuit, sockets, nowMs)
  }

  #begin(circuit: Circuit, sockets: readonly [SocketId, SocketId], nowMs: number): void {
    circuit.isOpen = true
    circuit.passedAtMs = nowMs
    this.#open += 1
    this.#options.observer?.relayOpened()
    circuit.deadline?.cancel()
    circuit.deadline = this.#alarms.set(nowMs + this.#limits.relayMs, (laterMs) =>
      this.#finish(
        circuit,
        'quota',
        relayCloseCodes.quota,
        'the circuit has lived as long as it may',
        laterMs,
      ),
    )
    this.#watch(circuit)
    this.#effects.push({ kind: 'join', sockets })
  }

  /** Looks when it would have been idle for too long, if nothing passed until then. */
  #watch(circuit: Circuit): void {
    const idleAtMs = circuit.passedAtMs + this.#limits.relayIdleMs
    circuit.idle = this.#alarms.set(idleAtMs, (nowMs) => {
      if (circuit.passedAtMs + this.#limits.relayIdleMs > nowMs) return this.#watch(circuit)
      this.#finish(circuit, 'idle', relayCloseCodes.idle, 'nothing passed for a long time', nowMs)
    })
  }

  #pass(socket: SocketId, bytes: number, nowMs: number): void {
    const end = this.#bySocket.get(socket)
    const other = end?.circuit.otherThan(end)
    if (end === undefined || other?.socket === undefined) return this.#violate(socket, nowMs)
    const { circuit } = end
    if (!circuit.charge(bytes, nowMs)) {
      return this.#finish(circuit, 'quota', relayCloseCodes.quota, 'it has had all bytes it may have', nowMs)
    }
    this.#options.observer?.relayPassed(bytes)
    this.#effects.push({ kind: 'pass', socket: other.socket })
    this.#hold(end, socket, nowMs)
  }

  /** It costs as much as what is passed on, or it would be the cheaper way to keep the hub busy. */
  #control(socket: SocketId, bytes: number, nowMs: number): void {
    const end = this.#bySocket.get(socket)
    if (end?.circuit.isOpen !== true) return this.#violate(socket, nowMs)
    end.circuit.spend(bytes, nowMs)
    this.#hold(end, socket, nowMs)
  }

  /** What is over the rates is passed on all the same, and then nothing more is read until it is made up for. */
  #hold(end: End, socket: SocketId, nowMs: number): void {
    const waitMs = end.circuit.waitMs(nowMs)
    const wasHeld = end.held !== undefined
    end.held?.cancel()
    end.held =
      waitMs === 0
        ? undefined
        : this.#alarms.set(nowMs + waitMs, (laterMs) => this.#hold(end, socket, laterMs))
    const isHeld = end.held !== undefined
    if (isHeld !== wasHeld) this.#effects.push({ kind: isHeld ? 'hold' : 'release', socket })
  }

  #leave(socket: SocketId, nowMs: number): void {
    this.#forgetNewcomer(socket)
    const end = this.#bySocket.get(socket)
    if (end === undefined) return
    this.#bySocket.delete(socket)
    end.socket = undefined
    this.#finish(end.circuit, 'closed', relayCloseCodes.gone, 'the other end is gone', nowMs)
  }

  /** Text in a circuit, or bytes where none is open. */
  #violate(socket: SocketId, nowMs: number): void {
    if (this.#newcomers.has(socket)) return this.#turnAway(socket, 'the token comes first')
    const end = this.#bySocket.get(socket)
    if (end === undefined) return
    this.#close(socket, relayCloseCodes.violation, 'a circuit carries bytes once it is open')
    end.socket = undefined
    this.#finish(end.circuit, 'violation', relayCloseCodes.gone, 'the other end is gone', nowMs)
  }

  #turnAway(socket: SocketId, reason: string): void {
    this.#forgetNewcomer(socket)
    this.#close(socket, relayCloseCodes.token, reason)
  }

  #drain(nowMs: number): void {
    this.#isDraining = true
    const { draining } = relayCloseCodes
    for (const circuit of this.#circuits)
      this.#finish(circuit, 'drained', draining, 'the hub restarts', nowMs)
    for (const socket of this.#newcomers.keys()) {
      this.#forgetNewcomer(socket)
      this.#close(socket, draining, 'the hub restarts')
    }
  }

  #finish(circuit: Circuit, outcome: RelayOutcome, code: number, reason: string, nowMs: number): void {
    if (circuit.isOver) return
    circuit.end(nowMs)
    this.#circuits.delete(circuit)
    if (circuit.isOpen) this.#open -= 1
    this.#options.observer?.relayEnded(outcome)
    for (const { socket, tokenName } of circuit.ends) {
      this.#byToken.delete(tokenName)
      if (socket !== undefined) this.#close(socket, code, reason)
    }
  }

  #forgetNewcomer(socket: SocketId): void {
    this.#newcomers.get(socket)?.cancel()
    this.#newcomers.delete(socket)
  }

  #close(socket: SocketId, code: number, reason: string): void {
    this.#bySocket.delete(socket)
    this.#effects.push({ kind: 'close', socket, code, reason })
  }
}

function nameOf(token: string): string {
  return createHash('sha256').update(token).digest('base64')
}
