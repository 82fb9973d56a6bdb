import type { RawData, WebSocket } from 'ws'
import { relayOpenText } from '../core/relay-protocol.ts'
import { DueTimer } from './due-timer.ts'
import type { Guest } from './peers.ts'
import type { HubLimits } from './limits.ts'
import { PackedFrames } from './packed-frames.ts'
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
import { untilGone } from './until-gone.ts'

interface Line {
  readonly socket: WebSocket
  readonly guest: Guest
  /** The far end, once both are there. */
  other: Line | undefined
  /** Frames that its socket has and its network has not taken. */
  frames: number
  /** Too much waits for it: the far end is not read, and what was read by then is kept here. */
  isFull: boolean
  /** Ends it: it is full and its network takes nothing. */
  stuck: NodeJS.Timeout | undefined
  readonly rest: PackedFrames
  /** The rates do not allow it to be read. */
  isHeld: boolean
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
    for (const line of this.#lines.values()) bytes += queued(line) + line.rest.bytes
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
    const line: Line = {
      socket,
      guest,
      other: undefined,
      frames: 0,
      isFull: false,
      stuck: undefined,
      rest: new PackedFrames(),
      isHeld: false,
      isClosing: false,
    }
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

  /** Sends everyone away; resolves when the last socket is gone, at most twice the closing timeout later. */
  async drain(): Promise<void> {
    this.#tell({ kind: 'drain' })
    await untilGone(this.#lines, this.#limits.closeMs, (onGone) => (this.#onEmpty = onGone))
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
        this.#flush(line)
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
    // One read of a socket holds thousands of the smallest, and all of them come although it was paused at the first.
    if (line.isFull) line.rest.push(frame)
    else this.#send(line, frame)
  }

  #send(line: Line, frame: Buffer): void {
    line.frames += 1
    line.socket.send(frame, () => {
      line.frames -= 1
      line.stuck?.refresh()
      this.#goOn(line)
    })
    if (line.isFull || queued(line) <= this.#limits.relayQueueBytes) return
    line.isFull = true
    // The far end is not read now, so nobody would hear that it left; and who takes nothing is gone, whatever its socket says.
    line.stuck = setTimeout(() => line.socket.terminate(), this.#limits.relayStuckMs)
    readOrPause(line.other)
  }

  /** Less waits for it now: what was kept back goes first, and then its far end is read on. */
  #goOn(line: Line): void {
    if (line.isClosing || !line.isFull || queued(line) > this.#limits.relayQueueBytes / 2) return
    line.isFull = false
    stopWaiting(line)
    while (!line.isFull) {
      const kept = line.rest.shift()
      if (kept === undefined) return readOrPause(line.other)
      this.#send(line, kept)
    }
  }

  /** What was kept goes before the close, up to as much again as may wait: a hub that drains closes all at once. */
  #flush(line: Line): void {
    while (queued(line) <= 2 * this.#limits.relayQueueBytes) {
      const kept = line.rest.shift()
      if (kept === undefined) return
      this.#send(line, kept)
    }
  }

  #remove(id: SocketId, line: Line): void {
    line.isClosing = true
    stopWaiting(line)
    this.#lines.delete(id)
    line.guest.leave(nowMs())
    this.#tell({ kind: 'disconnected', socket: id })
    if (this.#lines.size === 0) this.#onEmpty?.()
  }
}

/** A token has 43 characters. */
const longestText = 64

/**
 * What a frame takes while it waits, beside its bytes: two Buffers, two entries of Node's queue of writes and a closure.
 * `bufferedAmount` has 2 bytes for it.
 */
const waitingFrameBytes = 512

/** What its socket holds for it. */
function queued({ socket, frames }: Line): number {
  return socket.bufferedAmount + frames * waitingFrameBytes
}

function stopWaiting(line: Line): void {
  clearTimeout(line.stuck)
  line.stuck = undefined
}

function readOrPause(line: Line | undefined): void {
  if (line === undefined) return
  if (line.isHeld || line.other?.isFull === true) line.socket.pause()
  else line.socket.resume()
}

/**
 * One that was paused stays so: what a sender had under way is not read out only to be dropped. Its half of the closing
 * handshake is not seen then, and the closing timeout ends it. One that is closing already, for its peer has ended, gets
 * no such timeout from ws.
 */
function close(line: Line, code: number, reason: string): void {
  const { socket } = line
  line.isClosing = true
  stopWaiting(line)
  if (socket.readyState === socket.OPEN) socket.close(code, reason)
  else socket.terminate()
}
