import { BufferPool } from '../../core/buffer-pool.ts'
import { equalBytes } from '../../core/bytes.ts'
import { limits } from '../../core/limits.ts'
import { Flight } from './flight.ts'
import { dataHeaderBytes, decodeFrame, encodeFrame, writeDataHeader, type Frame } from './frames.ts'
import type { Bytes, Path } from '../../core/types.ts'
import type { CandidateTypes, FramePath } from './frame-path.ts'

const {
  answers,
  answersApartMs,
  answersMs,
  doubtAfterMs,
  frameBytes,
  helloTimeoutMs,
  lateTimerMs,
  lookAgainMs,
  pingAfterMs,
  pongTimeoutMs,
  queuedBytes,
  queuedFrames,
} = limits.session

/** For the frame that is being handed over: the path has its copy when that is done. */
const frames = new BufferPool(frameBytes, 2)

export type Hello = Extract<Frame, { type: 'hello' }>

export interface SessionPathEvents {
  /** The peer's HELLO has come: frames may go both ways. */
  onOpen(hello: Hello): void
  /** PONG is about to leave: what is to be said of all that came before goes ahead of it. */
  onAnswer(): void
  /** A frame that is neither the first HELLO nor PING; null for a message that is none. */
  onFrame(frame: Exclude<Frame, { type: 'ping' }> | null): void
  /** The queue of a path that was full has room again. */
  onRoom(): void
  /** `isDoubtful` or `kind` has changed. */
  onChange(): void
  /** Once: closed, silent for too long, or not speaking our protocol. */
  onLost(): void
}

/** A path as a session uses it: HELLO first, at most so much queued, and asked whether it still lives. */
export class SessionPath {
  readonly flight = new Flight()
  /** Whether the peer's HELLO came, once that is known. */
  readonly opened: Promise<boolean>
  readonly #path: FramePath
  readonly #session: Bytes
  readonly #events: SessionPathEvents
  #resolveOpened: (isOpen: boolean) => void = () => undefined
  #state: 'waiting' | 'open' | 'lost' = 'waiting'
  #openedAt = Infinity
  #isDoubtful = false
  #heardAt = performance.now()
  #timer: ReturnType<typeof setTimeout> | undefined
  #roomTimer: ReturnType<typeof setTimeout> | undefined
  #doubtTimer: ReturnType<typeof setTimeout> | undefined
  #pingId = 0
  #pingSentAt = 0
  #rttMs: number | undefined
  #unansweredPing: number | undefined
  /** Which PING has to be answered, or a later one, for `askTwice` to go on. */
  #asked: { id: number; isLast: boolean; onAnswers: () => void } | undefined
  #askTimer: ReturnType<typeof setTimeout> | undefined
  /** How many PINGs were answered at once since when. */
  #answered = { count: 0, since: 0 }
  /** Sizes of the frames handed over, oldest first, as far as they may still be queued. */
  #handedOver: number[] = []
  #handedOverBytes = 0

  constructor(path: FramePath, session: Bytes, events: SessionPathEvents) {
    this.#path = path
    this.#session = session
    this.#events = events
    this.opened = new Promise((resolve) => (this.#resolveOpened = resolve))
  }

  get kind(): Path {
    return this.#path.kind
  }

  get isAhead(): boolean {
    return this.#path.isAhead === true
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** By the clock of performance.now(). */
  get openedAt(): number {
    return this.#openedAt
  }

  /** Nothing gets through at the moment, as far as the path itself can tell. */
  get isDoubtful(): boolean {
    return this.#isDoubtful
  }

  get candidates(): CandidateTypes | undefined {
    return this.#path.candidates
  }

  get usage(): FramePath['usage'] {
    return this.#path.usage
  }

  get closed(): Promise<void> {
    return this.#path.closed
  }

  get rttMs(): number | undefined {
    return this.#rttMs
  }

  /** The most payload that one DATA frame may carry here. */
  get maxFrameBytes(): number {
    return Math.min(this.#path.maxFrameBytes, frameBytes)
  }

  start({ received, limit }: { received: number; limit: number }): void {
    this.send({ type: 'hello', session: this.#session, received, limit })
    this.#path.start({
      onMessage: (message) => this.#receive(message),
      onDrain: () => this.#lookForRoom(),
      onDoubt: () => this.#doubt(),
      onKind: () => this.#events.onChange(),
      onClose: () => this.#lose(),
    })
    if (this.#state === 'waiting') this.#timer = setTimeout(() => this.#lose(), helloTimeoutMs)
  }

  send(frame: Frame): void {
    this.#hand(encodeFrame(frame))
  }

  /** @param fill copies the payload into the frame */
  sendData(offset: number, bytes: number, fill: (payload: Uint8Array) => void): void {
    const memory = frames.take()
    const frame = memory.subarray(0, dataHeaderBytes + bytes)
    writeDataHeader(frame, offset)
    fill(frame.subarray(dataHeaderBytes))
    this.#hand(frame)
    frames.give(memory)
  }

  /** Asks for a PONG; its id, which `onFrame` gives back. */
  ping(): number {
    this.#pingId = (this.#pingId + 1) % 2 ** 32
    this.#pingSentAt = performance.now()
    this.send({ type: 'ping', id: this.#pingId })
    return this.#pingId
  }

  /** Asks at once whether it lives. It is in doubt when the answer is late, and dead as after any silence when there is none. */
  check(): void {
    if (this.#state !== 'open') return
    this.ping()
    this.#awaitAnswer()
    const askedAt = this.#pingSentAt
    // On a long way, or behind much that is queued, an answer takes its time.
    const patienceMs = Math.min(Math.max(doubtAfterMs, 3 * (this.#rttMs ?? 0)), 3 * doubtAfterMs)
    clearTimeout(this.#doubtTimer)
    this.#doubtTimer = setTimeout(() => this.#heardAt < askedAt && this.#doubt(), patienceMs)
  }

  /**
   * As `check`, and calls back when the far side has answered and, `answersApartMs` later, once more. Frames arrive in order: by then
   * all that was sent before has arrived, and what was to be said about it has been said, or was lost.
   */
  askTwice(onAnswers: () => void): void {
    if (this.#state !== 'open') return
    clearTimeout(this.#askTimer)
    this.check()
    this.#asked = { id: this.#pingId, isLast: false, onAnswers }
  }

  /** Whether DATA may be handed over now; when not, `onRoom` follows. */
  hasRoom(): boolean {
    const queued = this.#forgetSent()
    if (queued < queuedBytes && (queued === 0 || this.#handedOver.length < queuedFrames)) return true
    this.#roomTimer ??= setTimeout(() => this.#lookForRoom(), lookAgainMs)
    return false
  }

  /** Ends it without `onLost`. */
  close(how?: { atOnce: boolean }): void {
    this.#state = 'lost'
    clearTimeout(this.#timer)
    clearTimeout(this.#roomTimer)
    clearTimeout(this.#doubtTimer)
    this.#resolveOpened(false)
    clearTimeout(this.#askTimer)
    this.#asked = undefined
    this.#path.close(how)
  }

  #hand(message: Bytes): void {
    if (this.#state === 'lost') return
    this.#handedOver.push(message.length)
    this.#handedOverBytes += message.length
    this.#path.send(message)
    if (this.#handedOver.length > queuedFrames) this.#forgetSent()
  }

  /** Drops the frames that have left, as far as the number of bytes still queued tells; answers that number. */
  #forgetSent(): number {
    const queued = this.#path.queuedBytes
    while (this.#handedOver.length > 0 && this.#handedOverBytes - (this.#handedOver[0] ?? 0) >= queued) {
      this.#handedOverBytes -= this.#handedOver.shift() ?? 0
    }
    return queued
  }

  #receive(message: Bytes): void {
    if (this.#state === 'lost') return
    this.#heardAt = performance.now()
    if (this.#isDoubtful) this.#trust()
    const frame = decodeFrame(message)
    if (this.#state === 'waiting') {
      if (frame?.type !== 'hello' || !equalBytes(frame.session, this.#session)) return this.#lose()
      this.#state = 'open'
      this.#openedAt = this.#heardAt
      this.#watch(pingAfterMs)
      // Tells how long a round trip is, and has to leave before what may be much.
      if (!this.isAhead) this.ping()
      this.#events.onOpen(frame)
      this.#resolveOpened(true)
    } else if (frame?.type === 'ping') {
      this.#answer(frame.id)
    } else {
      if (frame?.type === 'pong') this.#onPong(frame.id)
      this.#events.onFrame(frame)
    }
  }

  #onPong(id: number): void {
    if (id === this.#pingId) this.#measure(this.#heardAt - this.#pingSentAt)
    const asked = this.#asked
    if (asked === undefined || id < asked.id) return
    this.#asked = undefined
    clearTimeout(this.#askTimer)
    if (asked.isLast) return asked.onAnswers()
    this.#askTimer = setTimeout(() => {
      this.check()
      this.#asked = { ...asked, id: this.#pingId, isLast: true }
    }, answersApartMs)
  }

  #measure(rttMs: number): void {
    this.#rttMs = rttMs
    this.flight.measure(rttMs)
  }

  /**
   * While the queue is full, or many were answered just now, only the newest PING waits for its answer: a flood of them must
   * not fill the memory, nor make us send as often as a stranger likes, for the moment in which we do is wrtc's weak one.
   */
  #answer(id: number): void {
    this.#unansweredPing = id
    const now = performance.now()
    if (now - this.#answered.since >= answersMs) this.#answered = { count: 0, since: now }
    if (!this.hasRoom()) return
    if (this.#answered.count >= answers) {
      this.#roomTimer ??= setTimeout(() => this.#lookForRoom(), lookAgainMs)
      return
    }
    this.#answered.count += 1
    this.#unansweredPing = undefined
    this.#events.onAnswer()
    this.send({ type: 'pong', id })
  }

  #doubt(): void {
    if (this.#state !== 'open' || this.#isDoubtful) return
    this.#isDoubtful = true
    this.ping()
    this.#events.onChange()
  }

  #trust(): void {
    this.#isDoubtful = false
    this.#events.onChange()
  }

  /** Looks `delayMs` from now whether anything was heard meanwhile; asks when not. */
  #watch(delayMs: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      const silentMs = performance.now() - this.#heardAt
      if (silentMs < pingAfterMs) return this.#watch(pingAfterMs - silentMs)
      this.ping()
      this.#awaitAnswer()
    }, delayMs)
  }

  #awaitAnswer(): void {
    const askedAt = this.#pingSentAt
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      if (this.#heardAt >= askedAt) return this.#watch(pingAfterMs)
      // A timer this late means that the machine slept: the peer may be there, so it is asked again.
      if (performance.now() - askedAt < pongTimeoutMs + lateTimerMs) return this.#lose()
      this.ping()
      return this.#awaitAnswer()
    }, pongTimeoutMs)
  }

  #lookForRoom(): void {
    clearTimeout(this.#roomTimer)
    this.#roomTimer = undefined
    if (this.#state !== 'open' || !this.hasRoom()) return
    if (this.#unansweredPing !== undefined) this.#answer(this.#unansweredPing)
    this.#events.onRoom()
  }

  #lose(): void {
    if (this.#state === 'lost') return
    this.close()
    this.#events.onLost()
  }
}
