import { toBase64Url } from '../../core/bytes.ts'
import { MultiserverError } from '../../core/errors.ts'
import {
  decodeHubMessage,
  encodePeerMessage,
  hubMessageBytes,
  hubSubprotocol,
  type HubMessage,
  type IceServer,
  type PeerMessage,
} from '../../core/hub-protocol.ts'
import { printable } from '../../core/hub-fields.ts'
import { limits } from '../../core/limits.ts'
import { openWebSocket, type WebSocketLike } from '#websocket'
import { HubPace } from './hub-pace.ts'
import { IntroductionChannel } from './introduction-channel.ts'
import type { Bytes, Scope } from '../../core/types.ts'

const { closeTimeoutMs, leastSilentMs, pingEveryMs, probeTimeoutMs, silentAfterMs, unsentCharacters } =
  limits.hub
const { lateTimerMs } = limits.session
/** Of the time between two PINGs. */
const pingLate = 1.1

export type Welcome = Extract<HubMessage, { type: 'welcome' }>

/** Why a hub did not take a record. */
export interface RecordRefusal {
  readonly code: 'RECORD_STALE' | 'RECORD_INVALID'
  readonly message: string
  /** The record that it says it has. */
  readonly stored?: Bytes | undefined
}

/** What concerns the socket as a whole; the messages of an introduction go to its channel. */
export interface HubSocketEvents {
  onRegistered?(): void
  /** Those to use from now on; at `registered` and whenever the hub renews their credentials. */
  onIceServers?(iceServers: readonly IceServer[]): void
  onIncoming?(channel: IntroductionChannel): void
  onReplaced?(): void
  onRestarting?(times: { reconnectAfterMs: number; tryForMs: number }): void
  /** The hub did not take the record; `stored` is what it has instead. */
  onRecordRefused?(refusal: RecordRefusal): void
  /** Any other error that names no introduction: what was asked for the socket itself was refused. */
  onRefused?(error: MultiserverError): void
  /** Once, however it came. */
  onClose?(error: MultiserverError): void
}

export interface HubSocketOptions {
  /** How near the hub may be, when somebody else has named it. */
  readonly reach?: Scope | undefined
  /** From now to the hub's welcome. @default 10,000 */
  readonly answerTimeoutMs?: number | undefined
  /** It is over when the hub has fallen silent, and yet stays open until `terminate`: for the hub, that goes by it until another one is there. */
  readonly stays?: boolean | undefined
}

/** A WebSocket to a hub, opening from the first moment; says when it is over. */
export class HubSocket {
  readonly url: string
  readonly welcome: Promise<Welcome>
  /** Resolves when the hub's machine has answered; a browser can't tell, and it does so at once. Rejects when none has. */
  readonly reached: Promise<void>
  readonly closed: Promise<void>
  readonly #socket: WebSocketLike
  readonly #stays: boolean
  readonly #events: HubSocketEvents
  readonly #channels = new Map<string, IntroductionChannel>()
  #rejectWelcome: (error: Error) => void = () => undefined
  #resolveClosed: () => void = () => undefined
  #opened: Promise<void>
  #error: MultiserverError | undefined
  readonly #pace = new HubPace()
  #unsent = 0
  #relays = false
  #isUnreached = true
  /** Until `welcome`, then none; after close() until the socket is gone. */
  #deadline: ReturnType<typeof setTimeout> | undefined
  #silence: ReturnType<typeof setTimeout> | undefined
  /** When the hub pinged last. */
  #pingedAt: number | undefined
  /** Between its last PINGs. One that comes late makes two of three others than they are. */
  #pingGapsMs: readonly number[] = [pingEveryMs, pingEveryMs, pingEveryMs]
  /** While it is asked, by the clock of performance.now(). */
  #answerBy = Infinity

  constructor(url: string, events: HubSocketEvents = {}, options: HubSocketOptions = {}) {
    const { reach, answerTimeoutMs = limits.hub.answerTimeoutMs, stays = false } = options
    this.url = url
    this.#stays = stays
    this.#events = events
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve))
    const protocols = [hubSubprotocol]
    let resolveReached: () => void = () => undefined
    let rejectReached: (error: Error) => void = () => undefined
    this.reached = new Promise((resolve, reject) => {
      resolveReached = resolve
      rejectReached = reject
    })
    this.reached.catch(() => undefined)
    const onConnect = () => {
      this.#isUnreached = false
      resolveReached()
    }
    const maxMessageBytes = hubMessageBytes
    this.#socket = openWebSocket(url, { protocols, maxMessageBytes, reach, closeTimeoutMs, onConnect })
    let resolveWelcome: (welcome: Welcome) => void = () => undefined
    this.welcome = new Promise((resolve, reject) => {
      resolveWelcome = resolve
      this.#rejectWelcome = reject
    })
    this.#opened = new Promise((resolve, reject) => {
      this.#socket.on({
        onOpen: resolve,
        onMessage: (data) => this.#receive(data, resolveWelcome),
        onPing: () => this.#onPing(),
        onClose: ({ code, reason, error }) => {
          const said = reason === '' ? '' : `: ${printable(reason, 256)}`
          const why = error?.message ?? `the hub closed the connection (${code}${said})`
          const lost = new MultiserverError('HUB_LOST', `${url}: ${why}`, { address: url, cause: error })
          reject(lost)
          rejectReached(lost)
          if (isRefusal(error)) this.#isUnreached = false
          this.#finish(lost)
          clearTimeout(this.#deadline)
          this.#resolveClosed()
        },
      })
    })
    this.#opened.catch(() => undefined)
    this.welcome.catch(() => undefined)
    this.#deadline = setTimeout(() => this.#drop('does not say welcome'), answerTimeoutMs)
  }

  /** Whether the hub has said that it relays. */
  get relays(): boolean {
    return this.#relays
  }

  /** Whether nothing has come back from the hub's machine, not even a refusal; a browser can't tell, and says that it has. */
  get isUnreached(): boolean {
    return this.#isUnreached
  }

  /** Whether it is closed, or closing. */
  get isOver(): boolean {
    return this.#error !== undefined
  }

  /** Sent in order, once the socket is open, and no faster than the hub takes. What can't be sent shows as `onClose`. */
  send(message: PeerMessage): void {
    const text = encodePeerMessage(message)
    this.#whenOpen(() => {
      // More than its hub takes for long: one introduction is to suffer, not all of them.
      if (message.type === 'signal' && this.#pace.waitingBytes > unsentCharacters)
        return this.#endCrowded(message.id)
      this.#pace.take(text.length, () => this.#sendNow(text))
    })
  }

  /** The messages of an introduction, until `onEnd`. */
  openChannel(id: string): IntroductionChannel {
    const channel = new IntroductionChannel(
      id,
      (message) => this.send(message),
      () => this.#channels.delete(id),
    )
    this.#channels.set(id, channel)
    if (this.#error !== undefined) channel.fail(this.#error)
    return channel
  }

  /** Resolves to true once the hub has answered what it was sent until now, false when the socket goes before. */
  async answered(): Promise<boolean> {
    // There is no such introduction, and the hub says so; it answers in order.
    const channel = this.openChannel(randomId())
    this.send({ type: 'close', id: channel.id, reason: 'are you there?' })
    await channel.nextSignal().catch(() => undefined)
    return !this.isOver
  }

  /** Gives the socket up unless the hub says something in this time: any answer will do. At once where none can come. */
  ask(timeoutMs: number): void {
    if (this.#error !== undefined) return
    if (this.#socket.isStranded)
      return this.#leave('was dialed from an address that this machine no longer has')
    const answerBy = performance.now() + timeoutMs
    // To ask again and again grants no more time.
    if (answerBy >= this.#answerBy) return
    this.#answerBy = answerBy
    clearTimeout(this.#silence)
    // There is no such introduction, and the hub says so. Ahead of all that waits for its turn.
    const text = encodePeerMessage({ type: 'close', id: randomId(), reason: 'are you there?' })
    this.#whenOpen(() => this.#sendNow(text))
    const leave = () => this.#leave('has fallen silent')
    this.#silence = setTimeout(() => {
      const isLate = performance.now() > answerBy + lateTimerMs
      // This process stood still: the answer may be here already, for sockets are read after timers.
      if (isLate) this.#silence = setTimeout(leave, lateTimerMs)
      else leave()
    }, timeoutMs)
  }

  terminate(): void {
    this.#finish(new MultiserverError('ABORTED', 'the hub is not needed any more'))
    this.#socket.terminate()
  }

  close(): void {
    if (this.#error !== undefined) return
    // Whoever is being introduced to me need not wait for a path.
    for (const channel of this.#channels.values()) channel.close('closed')
    this.#finish(new MultiserverError('ABORTED', 'the hub is not needed any more'))
    // Behind what was said until now.
    queueMicrotask(() => this.#socket.close(1000))
    // A hub that does not answer the goodbye must not hold the socket.
    this.#deadline = setTimeout(() => this.#socket.terminate(), closeTimeoutMs)
  }

  #whenOpen(send: () => void): void {
    this.#opened.then(send, () => undefined)
  }

  #endCrowded(id: string): void {
    this.#channels.get(id)?.fail(new MultiserverError('BUSY', 'too much waits to be sent to the hub'))
  }

  /** What a hub makes me say while it does not listen must not fill the memory. */
  #sendNow(text: string): void {
    if (this.#unsent > unsentCharacters) return this.#drop('does not read what is sent to it')
    this.#unsent += text.length
    this.#socket.send(text).then(
      () => (this.#unsent -= text.length),
      () => undefined,
    )
  }

  #receive(data: Uint8Array | string, resolveWelcome: (welcome: Welcome) => void): void {
    if (this.#error !== undefined) return
    this.#watch()
    const decoded = typeof data === 'string' ? decodeHubMessage(data) : { kind: 'unreadable' as const }
    if (decoded.kind === 'unreadable') this.#drop('does not speak as a hub')
    else if (decoded.kind === 'message') {
      if (decoded.message.type === 'welcome') {
        clearTimeout(this.#deadline)
        this.#relays = decoded.message.relay
        this.#pace.keepTo(decoded.message.limits)
        resolveWelcome(decoded.message)
      } else this.#dispatch(decoded.message)
    }
  }

  #dispatch(message: Exclude<HubMessage, { type: 'welcome' }>): void {
    switch (message.type) {
      case 'registered':
        this.#events.onIceServers?.(message.iceServers)
        return this.#events.onRegistered?.()
      case 'ice-servers':
        return this.#events.onIceServers?.(message.iceServers)
      case 'incoming':
        if (this.#events.onIncoming === undefined || this.#channels.has(message.id)) return
        return this.#events.onIncoming(this.openChannel(message.id))
      case 'introduced':
      case 'signal':
      case 'relay':
      case 'closed':
        return this.#channels.get(message.id)?.receive(message)
      case 'replaced':
        return this.#events.onReplaced?.()
      case 'restarting':
        return this.#events.onRestarting?.(message)
      case 'error': {
        const { id, code, record: stored } = message
        if (id !== undefined) return this.#channels.get(id)?.receive({ ...message, id })
        if (code === 'RECORD_STALE' || code === 'RECORD_INVALID') {
          return this.#events.onRecordRefused?.({ code, message: message.message, stored })
        }
        const text = `${this.url} refused: ${message.code} ${message.message}`
        return this.#events.onRefused?.(new MultiserverError('HUB_REFUSED', text, { address: this.url }))
      }
    }
  }

  #onPing(): void {
    const now = performance.now()
    if (this.#pingedAt !== undefined) this.#pingGapsMs = [...this.#pingGapsMs.slice(1), now - this.#pingedAt]
    this.#pingedAt = now
    this.#watch()
  }

  /** Something was heard: look again after a silence, and ask then. */
  #watch(): void {
    clearTimeout(this.#silence)
    this.#answerBy = Infinity
    if (this.#error !== undefined) return
    // A hub whose PING is overdue is about to give this socket up as well.
    const gapMs = this.#socket.seesPings ? median(this.#pingGapsMs) : Infinity
    const overdueMs = Math.max(pingLate * gapMs, leastSilentMs)
    this.#silence = setTimeout(() => this.ask(probeTimeoutMs), Math.min(overdueMs, silentAfterMs))
  }

  #leave(why: string): void {
    this.#lose(why)
    if (!this.#stays) this.#socket.terminate()
  }

  #drop(why: string): void {
    this.#lose(why)
    this.#socket.terminate()
  }

  #lose(why: string): void {
    this.#finish(new MultiserverError('HUB_LOST', `${this.url} ${why}`, { address: this.url }))
  }

  #finish(error: MultiserverError): void {
    if (this.#error !== undefined) return
    this.#error = error
    clearTimeout(this.#deadline)
    clearTimeout(this.#silence)
    this.#rejectWelcome(error)
    for (const channel of this.#channels.values()) channel.fail(error)
    this.#pace.end()
    this.#events.onClose?.(error)
  }
}

function median(three: readonly number[]): number {
  return three.toSorted((a, b) => a - b)[1] ?? Infinity
}

function isRefusal(error: Error | undefined): boolean {
  return error !== undefined && 'code' in error && error.code === 'ECONNREFUSED'
}

/** 16 random bytes, as introductions are told apart by. */
export function randomId(): string {
  return toBase64Url(crypto.getRandomValues(new Uint8Array(16)))
}
