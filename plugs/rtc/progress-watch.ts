import { limits } from '../../core/limits.ts'

const { stalledAfterMs } = limits.session

/** What takes so many times as long as it took lately has stopped. */
const patience = 3

export interface ProgressWatchOptions {
  /** Whether the peer has yet to acknowledge something that has left. */
  readonly isOwed: () => boolean
  /** It has owed that for longer than is usual here, and acknowledged nothing meanwhile. Once, until it does. */
  readonly onStall: () => void
}

/**
 * Notices that what is sent has stopped arriving, sooner than any silence tells it: a network that was changed takes everything
 * and says nothing. There is no timer while nothing is owed.
 */
export class ProgressWatch {
  readonly #options: ProgressWatchOptions
  /** Of the last acknowledgement, or of what left first after it. */
  #progressAt = 0
  /** The longest time between two acknowledgements lately: on a slow path one frame takes seconds. */
  #usualMs = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #isStalled = false

  constructor(options: ProgressWatchOptions) {
    this.#options = options
  }

  /** Something has left. */
  begin(): void {
    if (this.#isStalled || this.#timer !== undefined || !this.#options.isOwed()) return
    this.#goOn()
  }

  /** Something new was acknowledged. */
  progress(): void {
    const isWaiting = this.#timer !== undefined || this.#isStalled
    const waitedMs = isWaiting ? performance.now() - this.#progressAt : 0
    this.#usualMs = Math.max(waitedMs, this.#usualMs * 0.75)
    this.#goOn()
  }

  /** It goes another way from now on. */
  restart(): void {
    this.#usualMs = 0
    this.#goOn()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  get #patienceMs(): number {
    return Math.max(stalledAfterMs, patience * this.#usualMs)
  }

  #goOn(): void {
    this.#isStalled = false
    this.#progressAt = performance.now()
    if (!this.#options.isOwed()) this.stop()
    else if (this.#timer === undefined) this.#look(this.#patienceMs)
  }

  #look(delayMs: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (!this.#options.isOwed()) return
      const leftMs = this.#patienceMs - (performance.now() - this.#progressAt)
      if (leftMs > 0) return this.#look(leftMs)
      this.#isStalled = true
      this.#options.onStall()
    }, delayMs)
  }
}
