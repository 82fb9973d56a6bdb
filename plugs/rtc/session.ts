import { ByteQueue } from '../../core/byte-queue.ts'
import { MultiserverError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { onPageHide } from '#wrtc'
import { longestDirection, resetCodes, dataHeaderBytes, type Frame } from './frames.ts'
import { ReceiveWindow } from './receive-window.ts'
import { SendBuffer } from './send-buffer.ts'
import { SessionPath } from './session-path.ts'
import type { Bytes, ByteStream, Path, StreamInfo } from '../../core/types.ts'
import type { FramePath } from './frame-path.ts'

const { acknowledgeAfterMs, initialLimitBytes, resetCloseMs, serverCloseMs, unacknowledgedBytes } =
  limits.session

export interface SessionOptions {
  /** 16 random bytes of the client, sealed to the server in the offer. */
  readonly id: Bytes
  readonly role: 'client' | 'server'
  /** The far side as an address section, and what limits count it by. */
  readonly address: string
  readonly source?: string | undefined
}

/** Better first. */
const ranks: readonly Path[] = ['direct', 'turn', 'relay']

/**
 * The byte stream of an rtc connection, over whichever path is best.
 *
 * Offsets count the bytes of each direction from 0 whatever path they took. What is not acknowledged is kept, so
 * that a new path goes on where the peer's `received` stands; the reader's window is the sender's credit. A gap in
 * the offsets means that the path lost a message without saying so: it is given up.
 */
export class Session implements ByteStream {
  readonly info: StreamInfo
  readonly closed: Promise<void>
  /** Resolves when the first path is open, both HELLOs through; rejects when there is none to come. */
  readonly opened: Promise<void>
  readonly #id: Bytes
  readonly #role: 'client' | 'server'
  readonly #paths = new Set<SessionPath>()
  readonly #released: Promise<void>[] = []
  readonly #pathListeners = new Set<(path: Path) => void>()
  readonly #queue: ByteQueue
  readonly #window = new ReceiveWindow()
  readonly #kept = new SendBuffer()
  readonly #unwatchPage: () => void
  #resolveOpened: () => void = () => undefined
  #rejectOpened: (error: Error) => void = () => undefined
  #resolveClosed: () => void = () => undefined
  /** The path in use; what is sent on it goes on at `#next`. */
  #current: SessionPath | undefined
  #next = 0
  #endSentHere = false
  /** The highest offset that ever left, and whether the end did: nothing beyond may be acknowledged. */
  #sent = 0
  #endSent = false
  #ended = false
  #endAcknowledged = false
  #peerLimit: number = initialLimitBytes
  #peerEnd: number | undefined
  #lastPing: { path: SessionPath; id: number } | undefined
  #room: { resolve: () => void; reject: (error: Error) => void } | undefined
  #ending: { resolve: () => void; reject: (error: Error) => void } | undefined
  #error: Error | undefined
  #state: 'open' | 'reset' | 'finished' = 'open'
  #ackTimer: ReturnType<typeof setTimeout> | undefined
  #closeTimer: ReturnType<typeof setTimeout> | undefined

  constructor({ id, role, address, source }: SessionOptions) {
    this.#id = id
    this.#role = role
    this.#queue = new ByteQueue({ highWaterBytes: Infinity, onRead: (bytes) => this.#onRead(bytes) })
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve))
    this.#unwatchPage = onPageHide(() => {
      this.abort(new MultiserverError('ABORTED', 'the page was closed'))
      // Nothing runs afterwards: a RESET that still waits behind data would never leave, and the peer would not know.
      this.#finish()
    })
    this.opened = new Promise((resolve, reject) => {
      this.#resolveOpened = resolve
      this.#rejectOpened = reject
    })
    this.opened.catch(() => undefined)
    this.info = this.#describe(address, source)
  }

  read(): Promise<Bytes | null> {
    return this.#queue.read()
  }

  async write(chunk: Uint8Array): Promise<void> {
    let rest = chunk
    while (rest.length > 0) {
      if (this.#error !== undefined) throw this.#error
      if (this.#ended || this.#state !== 'open') throw new MultiserverError('CLOSED')
      if (this.#kept.end + rest.length > longestDirection)
        throw this.#reset('tooLong', 'CLOSED', 'too many bytes')
      const room = unacknowledgedBytes - this.#kept.bytes
      if (room <= 0) {
        await new Promise<void>((resolve, reject) => (this.#room = { resolve, reject }))
        continue
      }
      this.#kept.append(rest.subarray(0, room))
      rest = rest.subarray(room)
      this.#pump()
    }
  }

  /** Settles when the peer has acknowledged every byte and the end. */
  end(): Promise<void> {
    if (this.#error !== undefined) return Promise.reject(this.#error)
    if (this.#ended) return Promise.resolve()
    this.#ended = true
    return new Promise((resolve, reject) => {
      this.#ending = { resolve, reject }
      this.#pump()
    })
  }

  abort(reason: Error = new MultiserverError('ABORTED')): void {
    if (this.#state !== 'open') return
    this.#fail(reason)
    this.#queue.discard(reason)
    this.#sendReset(resetCodes.aborted, '')
  }

  /** Takes a path that is open: HELLO goes out at once. The oldest goes when there are too many. */
  addPath(framePath: FramePath): void {
    const path: SessionPath = new SessionPath(framePath, this.#id, {
      onOpen: (hello) => this.#onOpen(path, hello.received, hello.limit),
      onFrame: (frame) => this.#onFrame(path, frame),
      onRoom: () => this.#pump(),
      onLost: () => this.#onLost(path),
    })
    this.#released.push(framePath.closed)
    this.#paths.add(path)
    const { received, limit } = this.#window.tell()
    path.start(this.#receivedWithEnd(received), limit)
    if (this.#state !== 'open') this.#closePath(path)
    const [oldest] = this.#paths
    if (this.#paths.size > limits.session.paths && oldest !== undefined) this.#closePath(oldest)
  }

  /** No path could be had: ends the session. */
  fail(error: Error): void {
    this.#fail(error)
    this.#finish()
  }

  // --- frames that come ---

  #onOpen(path: SessionPath, received: number, limit: number): void {
    if (this.#state !== 'open') return
    if (!this.#onAcknowledged(received, limit)) return
    this.#choosePath()
    this.#resolveOpened()
    path.ping()
    this.#pump()
  }

  #onFrame(path: SessionPath, frame: Exclude<Frame, { type: 'ping' }> | null): void {
    if (this.#state !== 'open') {
      // Both gave up at once: nobody has anything to wait for.
      if (frame?.type === 'reset') this.#finish()
      return
    }
    switch (frame?.type) {
      case 'data':
        return this.#onData(path, frame.offset, frame.bytes)
      case 'ack':
        if (this.#onAcknowledged(frame.received, frame.limit)) this.#pump()
        return
      case 'end':
        return this.#onEnd(path, frame.offset)
      case 'reset':
        return this.#onReset(frame.code, frame.text)
      case 'pong':
        if (path === this.#lastPing?.path && frame.id >= this.#lastPing.id) this.#finish()
        return
      case 'hello':
        return this.#losePath(path)
      case undefined:
        this.#reset('protocol', 'PROTOCOL', 'the peer sent a frame that has no place here')
    }
  }

  #onData(path: SessionPath, offset: number, bytes: Bytes): void {
    const { received } = this.#window
    const end = offset + bytes.length
    if (
      bytes.length === 0 ||
      end > this.#window.toldLimit ||
      (this.#peerEnd !== undefined && end > this.#peerEnd)
    ) {
      this.#reset('protocol', 'PROTOCOL', 'the peer sent more than it may')
      return
    }
    if (offset > received) return this.#losePath(path)
    if (end <= received) return
    const fresh = bytes.subarray(received - offset)
    this.#window.receive(fresh.length)
    this.#queue.push(fresh)
    this.#acknowledgeSoon()
  }

  #onEnd(path: SessionPath, offset: number): void {
    const { received } = this.#window
    if (offset < received || (this.#peerEnd !== undefined && offset !== this.#peerEnd)) {
      this.#reset('protocol', 'PROTOCOL', 'the peer ended before what it sent')
      return
    }
    if (offset > received) return this.#losePath(path)
    // Repeated as often as somebody likes: that must not cost an answer each.
    if (this.#peerEnd !== undefined) return this.#acknowledgeSoon()
    this.#peerEnd = offset
    this.#queue.end()
    this.#acknowledge()
    this.#finishWhenDone()
  }

  /** False when the peer acknowledged what was never sent. */
  #onAcknowledged(received: number, limit: number): boolean {
    const withEnd = this.#endSent && received === this.#kept.end + 1
    if (received > this.#sent && !withEnd) {
      this.#reset('protocol', 'PROTOCOL', 'the peer acknowledged what was never sent')
      return false
    }
    this.#kept.release(withEnd ? this.#kept.end : received)
    this.#current?.flight.onAcknowledged(this.#kept.start)
    // Late words of another path may have overtaken what is being sent again here.
    this.#next = Math.max(this.#next, this.#kept.start)
    this.#peerLimit = Math.max(this.#peerLimit, limit)
    if (this.#kept.bytes < unacknowledgedBytes) {
      this.#room?.resolve()
      this.#room = undefined
    }
    if (withEnd && !this.#endAcknowledged) {
      this.#endAcknowledged = true
      this.#ending?.resolve()
      this.#ending = undefined
      this.#finishWhenDone()
    }
    return true
  }

  #onReset(code: number, text: string): void {
    if (this.#isDone) return this.#finish()
    const printable = text.replace(/[^\x20-\x7e]/g, '?')
    const why =
      code === resetCodes.aborted ? 'the peer aborted the connection' : `the peer reset it (${code})`
    this.#fail(new MultiserverError('PEER_RESET', printable === '' ? why : `${why}: ${printable}`))
    this.#finish()
  }

  #onLost(path: SessionPath): void {
    this.#paths.delete(path)
    if (this.#state === 'open') this.#choosePath()
    // What its HELLO told may not have arrived.
    if (this.#paths.size > 0) return this.#acknowledge()
    if (!this.#isDone) this.#fail(new MultiserverError('PATH_LOST'))
    this.#finish()
  }

  #onRead(bytes: number): void {
    this.#window.take(bytes, this.#current?.rttMs)
    if (this.#state === 'open' && this.#peerEnd === undefined && this.#window.isDue) this.#acknowledge()
  }

  // --- frames that go ---

  /** Sends what the path has room for and the peer has given credit for, then the end. */
  #pump(): void {
    const path = this.#current
    if (path === undefined || this.#state !== 'open') return
    const most = path.maxFrameBytes - dataHeaderBytes
    const credit = Math.min(this.#kept.end, this.#peerLimit, this.#kept.start + path.flight.limitBytes)
    while (path.isOpen && this.#next < credit && path.hasRoom()) {
      const bytes = Math.min(most, credit - this.#next)
      path.sendData(this.#next, bytes, (payload) => this.#kept.copy(this.#next, payload))
      this.#next += bytes
      this.#sent = Math.max(this.#sent, this.#next)
      path.flight.onSent(this.#next, this.#kept.start)
    }
    if (path !== this.#current) return
    if (this.#ended && !this.#endSentHere && this.#next === this.#kept.end) {
      this.#endSentHere = true
      this.#endSent = true
      path.send({ type: 'end', offset: this.#kept.end })
    }
  }

  #acknowledgeSoon(): void {
    if (this.#window.isDue) this.#acknowledge()
    else this.#ackTimer ??= setTimeout(() => this.#acknowledge(), acknowledgeAfterMs)
  }

  #acknowledge(): void {
    clearTimeout(this.#ackTimer)
    this.#ackTimer = undefined
    if (this.#current === undefined || this.#state !== 'open') return
    const { received, limit } = this.#window.tell()
    // That the end has come is told wherever it may be heard: the path in use may be dead and nobody knows yet.
    const paths = this.#peerEnd === undefined ? [this.#current] : this.#paths
    for (const path of paths) path.send({ type: 'ack', received: this.#receivedWithEnd(received), limit })
  }

  #receivedWithEnd(received: number): number {
    return this.#peerEnd === undefined ? received : this.#peerEnd + 1
  }

  // --- paths ---

  /** The best open path, the newest among equals. Whoever comes to a path goes on from what the peer has. */
  #choosePath(): void {
    const open = [...this.#paths].filter((path) => path.isOpen).toReversed()
    const best = open.toSorted((a, b) => ranks.indexOf(a.kind) - ranks.indexOf(b.kind))[0]
    if (best === this.#current) return
    this.#current = best
    this.#next = this.#kept.start
    this.#endSentHere = false
    if (best === undefined) return
    for (const listener of this.#pathListeners) listener(best.kind)
    this.#acknowledge()
    this.#finishWhenDone()
    this.#pump()
  }

  #losePath(path: SessionPath): void {
    path.close()
    this.#onLost(path)
  }

  #closePath(path: SessionPath): void {
    this.#paths.delete(path)
    path.close()
    this.#choosePath()
  }

  // --- the end ---

  /** My end is acknowledged and the peer's end has come. */
  get #isDone(): boolean {
    return this.#endAcknowledged && this.#peerEnd !== undefined
  }

  /** The client closes once a PONG shows that its last ACK has arrived; the server gives it time to. */
  #finishWhenDone(): void {
    if (!this.#isDone || this.#state !== 'open') return
    const path = this.#current
    if (this.#role === 'client') this.#lastPing = path && { path, id: path.ping() }
    else this.#closeTimer ??= setTimeout(() => this.#finish(), serverCloseMs)
  }

  #reset(code: keyof typeof resetCodes, errorCode: 'PROTOCOL' | 'CLOSED', why: string): MultiserverError {
    const error = new MultiserverError(errorCode, why)
    if (this.#state === 'open') {
      this.#fail(error)
      this.#sendReset(resetCodes[code], why)
    }
    return error
  }

  #sendReset(code: number, text: string): void {
    this.#state = 'reset'
    for (const path of this.#paths) {
      if (path.isOpen) path.send({ type: 'reset', code, text })
      else path.close()
    }
    clearTimeout(this.#closeTimer)
    if (this.#current === undefined) this.#finish()
    else this.#closeTimer = setTimeout(() => this.#finish(), resetCloseMs)
  }

  /** Reading goes on to what came in order; everything else rejects. */
  #fail(error: Error): void {
    if (this.#error !== undefined) return
    this.#error = error
    this.#queue.fail(error)
    this.#room?.reject(error)
    this.#ending?.reject(error)
    this.#rejectOpened(error)
  }

  #finish(): void {
    if (this.#state === 'finished') return
    this.#state = 'finished'
    this.#unwatchPage()
    clearTimeout(this.#ackTimer)
    clearTimeout(this.#closeTimer)
    for (const path of this.#paths) path.close()
    this.#paths.clear()
    this.#rejectOpened(new MultiserverError('PATH_LOST'))
    void Promise.all(this.#released).then(() => this.#resolveClosed())
  }

  #describe(address: string, source: string | undefined): StreamInfo {
    const path = () => this.#current?.kind
    return {
      address,
      source,
      get path() {
        return path()
      },
      onPath: (listener) => {
        this.#pathListeners.add(listener)
        return () => this.#pathListeners.delete(listener)
      },
      stats: () => ({
        path: path(),
        rttMs: this.#current?.rttMs,
        sentBytes: this.#sent,
        receivedBytes: this.#window.received,
        unacknowledgedBytes: this.#kept.bytes,
        unreadBytes: this.#window.received - this.#window.read,
      }),
    }
  }
}
