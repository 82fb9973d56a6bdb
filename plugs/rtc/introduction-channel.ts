import { MultiserverError } from '../../core/errors.ts'
import { goneReason, lostReason, openReason } from '../../core/hub-protocol.ts'
import { limits } from '../../core/limits.ts'
import type { HubErrorCode, HubMessage, IceServer, PeerMessage } from '../../core/hub-protocol.ts'
import type { RelayGrant } from './relay-usage.ts'

/** What the hub says about one introduction. */
export type IntroductionMessage =
  | Extract<HubMessage, { type: 'introduced' | 'signal' | 'relay' | 'closed' }>
  | RefusedMessage
type RefusedMessage = Extract<HubMessage, { type: 'error' }> & { id: string }

/** Those that say nothing of whether the peer still looks for a path. */
const hubReasons: readonly string[] = [openReason, goneReason, lostReason]

/** What the hub may say to a server that asks it for a relay. */
const relayRefusals: readonly HubErrorCode[] = ['RELAY_OFF', 'QUOTA', 'BUSY', 'INVALID', 'UNKNOWN_MESSAGE']

/** One introduction at the hub: sealed signals, in order, both ways. */
export class IntroductionChannel {
  readonly id: string
  /** The hub's ICE servers for this introduction (client only); rejects when the hub refuses it. */
  readonly introduced: Promise<readonly IceServer[]>
  /** The circuit that the hub has for this introduction, once the server has asked; rejects when there is to be none. */
  readonly relayed: Promise<RelayGrant>
  readonly #send: (message: PeerMessage) => void
  readonly #onEnd: () => void
  #resolveIntroduced: (iceServers: readonly IceServer[]) => void = () => undefined
  #rejectIntroduced: (error: Error) => void = () => undefined
  #resolveRelayed: (grant: RelayGrant) => void = () => undefined
  #rejectRelayed: (error: Error) => void = () => undefined
  #awaitsRelay = false
  #signals: string[] = []
  #reader: { resolve: (data: string) => void; reject: (error: Error) => void } | undefined
  #error: MultiserverError | undefined
  #isGivenUp = false
  #isClient = false

  constructor(id: string, send: (message: PeerMessage) => void, onEnd: () => void) {
    this.id = id
    this.#send = send
    this.#onEnd = onEnd
    this.introduced = new Promise((resolve, reject) => {
      this.#resolveIntroduced = resolve
      this.#rejectIntroduced = reject
    })
    this.introduced.catch(() => undefined)
    this.relayed = new Promise((resolve, reject) => {
      this.#resolveRelayed = resolve
      this.#rejectRelayed = reject
    })
    this.relayed.catch(() => undefined)
  }

  /** Whether the peer, and not only its socket or the hub's, is done without a path: none is to be waited for. */
  get isGivenUp(): boolean {
    return this.#isGivenUp
  }

  introduce(to: Uint8Array<ArrayBuffer>): void {
    this.#isClient = true
    this.#send({ type: 'introduce', id: this.id, to })
  }

  sendSignal(data: string): void {
    if (this.#error === undefined) this.#send({ type: 'signal', id: this.id, data })
  }

  /** Only of a server, whose consent it is. `relayed` has the answer. */
  askForRelay(): void {
    if (this.#error !== undefined) return
    this.#awaitsRelay = true
    this.#send({ type: 'relay', id: this.id })
  }

  /** The next signal. Rejects once the introduction is over. */
  nextSignal(): Promise<string> {
    const data = this.#signals.shift()
    if (data !== undefined) return Promise.resolve(data)
    if (this.#error !== undefined) return Promise.reject(this.#error)
    return new Promise((resolve, reject) => (this.#reader = { resolve, reject }))
  }

  /** Ends the introduction at the hub too. */
  close(reason: string): void {
    if (this.#error !== undefined) return
    this.#send({ type: 'close', id: this.id, reason })
    this.fail(new MultiserverError('ABORTED', `the introduction was closed: ${reason}`))
  }

  receive(message: IntroductionMessage): void {
    switch (message.type) {
      case 'introduced':
        return this.#resolveIntroduced(message.iceServers)
      case 'signal':
        return this.#receiveSignal(message.data)
      case 'relay':
        this.#awaitsRelay = false
        return this.#resolveRelayed(message)
      case 'closed':
        this.#isGivenUp = !hubReasons.includes(message.reason)
        return this.fail(closedError(message.reason, this.#isClient))
      case 'error':
        if (!this.#awaitsRelay || !relayRefusals.includes(message.code))
          return this.fail(refusedError(message))
        this.#awaitsRelay = false
        return this.#rejectRelayed(refusedError(message))
    }
  }

  fail(error: MultiserverError): void {
    if (this.#error !== undefined) return
    this.#error = error
    this.#rejectIntroduced(error)
    this.#rejectRelayed(error)
    this.#reader?.reject(error)
    this.#reader = undefined
    this.#onEnd()
  }

  #receiveSignal(data: string): void {
    if (this.#reader !== undefined) {
      this.#reader.resolve(data)
      this.#reader = undefined
    } else if (this.#signals.length < limits.hub.signals) this.#signals.push(data)
  }
}

function closedError(reason: string, isClient: boolean): MultiserverError {
  if (isClient && reason === goneReason)
    return new MultiserverError('PEER_NOT_FOUND', 'the peer has gone from the hub')
  if (reason === 'BUSY') return new MultiserverError('BUSY')
  if (reason === lostReason)
    return new MultiserverError('BUSY', 'the peer reads more slowly than it is sent to')
  return new MultiserverError('CONNECT_FAILED', `the introduction ended: ${reason}`)
}

function refusedError({ code, message }: RefusedMessage): MultiserverError {
  switch (code) {
    case 'PEER_NOT_FOUND':
      return new MultiserverError('PEER_NOT_FOUND')
    case 'BUSY':
    case 'RATE':
      return new MultiserverError('BUSY', `the hub is busy: ${message}`)
    default:
      return new MultiserverError('HUB_REFUSED', `the hub refused the introduction: ${code} ${message}`)
  }
}
