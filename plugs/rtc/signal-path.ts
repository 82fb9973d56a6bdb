import { copy } from '../../core/bytes.ts'
import { limits } from '../../core/limits.ts'
import { EarlyMessages } from './early-messages.ts'
import type { Bytes } from '../../core/types.ts'
import type { FramePath, FramePathHandlers } from './frame-path.ts'

const { earlyBytes, earlyDataFrames, earlyFrameBytes, earlyFrames } = limits.relay

/**
 * The first frames of a new session, as signals of its introduction: they pass while the circuit that the hub has granted is
 * being opened, whose WebSockets take several round trips more. It carries little and then is full for good; what
 * stands next goes on from there, as from any path. It does not end with the introduction, for both sides to move in their time.
 */
export class SignalPath implements FramePath {
  readonly kind = 'relay'
  readonly isAhead = true
  readonly maxFrameBytes = earlyFrameBytes
  readonly closed: Promise<void>
  /** Resolves when the far side has begun. */
  readonly begun: Promise<void>
  readonly #send: (frame: Bytes) => void
  readonly #early = new EarlyMessages()
  #resolveBegun: () => void = () => undefined
  #resolveClosed: () => void = () => undefined
  #frames = 0
  #bytes = 0
  #isOver = false

  constructor(send: (frame: Bytes) => void) {
    this.#send = send
    this.begun = new Promise((resolve) => (this.#resolveBegun = resolve))
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve))
  }

  /** Once it has carried what it may, nothing leaves any more. */
  get queuedBytes(): number {
    const isFull = this.#bytes >= earlyBytes || this.#frames >= earlyDataFrames
    return isFull ? limits.session.queuedBytes : 0
  }

  send(frame: Bytes): void {
    if (this.#isOver || this.#frames >= earlyFrames) return
    this.#frames += 1
    this.#bytes += frame.length
    this.#send(copy(frame))
  }

  /** A frame of the far side. */
  receive(frame: Bytes): void {
    if (this.#isOver) return
    this.#resolveBegun()
    this.#early.deliver(frame)
  }

  start(handlers: FramePathHandlers): void {
    this.#early.start(handlers)
  }

  close(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#early.close()
    this.#resolveClosed()
  }
}
