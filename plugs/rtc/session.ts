import { MultiserverError, toError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { watchPage } from '#wrtc'
import { resetCodes, resetError, type Frame } from './frames.ts'
import { Incoming, type Arrival } from './incoming.ts'
import { Outgoing } from './outgoing.ts'
import { describeSession } from './session-info.ts'
import { ProgressWatch } from './progress-watch.ts'
import { SessionPaths } from './session-paths.ts'
import { Suspension, type SuspensionOptions } from './suspension.ts'
import type { Bytes, ByteStream, StreamInfo } from '../../core/types.ts'
import type { FramePath } from './frame-path.ts'
import type { SessionPath } from './session-path.ts'

const { resetCloseMs, serverCloseMs } = limits.session

export interface SessionOptions extends SuspensionOptions {
  /** 16 random bytes of the client, sealed to the server in the offer. */
  readonly id: Bytes
  /** The far side as an address section, and what limits count it by. */
  readonly address: string
  readonly source?: string | undefined
}

/**
 * The byte stream of an rtc connection, over whichever path is best.
 *
 * Offsets count the bytes of each direction from 0 whatever path they took. What is not acknowledged is kept, so
 * that a new path goes on where the peer's `received` stands; the reader's window is the sender's credit. A gap in
 * the offsets means that the path lost a message without saying so: it is given up. Without a path the session is
 * suspended, until the client has brought one or the time is over.
 */
export class Session implements ByteStream {
  readonly info: StreamInfo
  readonly closed: Promise<void>
  /** Resolves when the first path is open, both HELLOs through; rejects when there is none to come. */
  readonly opened: Promise<void>
  /** Aborts when the session can have no more use for a path: it is finished, or was reset. */
  readonly over: AbortSignal
  readonly #options: SessionOptions
  readonly #paths: SessionPaths
  readonly #outgoing = new Outgoing()
  readonly #incoming: Incoming
  readonly #suspension: Suspension
  readonly #progress: ProgressWatch
  readonly #over = new AbortController()
  readonly #unwatchPage: () => void
  #resolveOpened: () => void = () => undefined
  #rejectOpened: (error: Error) => void = () => undefined
  #resolveClosed: () => void = () => undefined
  #lastPing: { path: SessionPath; id: number } | undefined
  #error: Error | undefined
  #state: 'opening' | 'open' | 'reset' | 'finished' = 'opening'
  #closeTimer: ReturnType<typeof setTimeout> | undefined
  /** Where the first path may still come from. */
  #dialing: Promise<void> | undefined
  readonly #held = new Set<Promise<void>>()

  constructor(options: SessionOptions) {
    this.#options = options
    this.over = this.#over.signal
    this.#incoming = new Incoming({
      onDue: () => this.#acknowledge(),
      rttMs: () => this.#paths.current?.rttMs,
    })
    this.#paths = new SessionPaths({
      session: options.id,
      closesWorse: options.role === 'client',
      onOpen: ({ received, limit }) => this.#isUsable && this.#onAcknowledged(received, limit),
      onFrame: (path, frame) => this.#onFrame(path, frame),
      onAnswer: (path) => this.#onAnswer(path),
      onRoom: () => this.#pump(),
      onCurrent: (path) => this.#onCurrent(path),
      onDoubt: () => this.#suspension.look(),
      onLost: () => this.#onLost(),
    })
    this.#suspension = new Suspension(options, this)
    this.#progress = new ProgressWatch({
      isOwed: () => this.#isUsable && this.#outgoing.sentBytes > this.#outgoing.acknowledgedBytes,
      onStall: () => this.#onStall(),
    })
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve))
    this.#unwatchPage = watchPage({
      onHide: () => {
        this.abort(new MultiserverError('ABORTED', 'the page was closed'))
        // Nothing runs afterwards: a RESET that still waits behind data would never leave, and the peer would not know.
        this.#finish({ atOnce: true })
      },
      onWake: () => this.wake(),
    })
    this.opened = new Promise((resolve, reject) => {
      this.#resolveOpened = resolve
      this.#rejectOpened = reject
    })
    this.opened.catch(() => undefined)
    this.info = describeSession({
      address: options.address,
      source: options.source,
      paths: this.#paths,
      suspension: this.#suspension,
      outgoing: this.#outgoing,
      incoming: this.#incoming,
    })
  }

  /** Bytes that it holds for the peer and for its reader. */
  get heldBytes(): number {
    return this.#outgoing.keptBytes + this.#incoming.unreadBytes
  }

  /** My end is acknowledged and the peer's end has come. */
  get isDone(): boolean {
    return this.#outgoing.isFinished && this.#incoming.isFinished
  }

  /** As the peer is told it: how far its bytes, and its end, have come. */
  get received(): number {
    return this.#incoming.received
  }

  /** It had a path and has none. */
  get isSuspended(): boolean {
    return this.#suspension.isOn
  }

  get lossCause(): Error | undefined {
    return this.#paths.lossCause
  }

  /** Neither has it a path, nor did it have any. */
  get isNew(): boolean {
    return this.#state === 'opening' && this.#paths.isEmpty
  }

  /** Whether another path would be of use now. */
  get needsPath(): boolean {
    return this.#isUsable && (this.#paths.current === undefined || this.#paths.current.isDoubtful)
  }

  read(): Promise<Bytes | null> {
    return this.#incoming.read()
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#outgoing.wouldOverflow(chunk.length)) throw this.#reset('tooLong', 'CLOSED', 'too many bytes')
    const writing = this.#outgoing.write(chunk)
    this.#progress.begin()
    await writing
  }

  /** Settles when the peer has acknowledged every byte and the end. */
  end(): Promise<void> {
    return this.#outgoing.end()
  }

  abort(reason: Error = new MultiserverError('ABORTED')): void {
    if (!this.#isUsable) return
    this.#fail(reason)
    this.#incoming.discard(reason)
    this.#sendReset(resetCodes.aborted, '')
  }

  /** Takes a path that is open: HELLO goes out at once. `opened` tells whether the peer's has come. */
  addPath(framePath: FramePath): { opened: Promise<boolean> } {
    const path = this.#paths.add(framePath, this.#incoming.tell())
    if (!this.#isUsable) this.#paths.lose(path)
    return { opened: path.opened }
  }

  /** What brings the first paths; a session that was never open when that is over ends as it did. */
  awaitDial(dial: Promise<void>): void {
    this.#dialing = dial
      .then(
        () => (this.isNew ? new MultiserverError('PATH_LOST') : undefined),
        (thrown: unknown) => (this.#state === 'opening' ? toError(thrown, 'CONNECT_FAILED') : undefined),
      )
      .then((error) => {
        this.#dialing = undefined
        if (error !== undefined) this.fail(error)
      })
  }

  /** Work for the session that `closed` is to wait for. Never rejects. */
  hold(work: Promise<void>): void {
    this.#held.add(work)
    void work.then(() => this.#held.delete(work))
  }

  /** No path is to be had any more: ends the session, with PATH_LOST unless something else is known. */
  fail(error: Error = new MultiserverError('PATH_LOST', undefined, { cause: this.lossCause })): void {
    if (!this.isDone) this.#fail(error)
    this.#finish()
  }

  /** What was known of paths and network is old: each path is asked now, and where there is none the search begins anew. */
  wake(): void {
    for (const path of this.#paths.open) path.check()
    if (this.#state === 'open' && this.needsPath) this.#suspension.hurry()
  }

  get #isUsable(): boolean {
    return this.#state === 'opening' || this.#state === 'open'
  }

  // --- frames ---

  #onFrame(path: SessionPath, frame: Exclude<Frame, { type: 'ping' }> | null): void {
    if (!this.#isUsable) {
      // Both gave up at once: nobody has anything to wait for.
      if (frame?.type === 'reset') this.#finish()
      return
    }
    switch (frame?.type) {
      case 'data':
        return this.#onArrival(path, this.#incoming.receive(frame.offset, frame.bytes))
      case 'ack':
        if (this.#onAcknowledged(frame.received, frame.limit)) this.#pump()
        return
      case 'end': {
        const wasDone = this.isDone
        this.#onArrival(path, this.#incoming.receiveEnd(frame.offset))
        if (!wasDone) this.#finishWhenDone()
        return
      }
      case 'reset':
        return this.#onReset(frame.code, frame.text)
      case 'pong':
        if (path === this.#lastPing?.path && frame.id >= this.#lastPing.id) this.#finish()
        return
      case 'hello':
        return this.#paths.lose(path)
      case undefined:
        this.#reset('protocol', 'PROTOCOL', 'the peer sent a frame that has no place here')
    }
  }

  #onArrival(path: SessionPath, arrival: Arrival): void {
    if (arrival === 'gap') this.#paths.lose(path)
    if (arrival === 'forbidden') this.#reset('protocol', 'PROTOCOL', 'the peer sent what it may not')
  }

  /** False when the peer acknowledged what was never sent. */
  #onAcknowledged(received: number, limit: number): boolean {
    const wasDone = this.isDone
    const before = this.#outgoing.acknowledgedBytes
    if (!this.#outgoing.acknowledge(received, limit)) {
      this.#reset('protocol', 'PROTOCOL', 'the peer acknowledged what was never sent')
      return false
    }
    if (this.#outgoing.acknowledgedBytes > before) this.#progress.progress()
    if (!wasDone) this.#finishWhenDone()
    return true
  }

  /** The path may be dead, or have lost the last of what was sent, which nothing behind it shows. */
  #onStall(): void {
    const path = this.#paths.current
    const { acknowledgedBytes } = this.#outgoing
    path?.askTwice(() => {
      const isStill = path === this.#paths.current && this.#outgoing.acknowledgedBytes === acknowledgedBytes
      if (isStill && this.#isUsable) this.#paths.lose(path)
    })
  }

  #pump(): void {
    this.#outgoing.pump()
    this.#progress.begin()
  }

  #onReset(code: number, text: string): void {
    if (this.isDone) return this.#finish()
    this.#fail(resetError(code, text))
    this.#finish()
  }

  #acknowledge(): void {
    this.#incoming.stopTelling()
    const { current } = this.#paths
    if (current === undefined || !this.#isUsable) return
    const ack = { type: 'ack', ...this.#incoming.tell() } as const
    // That the end has come is told wherever it may be heard: the path in use may be dead and nobody knows yet.
    for (const path of this.#incoming.isFinished ? this.#paths.open : [current]) path.send(ack)
  }

  /** Who asks wants to know whether its bytes have come, and this path may be the only one that it hears. */
  #onAnswer(path: SessionPath): void {
    const isTold = path === this.#paths.current && !this.#incoming.isUntold
    if (this.#isUsable && !path.isAhead && !isTold) path.send({ type: 'ack', ...this.#incoming.tell() })
  }

  // --- paths ---

  #onCurrent(path: SessionPath | undefined): void {
    if (!this.#isUsable) return
    this.#outgoing.moveTo(path)
    if (path === undefined) return this.#progress.stop()
    this.#progress.restart()
    this.#suspension.end({ hasPath: true })
    if (this.#state === 'opening') {
      this.#state = 'open'
      this.#resolveOpened()
    }
    // What goes ahead of all others has nothing to tell that its HELLO has not told.
    if (!path.isAhead) this.#acknowledge()
    this.#finishWhenDone()
    this.#pump()
  }

  #onLost(): void {
    if (this.#isUsable && this.#paths.current !== undefined) {
      // It was in use because that one is in doubt.
      if (this.needsPath) this.#suspension.look()
      // What its HELLO told may not have arrived.
      return this.#acknowledge()
    }
    if (this.#state === 'open' && this.#suspension.begin(this.isDone)) return
    // One more may be about to open, or to come.
    if (!this.#paths.isEmpty || (this.#state === 'opening' && this.#dialing !== undefined)) return
    if (this.#isUsable) return this.fail()
    this.#finish()
  }

  // --- the end ---

  /** The client closes once a PONG shows that its last ACK has arrived; the server gives it time to. */
  #finishWhenDone(): void {
    if (!this.isDone || !this.#isUsable) return
    const path = this.#paths.current
    if (this.#options.role === 'client') this.#lastPing = path && { path, id: path.ping() }
    else this.#closeTimer ??= setTimeout(() => this.#finish(), serverCloseMs)
  }

  #reset(code: keyof typeof resetCodes, errorCode: 'PROTOCOL' | 'CLOSED', why: string): MultiserverError {
    const error = new MultiserverError(errorCode, why)
    if (this.#isUsable) {
      this.#fail(error)
      this.#sendReset(resetCodes[code], why)
    }
    return error
  }

  #sendReset(code: number, text: string): void {
    this.#state = 'reset'
    const { open } = this.#paths
    // Behind this side's HELLO it is understood, although the peer's has not come: it may have begun a session.
    for (const path of this.#paths.all) path.send({ type: 'reset', code, text })
    clearTimeout(this.#closeTimer)
    if (open.length === 0) return this.#finish()
    this.#over.abort()
    this.#paths.closeUnopened()
    this.#closeTimer = setTimeout(() => this.#finish(), resetCloseMs)
  }

  /** Reading goes on to what came in order; everything else rejects. */
  #fail(error: Error): void {
    if (this.#error !== undefined) return
    this.#error = error
    this.#progress.stop()
    this.#incoming.fail(error)
    this.#outgoing.fail(error)
    this.#rejectOpened(error)
  }

  #finish(how?: { atOnce: boolean }): void {
    if (this.#state === 'finished') return
    this.#state = 'finished'
    this.#over.abort()
    this.#unwatchPage()
    this.#suspension.end({ hasPath: false })
    this.#incoming.stopTelling()
    this.#progress.stop()
    clearTimeout(this.#closeTimer)
    this.#paths.closeAll(how)
    this.#rejectOpened(new MultiserverError('PATH_LOST'))
    void this.#released().then(() => this.#resolveClosed())
  }

  async #released(): Promise<void> {
    await this.#paths.released()
    await this.#suspension.released
    await this.#dialing
    await Promise.all(this.#held)
  }
}
