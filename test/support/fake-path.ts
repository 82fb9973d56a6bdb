import { decodeFrame, encodeFrame, type Frame } from '../../plugs/rtc/frames.ts'
import type { Bytes, Path } from '../../core/types.ts'
import type { FramePath, FramePathHandlers } from '../../plugs/rtc/frame-path.ts'

export interface FakePathOptions {
  readonly kind?: Path | undefined
  readonly maxFrameBytes?: number | undefined
  readonly isAhead?: boolean | undefined
}

/** One end of a path in memory: what the session sends is kept, what it is to hear is said by the test. */
export class FakePath implements FramePath {
  kind: Path
  readonly maxFrameBytes: number
  readonly isAhead: boolean
  readonly closed: Promise<void>
  /** What the session sent, oldest first. */
  sent: Frame[] = []
  queuedBytes = 0
  isClosed = false
  onSend: (message: Bytes) => void = (message) => this.#keep(message)
  onClosed: () => void = () => undefined
  #early: Bytes[] = []
  #handlers: FramePathHandlers | undefined
  #resolveClosed: () => void = () => undefined

  constructor({ kind = 'direct', maxFrameBytes = 65_536, isAhead = false }: FakePathOptions = {}) {
    this.isAhead = isAhead
    this.kind = kind
    this.maxFrameBytes = maxFrameBytes
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve))
  }

  send(message: Bytes): void {
    if (this.isClosed) return
    if (message.length > this.maxFrameBytes) throw new Error(`a frame of ${message.length} bytes`)
    // As those of a data channel, its bytes are what they are now.
    this.onSend(message.slice())
  }

  start(handlers: FramePathHandlers): void {
    this.#handlers = handlers
    for (const message of this.#early.splice(0)) handlers.onMessage(message)
    if (this.isClosed) handlers.onClose()
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.onClosed()
    this.#handlers?.onClose()
    this.#resolveClosed()
  }

  /** Lets the session hear a frame, or a message that may be none. */
  deliver(...messages: (Frame | Bytes)[]): void {
    for (const message of messages) {
      if (this.isClosed) return
      const bytes = message instanceof Uint8Array ? message : encodeFrame(message)
      if (this.#handlers === undefined) this.#early.push(bytes)
      else this.#handlers.onMessage(bytes)
    }
  }

  /** Tells the session that its queue has drained. */
  drain(): void {
    this.queuedBytes = 0
    this.#handlers?.onDrain()
  }

  /** Tells the session that nothing gets through at the moment. */
  doubt(): void {
    this.#handlers?.onDoubt()
  }

  /** Becomes another kind of path. */
  become(kind: Path): void {
    this.kind = kind
    this.#handlers?.onKind()
  }

  /** The frames sent since it was last asked. */
  take(): Frame[] {
    return this.sent.splice(0)
  }

  #keep(message: Bytes): void {
    const frame = decodeFrame(message)
    if (frame === null) throw new Error('the session sent what is no frame')
    this.sent.push(frame)
  }
}

export interface FakeLinkOptions extends FakePathOptions {
  /** From one end to the other. @default 1 */
  readonly delayMs?: number | undefined
  /** What leaves an end in a millisecond. @default all of it at once */
  readonly bytesPerMs?: number | undefined
}

/** Two ends of a path with time between them. Messages keep their order; those in flight are lost when it closes. */
export class FakeLink {
  readonly ends: readonly [FakePath, FakePath]
  readonly #delayMs: number
  readonly #bytesPerMs: number
  readonly #busyUntil = new Map<FakePath, number>()
  readonly #lose = new Set<FakePath>()
  readonly #timers = new Set<ReturnType<typeof setTimeout>>()
  #isSilent = false

  constructor({ delayMs = 1, bytesPerMs = Infinity, ...options }: FakeLinkOptions = {}) {
    this.#delayMs = delayMs
    this.#bytesPerMs = bytesPerMs
    const [one, other] = [new FakePath(options), new FakePath(options)]
    this.ends = [one, other]
    this.#join(one, other)
    this.#join(other, one)
  }

  get isOver(): boolean {
    return this.ends.every((end) => end.isClosed)
  }

  /** Both ends learn that the path is gone. */
  break(): void {
    for (const end of this.ends) end.close()
  }

  /** From now on nothing arrives, and nobody is told. */
  silence(): void {
    this.#isSilent = true
  }

  /** The next DATA from this end is lost, and nobody is told: wrtc is known for that. */
  loseData(from: 0 | 1): void {
    this.#lose.add(this.ends[from])
  }

  #join(from: FakePath, to: FakePath): void {
    from.onSend = (message) => this.#carry(from, to, message)
    from.onClosed = () => {
      if (this.isOver) for (const timer of this.#timers) clearTimeout(timer)
      else if (!this.#isSilent) this.#later(this.#delayMs, () => to.close())
    }
  }

  #later(delayMs: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      act()
    }, delayMs)
    this.#timers.add(timer)
  }

  #carry(from: FakePath, to: FakePath, message: Bytes): void {
    const now = performance.now()
    const leavesAt = Math.max(now, this.#busyUntil.get(from) ?? 0) + message.length / this.#bytesPerMs
    this.#busyUntil.set(from, leavesAt)
    if (leavesAt > now) {
      from.queuedBytes += message.length
      this.#later(leavesAt - now, () => (from.queuedBytes -= message.length))
    }
    if (message[0] === 1 && this.#lose.delete(from)) return
    this.#later(leavesAt - now + this.#delayMs, () => {
      if (!this.#isSilent && !from.isClosed) to.deliver(message)
    })
  }
}
