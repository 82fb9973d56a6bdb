import { toBase64Url } from '../../core/bytes.ts'
import { MultiserverError } from '../../core/errors.ts'
import {
  decodeHubMessage,
  encodePeerMessage,
  hubMessageBytes,
  hubSubprotocol,
  type HubMessage,
  type PeerMessage,
} from '../../core/hub-protocol.ts'
import { limits } from '../../core/limits.ts'
import { openWebSocket, type WebSocketLike } from '#websocket'
import { IntroductionChannel } from './introduction-channel.ts'

const { silentAfterMs, probeTimeoutMs } = limits.hub

export type Welcome = Extract<HubMessage, { type: 'welcome' }>

/** What concerns the socket as a whole; the messages of an introduction go to its channel. */
export interface HubSocketEvents {
  onRegistered?(): void
  onIncoming?(channel: IntroductionChannel): void
  onReplaced?(): void
  onRestarting?(times: { reconnectAfterMs: number; tryForMs: number }): void
  /** An error that names no introduction: what was asked for the socket itself was refused. */
  onRefused?(error: MultiserverError): void
  /** Once, however it came. */
  onClose?(error: MultiserverError): void
}

/** A WebSocket to a hub, opening from the first moment; says when it is over. */
export class HubSocket {
  readonly url: string
  readonly welcome: Promise<Welcome>
  readonly closed: Promise<void>
  readonly #socket: WebSocketLike
  readonly #events: HubSocketEvents
  readonly #channels = new Map<string, IntroductionChannel>()
  #rejectWelcome: (error: Error) => void = () => undefined
  #resolveClosed: () => void = () => undefined
  #opened: Promise<void>
  #error: MultiserverError | undefined
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(url: string, events: HubSocketEvents = {}) {
    this.url = url
    this.#events = events
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve))
    this.#socket = openWebSocket(url, { protocols: [hubSubprotocol], maxMessageBytes: hubMessageBytes })
    let resolveWelcome: (welcome: Welcome) => void = () => undefined
    this.welcome = new Promise((resolve, reject) => {
      resolveWelcome = resolve
      this.#rejectWelcome = reject
    })
    this.#opened = new Promise((resolve, reject) => {
      this.#socket.on({
        onOpen: resolve,
        onMessage: (data) => this.#receive(data, resolveWelcome),
        onPing: () => this.#watch(),
        onClose: ({ code, reason, error }) => {
          const why = error?.message ?? `the hub closed the connection (${code}${reason && `: ${reason}`})`
          const lost = new MultiserverError('HUB_LOST', `${url}: ${why}`, { address: url, cause: error })
          reject(lost)
          this.#finish(lost)
          this.#resolveClosed()
        },
      })
    })
    this.#opened.catch(() => undefined)
    this.welcome.catch(() => undefined)
    this.#timer = setTimeout(() => {
      this.#drop(new MultiserverError('HUB_LOST', `${url}: no welcome in time`, { address: url }))
    }, limits.hub.answerTimeoutMs)
  }

  /** How many introductions use this socket. */
  get introductions(): number {
    return this.#channels.size
  }

  /** Sent in order, once the socket is open. What can't be sent shows as `onClose`. */
  send(message: PeerMessage): void {
    this.#opened.then(() => this.#socket.send(encodePeerMessage(message))).catch(() => undefined)
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

  close(): void {
    if (this.#error !== undefined) return
    this.#finish(new MultiserverError('ABORTED', 'the hub is not needed any more'))
    this.#socket.close(1000)
  }

  #receive(data: Uint8Array | string, resolveWelcome: (welcome: Welcome) => void): void {
    if (this.#error !== undefined) return
    this.#watch()
    const decoded = typeof data === 'string' ? decodeHubMessage(data) : { kind: 'unreadable' as const }
    if (decoded.kind === 'unreadable') {
      this.#drop(
        new MultiserverError('HUB_LOST', `${this.url} does not speak as a hub`, { address: this.url }),
      )
    } else if (decoded.kind === 'message') {
      if (decoded.message.type === 'welcome') resolveWelcome(decoded.message)
      else this.#dispatch(decoded.message)
    }
  }

  #dispatch(message: Exclude<HubMessage, { type: 'welcome' }>): void {
    switch (message.type) {
      case 'registered':
        return this.#events.onRegistered?.()
      case 'incoming':
        if (this.#events.onIncoming === undefined || this.#channels.has(message.id)) return
        return this.#events.onIncoming(this.openChannel(message.id))
      case 'introduced':
      case 'signal':
      case 'closed':
        return this.#channels.get(message.id)?.receive(message)
      case 'replaced':
        return this.#events.onReplaced?.()
      case 'restarting':
        return this.#events.onRestarting?.(message)
      case 'error': {
        const { id } = message
        if (id !== undefined) return this.#channels.get(id)?.receive({ ...message, id })
        const text = `${this.url} refused: ${message.code} ${message.message}`
        return this.#events.onRefused?.(new MultiserverError('HUB_REFUSED', text, { address: this.url }))
      }
      case 'relay':
      case 'ice-servers':
        return
    }
  }

  /** Something was heard: look again after a silence, and ask then. */
  #watch(): void {
    clearTimeout(this.#timer)
    if (this.#error !== undefined) return
    this.#timer = setTimeout(() => {
      // There is no such introduction, and the hub says so: any answer will do.
      this.send({ type: 'close', id: randomId(), reason: 'are you there?' })
      this.#timer = setTimeout(() => {
        this.#drop(new MultiserverError('HUB_LOST', `${this.url} has fallen silent`, { address: this.url }))
      }, probeTimeoutMs)
    }, silentAfterMs)
  }

  #drop(error: MultiserverError): void {
    this.#finish(error)
    this.#socket.terminate()
  }

  #finish(error: MultiserverError): void {
    if (this.#error !== undefined) return
    this.#error = error
    clearTimeout(this.#timer)
    this.#rejectWelcome(error)
    for (const channel of this.#channels.values()) channel.fail(error)
    this.#events.onClose?.(error)
  }
}

/** 16 random bytes, as introductions are told apart by. */
export function randomId(): string {
  return toBase64Url(crypto.getRandomValues(new Uint8Array(16)))
}
