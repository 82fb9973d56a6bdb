import { copy } from '../../core/bytes.ts'
import { limits } from '../../core/limits.ts'
import { EarlyMessages } from './early-messages.ts'
import type { Bytes } from '../../core/types.ts'
import type { FramePath, FramePathHandlers } from './frame-path.ts'

const { earlyBytes, earlyDataFrames, earlyFrameBytes, earlyFrames, headStartMs, headStartPauseMs } =
  limits.relay

/**
 * The first frames of a new session, as signals of its introduction: they pass while the circuit that the hub has granted is
 * being opened, whose WebSockets take several round trips more. It carries little and then is full for good; what
 * stands next goes on from there, as from any path. It does not end with the introduction, for both sides to move in their time.
 * The other paths leave it a head start: what they cost the processor, the handshakes above would wait for.
 */
export class SignalPath implements FramePath {
  readonly kind = 'relay'
  readonly isAhead = true
  readonly maxFrameBytes = earlyFrameBytes
  readonly closed: Promise<void>
  /** Resolves when the far side has begun. */
  readonly begun: Promise<void>
  /** Resolves when the work for the other paths may begin: nothing passes at the moment, it has had its time, or it is full. */
  readonly headStart: Promise<void>
  readonly #send: (frame: Bytes) => void
  readonly #early = new EarlyMessages()
  #resolveBegun: () => void = () => undefined
  #resolveClosed: () => void = () => undefined
  #endHeadStart: () => void = () => undefined
  #headStartTimer: ReturnType<typeof setTimeout> | undefined
  /** By the clock of performance.now(); undefined before `lead`. */
  #headStartUntil: number | undefined
  #frames = 0
  #bytes = 0
  #isOver = false

  constructor(send: (frame: Bytes) => void) {
    this.#send = send
    this.begun = new Promise((resolve) => (this.#resolveBegun = resolve))
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve))
    this.headStart = new Promise((resolve) => (this.#endHeadStart = resolve))
  }

  /** Once it has carried what it may, nothing leaves any more. */
  get queuedBytes(): number {
    return this.#isFull ? limits.session.queuedBytes : 0
  }

  /** The far side is there: frames may pass from now on. */
  lead(): void {
    this.#headStartUntil ??= performance.now() + headStartMs
    this.#keepHeadStart()
  }

  send(frame: Bytes): void {
    if (this.#isOver || this.#frames >= earlyFrames) return
    this.#frames += 1
    this.#bytes += frame.length
    this.#send(copy(frame))
    this.#keepHeadStart()
  }

  /** A frame of the far side. */
  receive(frame: Bytes): void {
    if (this.#isOver) return
    this.#resolveBegun()
    this.#keepHeadStart()
    this.#early.deliver(frame)
  }

  start(handlers: FramePathHandlers): void {
    this.#early.start(handlers)
  }

  close(): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#headStartTimer)
    this.#endHeadStart()
    this.#early.close()
    this.#resolveClosed()
  }

  /** Something passes: what follows may wait a little longer. */
  #keepHeadStart(): void {
    if (this.#isOver || this.#headStartUntil === undefined) return
    clearTimeout(this.#headStartTimer)
    if (this.#isFull) return this.#endHeadStart()
    const leftMs = Math.max(0, this.#headStartUntil - performance.now())
    this.#headStartTimer = setTimeout(this.#endHeadStart, Math.min(headStartPauseMs, leftMs))
  }

  get #isFull(): boolean {
    return this.#bytes >= earlyBytes || this.#frames >= earlyDataFrames
  }
}
