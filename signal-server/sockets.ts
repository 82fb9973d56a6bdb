import { performance } from 'node:perf_hooks'
import type { RawData, WebSocket } from 'ws'
import { encodeHubMessage, hubCloseCodes } from '../core/hub-protocol.ts'
import { DueTimer } from './due-timer.ts'
import type { Hub, HubEffect, HubEvent } from './hub.ts'
import type { SocketsObserver } from './hub-observer.ts'
import type { HubLimits } from './limits.ts'
import type { SocketId } from './peer.ts'
import type { Refusal } from './peers.ts'

/** What is known about a socket from the request that opened it. */
export interface Arrival {
  source: string
  acceptedAtMs: number
  dialedAs: readonly string[]
}

interface Line {
  readonly socket: WebSocket
  /** What was sent and the network has not taken yet. */
  queuedBytes: number
  isClosing: boolean
}

/** The WebSockets of a hub: tells the state machine what happens on them, and does what it answers. */
export class HubSockets {
  readonly #hub: Hub
  readonly #limits: HubLimits
  readonly #observer: SocketsObserver | undefined
  readonly #lines = new Map<SocketId, Line>()
  #lastId: SocketId = 0
  #queuedBytes = 0
  readonly #timer = new DueTimer(() => this.#tell({ kind: 'time' }))
  #isDraining = false
  #onEmpty: (() => void) | undefined

  constructor(hub: Hub, limits: HubLimits, observer?: SocketsObserver) {
    this.#hub = hub
    this.#limits = limits
    this.#observer = observer
  }

  get isDraining(): boolean {
    return this.#isDraining
  }

  /** Of all sockets together. */
  get queuedBytes(): number {
    return this.#queuedBytes
  }

  /** Why no socket from `source` is taken now. */
  refusal(source: string): Refusal | undefined {
    const refusal = this.#hub.refusal(source, nowMs())
    if (refusal !== undefined) this.#observer?.notTaken(refusal.code)
    return refusal
  }

  open(socket: WebSocket, arrival: Arrival): void {
    if (this.#isDraining) return socket.close(hubCloseCodes.restarting, 'the hub restarts')
    this.#lastId += 1
    const id = this.#lastId
    this.#lines.set(id, { socket, queuedBytes: 0, isClosing: false })
    socket.on('message', (data, isBinary) => this.#receive(id, data, isBinary))
    socket.on('ping', (data) => this.#tell({ kind: 'ping', socket: id, bytes: data.length }))
    socket.on('pong', (data) => this.#tell({ kind: 'pong', socket: id, bytes: data.length }))
    socket.on('close', (code) => this.#remove(id, code))
    this.#tell({ kind: 'connected', socket: id, ...arrival })
  }

  /** Sends everyone away; resolves when the last socket is gone, which the closing timeout of each sees to. */
  async drain(): Promise<void> {
    this.#isDraining = true
    this.#tell({ kind: 'drain' })
    if (this.#lines.size > 0) await new Promise<void>((resolve) => (this.#onEmpty = resolve))
    this.#timer.clear()
  }

  #receive(id: SocketId, data: RawData, isBinary: boolean): void {
    if (isBinary) return this.#tell({ kind: 'binary', socket: id })
    const bytes = Buffer.isBuffer(data)
      ? data
      : Buffer.concat(Array.isArray(data) ? data : [new Uint8Array(data)])
    this.#observer?.received(bytes.length)
    // The app's own bound may be a little higher, for the relay.
    if (bytes.length > this.#limits.messageBytes) return this.#refuseLong(id)
    this.#tell({ kind: 'message', socket: id, text: bytes.toString(), bytes: bytes.length })
  }

  #refuseLong(id: SocketId): void {
    const line = this.#lines.get(id)
    if (line === undefined || line.isClosing) return
    this.#close(line, messageTooBig, 'a message is too long')
    this.#tell({ kind: 'disconnected', socket: id })
  }

  #tell(event: HubEvent): void {
    for (const effect of this.#hub.handle(event, nowMs())) this.#do(effect)
    if (!this.#isDraining) this.#timer.set(this.#hub.nextAtMs)
  }

  #do(effect: HubEffect): void {
    const line = this.#lines.get(effect.socket)
    if (line === undefined || line.isClosing) return
    switch (effect.kind) {
      case 'send':
        return this.#send(line, effect)
      case 'close':
        return this.#close(line, effect.code, effect.reason)
      case 'ping':
        return line.socket.ping()
      case 'pause':
        return line.socket.pause()
      case 'resume':
        return line.socket.resume()
    }
  }

  #send(line: Line, { socket, message, receivedAtMs }: Extract<HubEffect, { kind: 'send' }>): void {
    const text = encodeHubMessage(message)
    line.socket.send(text, () => this.#count(line))
    this.#observer?.sent(Buffer.byteLength(text))
    if (receivedAtMs !== undefined) this.#observer?.signalPassed(nowMs() - receivedAtMs)
    this.#count(line)
    if (line.queuedBytes > this.#limits.queueBytes) this.#drop(socket, line)
    if (this.#queuedBytes > this.#limits.queueBytesInAll) this.#dropLongest()
  }

  #dropLongest(): void {
    let longest: [SocketId, Line] | undefined
    for (const entry of this.#lines) {
      if (longest === undefined || entry[1].queuedBytes > longest[1].queuedBytes) longest = entry
    }
    if (longest !== undefined) this.#drop(...longest)
  }

  /** A peer that does not read: the hub must hear of it as well, and not in the middle of its own answer. */
  #drop(id: SocketId, line: Line): void {
    this.#close(line, hubCloseCodes.slow, 'too much waits to be sent')
    // What waits is freed when the socket is destroyed in a moment; others must not be dropped for it.
    this.#queuedBytes -= line.queuedBytes
    line.queuedBytes = 0
    queueMicrotask(() => this.#tell({ kind: 'disconnected', socket: id }))
  }

  #close(line: Line, code: number, reason: string): void {
    line.isClosing = true
    this.#observer?.closed('hub', code)
    line.socket.close(code, reason)
    // A socket that is not read would not see the peer's half of the closing handshake either.
    line.socket.resume()
  }

  #remove(id: SocketId, code: number): void {
    const line = this.#lines.get(id)
    if (line === undefined) return
    if (!line.isClosing) this.#observer?.closed('peer', code)
    this.#queuedBytes -= line.queuedBytes
    line.queuedBytes = 0
    line.isClosing = true
    this.#lines.delete(id)
    this.#tell({ kind: 'disconnected', socket: id })
    if (this.#lines.size === 0) this.#onEmpty?.()
  }

  #count(line: Line): void {
    if (line.isClosing) return
    this.#queuedBytes += line.socket.bufferedAmount - line.queuedBytes
    line.queuedBytes = line.socket.bufferedAmount
  }
}

/** RFC 6455, section 7.4.1. */
const messageTooBig = 1009

/** A clock that no one can set, in milliseconds. */
export function nowMs(): number {
  return performance.now()
}
