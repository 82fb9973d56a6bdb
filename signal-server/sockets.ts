import { performance } from 'node:perf_hooks'
import type { Duplex } from 'node:stream'
import type { RawData, WebSocket } from 'ws'
import { encodeHubMessage, hubCloseCodes } from '../core/hub-protocol.ts'
import type { ClusterNode } from './cluster/cluster-node.ts'
import type { ClusterEvent } from './cluster/crossings.ts'
import { DueTimer } from './due-timer.ts'
import type { Hub, HubEffect, HubEvent, Withheld } from './hub.ts'
import type { SocketsObserver } from './hub-observer.ts'
import type { HubLimits } from './limits.ts'
import type { SocketId } from './peer.ts'
import type { Refusal } from './peers.ts'
import { untilGone } from './until-gone.ts'

/** What is known about a socket from the request that opened it. */
export interface Arrival {
  source: string
  acceptedAtMs: number
  dialedAs: readonly string[]
}

interface Line {
  readonly socket: WebSocket
  /** Under `socket`: what is sent in one turn leaves in one write, which is most of what sending costs. */
  readonly raw: Duplex
  isCorked: boolean
  /** Messages that were sent and the network has not taken yet. */
  waiting: number
  /** What they take. */
  queuedBytes: number
  /** What was not sent of which introduction, the first of each, until the hub has heard of it. */
  undelivered: Map<string, Withheld> | undefined
  isClosing: boolean
  /** One for all that is sent. */
  readonly onSent: () => void
}

/** The WebSockets of a hub: tells the state machine what happens on them, and does what it answers. */
export class HubSockets {
  readonly #hub: Hub
  readonly #limits: HubLimits
  readonly #cluster: ClusterNode | undefined
  readonly #observer: SocketsObserver | undefined
  readonly #lines = new Map<SocketId, Line>()
  #lastId: SocketId = 0
  #queuedBytes = 0
  readonly #timer = new DueTimer(() => this.#tell({ kind: 'time' }))
  #isDraining = false
  #onEmpty: (() => void) | undefined

  /** `cluster` does what the hub wants of other hubs. */
  constructor(hub: Hub, limits: HubLimits, observer?: SocketsObserver, cluster?: ClusterNode) {
    this.#hub = hub
    this.#limits = limits
    this.#observer = observer
    this.#cluster = cluster
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

  open(socket: WebSocket, raw: Duplex, arrival: Arrival): void {
    if (this.#isDraining) return socket.close(hubCloseCodes.restarting, 'the hub restarts')
    this.#lastId += 1
    const id = this.#lastId
    const line: Line = {
      socket,
      raw,
      isCorked: false,
      waiting: 0,
      queuedBytes: 0,
      undelivered: undefined,
      isClosing: false,
      onSent: () => this.#count(line, -1),
    }
    this.#lines.set(id, line)
    socket.on('message', (data, isBinary) => this.#receive(id, data, isBinary))
    socket.on('ping', (data) => this.#tell({ kind: 'ping', socket: id, bytes: data.length }))
    socket.on('pong', (data) => this.#tell({ kind: 'pong', socket: id, bytes: data.length }))
    socket.on('close', (code) => this.#remove(id, code))
    this.#tell({ kind: 'connected', socket: id, ...arrival })
  }

  /** What happened in the cluster. */
  hear(event: ClusterEvent): void {
    this.#tell({ kind: 'cluster', event })
  }

  /** Sends everyone away and leaves the cluster; resolves when the last socket is gone, at most twice the closing timeout later. */
  async drain(): Promise<void> {
    this.#isDraining = true
    this.#tell({ kind: 'drain' })
    await untilGone(this.#lines, this.#limits.closeMs, (onGone) => (this.#onEmpty = onGone))
    await this.#cluster?.close()
    this.#timer.clear()
  }

  #receive(id: SocketId, data: RawData, isBinary: boolean): void {
    const line = this.#lines.get(id)
    if (line === undefined) return
    // Whoever sends on behind the goodbye is not read any more; the closing timeout ends it.
    if (line.isClosing) return line.socket.pause()
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
    if (!('socket' in effect)) return this.#cluster?.do(effect)
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
    const isFromOthers = message.type === 'incoming' || message.type === 'signal'
    if (isFromOthers && line.queuedBytes > this.#limits.queueBytes / 2)
      return this.#withhold(socket, line, message)
    // Whoever has not heard of an introduction need not hear that it is over.
    if (message.type === 'closed' && line.undelivered?.get(message.id) === 'incoming') return
    if (!line.isCorked) {
      line.isCorked = true
      line.raw.cork()
      queueMicrotask(() => uncork(line))
    }
    const text = encodeHubMessage(message)
    line.socket.send(text, line.onSent)
    this.#observer?.sent(Buffer.byteLength(text))
    if (receivedAtMs !== undefined) this.#observer?.signalPassed(nowMs() - receivedAtMs)
    this.#count(line, 1)
    if (line.queuedBytes > this.#limits.queueBytes) this.#drop(socket, line)
    if (this.#queuedBytes > this.#limits.queueBytesInAll) this.#dropLongest()
  }

  /**
   * Whoever knows a key can have this sent to its peer: what is too much ends their introduction, and never its socket. The
   * other half of the queue is for answers to what it asked itself. The hub is told once of each introduction, and not in
   * the middle of its own answer.
   */
  #withhold(socket: SocketId, line: Line, { id, type }: { id: string; type: Withheld }): void {
    if (line.undelivered !== undefined) {
      if (!line.undelivered.has(id)) line.undelivered.set(id, type)
      return
    }
    const undelivered = new Map([[id, type]])
    line.undelivered = undelivered
    queueMicrotask(() => {
      line.undelivered = undefined
      for (const [about, what] of undelivered) this.#tell({ kind: 'undelivered', socket, id: about, what })
    })
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

  /**
   * The peer's half of the closing handshake ends it, or the closing timeout. One that was paused stays so: to read
   * out what a flooder goes on sending for that time would be what pausing is there to prevent. One that is closing
   * already, for its peer has ended, gets no closing timeout from ws.
   */
  #close(line: Line, code: number, reason: string): void {
    line.isClosing = true
    this.#observer?.closed('hub', code)
    const { socket } = line
    const isOpen = socket.readyState === socket.OPEN
    socket.close(code, reason)
    uncork(line)
    // Whoever had nothing to say in time gets no more of it for the goodbye.
    if (!isOpen || code === hubCloseCodes.deadline) socket.terminate()
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

  #count(line: Line, change: 1 | -1): void {
    line.waiting += change
    if (line.isClosing) return
    const queuedBytes = line.socket.bufferedAmount + line.waiting * messageCostBytes
    this.#queuedBytes += queuedBytes - line.queuedBytes
    line.queuedBytes = queuedBytes
  }
}

/** What a message that waits takes beside its bytes: two buffers and their places in a queue. 250 in Node 20, and more while it is written. */
const messageCostBytes = 320

/** RFC 6455, section 7.4.1. */
const messageTooBig = 1009

function uncork(line: Line): void {
  if (!line.isCorked) return
  line.isCorked = false
  line.raw.uncork()
}

/** A clock that no one can set, in milliseconds. */
export function nowMs(): number {
  return performance.now()
}
