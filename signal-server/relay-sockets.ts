import type { RawData, WebSocket } from 'ws'
import { relayOpenText } from '../core/relay-protocol.ts'
import { DueTimer } from './due-timer.ts'
import type { Guest } from './peers.ts'
import type { HubLimits } from './limits.ts'
import type { SocketId } from './peer.ts'
import type { Relay } from './relay.ts'
import type {
  RelayAnswer,
  RelayCounts,
  RelayDesk,
  RelayEffect,
  RelayEvent,
  RelayOwners,
} from './relay-events.ts'
import { nowMs } from './sockets.ts'

interface Line {
  readonly socket: WebSocket
  readonly guest: Guest
  /** The far end, once both are there. */
  other: Line | undefined
  /** Why it is not read: the rates do not allow it; what it sent waits to be taken by the far end. */
  isHeld: boolean
  isAhead: boolean
  isClosing: boolean
}

/** The WebSockets of the relay: tells the state machine what happens on them, and does what it answers. */
export class RelaySockets implements RelayDesk {
  readonly #relay: Relay
  readonly #limits: HubLimits
  readonly #lines = new Map<SocketId, Line>()
  #lastId: SocketId = 0
  readonly #timer = new DueTimer(() => this.#tell({ kind: 'time' }))
  #onEmpty: (() => void) | undefined

  constructor(relay: Relay, limits: HubLimits) {
    this.#relay = relay
    this.#limits = limits
  }

  counts(): RelayCounts {
    return this.#relay.counts()
  }

  /** Of all sockets together. */
  get queuedBytes(): number {
    let bytes = 0
    for (const { socket } of this.#lines.values()) bytes += socket.bufferedAmount
    return bytes
  }

  open(owners: RelayOwners, atMs: number): RelayAnswer {
    const answer = this.#relay.open(owners, atMs)
    this.#timer.set(this.#relay.nextAtMs)
    return answer
  }

  add(socket: WebSocket, guest: Guest, acceptedAtMs: number): void {
    this.#lastId += 1
    const id = this.#lastId
    const line: Line = { socket, guest, other: undefined, isHeld: false, isAhead: false, isClosing: false }
    this.#lines.set(id, line)
    socket.on('message', (data, isBinary) => this.#receive(id, line, data, isBinary))
    for (const kind of ['ping', 'pong'] as const) {
      socket.on(kind, (data: Buffer) => {
        if (!line.isClosing) this.#tell({ kind: 'control', socket: id, bytes: data.length })
      })
    }
    socket.on('close', () => this.#remove(id, line))
    this.#tell({ kind: 'connected', socket: id, acceptedAtMs })
  }

  /** Sends everyone away; resolves when the last socket is gone, which the closing timeout of each sees to. */
  async drain(): Promise<void> {
    this.#tell({ kind: 'drain' })
    if (this.#lines.size > 0) await new Promise<void>((resolve) => (this.#onEmpty = resolve))
    this.#timer.clear()
  }

  #receive(id: SocketId, line: Line, data: RawData, isBinary: boolean): void {
    if (line.isClosing) return
    // As ws gives it unless it is told otherwise.
    if (!Buffer.isBuffer(data)) throw new TypeError('a message of ws is a Buffer')
    if (isBinary) this.#tell({ kind: 'frame', socket: id, bytes: data.length }, data)
    // Nothing that long is a token; it is not even decoded.
    else this.#tell({ kind: 'text', socket: id, text: data.length > longestText ? '' : data.toString() })
  }

  #tell(event: RelayEvent, frame?: Buffer): void {
    for (const effect of this.#relay.handle(event, nowMs())) this.#do(effect, frame)
    this.#timer.set(this.#relay.nextAtMs)
  }

  #do(effect: RelayEffect, frame: Buffer | undefined): void {
    if (effect.kind === 'join') return this.#join(effect.sockets)
    const line = this.#lines.get(effect.socket)
    if (line === undefined || line.isClosing) return
    switch (effect.kind) {
      case 'settle':
        return line.guest.settle()
      case 'pass':
        return frame === undefined ? undefined : this.#pass(line, frame)
      case 'hold':
      case 'release':
        line.isHeld = effect.kind === 'hold'
        return readOrPause(line)
      case 'close':
        return close(line, effect.code, effect.reason)
    }
  }

  #join(sockets: readonly [SocketId, SocketId]): void {
    const [one, other] = sockets.map((id) => this.#lines.get(id))
    if (one === undefined || other === undefined) return
    one.other = other
    other.other = one
    one.socket.send(relayOpenText)
    other.socket.send(relayOpenText)
  }

  /** Its far end is not read while too much waits for `line`: so the sender's own network holds it back. */
  #pass(line: Line, frame: Buffer): void {
    const { socket, other } = line
    socket.send(frame, () => {
      if (other?.isAhead !== true || socket.bufferedAmount > this.#limits.relayQueueBytes / 2) return
      other.isAhead = false
      readOrPause(other)
    })
    if (other === undefined || socket.bufferedAmount <= this.#limits.relayQueueBytes) return
    other.isAhead = true
    readOrPause(other)
  }

  #remove(id: SocketId, line: Line): void {
    line.isClosing = true
    this.#lines.delete(id)
    line.guest.leave(nowMs())
    this.#tell({ kind: 'disconnected', socket: id })
    if (this.#lines.size === 0) this.#onEmpty?.()
  }
}

/** A token has 43 characters. */
const longestText = 64

function readOrPause(line: Line): void {
  if (line.isHeld || line.isAhead) line.socket.pause()
  else line.socket.resume()
}

/**
 * One that was paused stays so: what a sender had under way is not read out only to be dropped. Its half of the closing
 * handshake is not seen then, and the closing timeout ends it.
 */
function close(line: Line, code: number, reason: string): void {
  line.isClosing = true
  line.socket.close(code, reason)
}
