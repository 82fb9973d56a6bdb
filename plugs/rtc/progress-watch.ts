import { limits } from '../../core/limits.ts'

const { stalledAfterMs } = limits.session

export interface ProgressWatchOptions {
  /** Whether the peer has yet to acknowledge something that has left. */
  readonly isOwed: () => boolean
  /** It has owed that for long, and acknowledged nothing meanwhile. Once, until it does. */
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
  #timer: ReturnType<typeof setTimeout> | undefined
  #isStalled = false

  constructor(options: ProgressWatchOptions) {
    this.#options = options
  }

  /** Something has left. */
  begin(): void {
    if (this.#isStalled || this.#timer !== undefined || !this.#options.isOwed()) return
    this.#progressAt = performance.now()
    this.#look(stalledAfterMs)
  }

  /** Something new was acknowledged, or goes another way from now on. */
  progress(): void {
    this.#isStalled = false
    this.#progressAt = performance.now()
    if (!this.#options.isOwed()) this.stop()
    else if (this.#timer === undefined) this.#look(stalledAfterMs)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #look(delayMs: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (!this.#options.isOwed()) return
      const stalledMs = performance.now() - this.#progressAt
      if (stalledMs < stalledAfterMs) return this.#look(stalledAfterMs - stalledMs)
      this.#isStalled = true
      this.#options.onStall()
    }, delayMs)
  }
}
