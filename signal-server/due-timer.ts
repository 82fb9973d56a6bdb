import { performance } from 'node:perf_hooks'

/** One timer for everything that a state machine waits for; one that fires too early does no harm. */
export class DueTimer {
  readonly #onDue: () => void
  #timer: NodeJS.Timeout | undefined
  #atMs = Infinity

  constructor(onDue: () => void) {
    this.#onDue = onDue
  }

  /** `atMs` is when something is due next, by the clock of `performance.now()`; undefined when nothing is. */
  set(atMs: number | undefined): void {
    if (atMs === undefined || atMs >= this.#atMs) return
    clearTimeout(this.#timer)
    this.#atMs = atMs
    this.#timer = setTimeout(
      () => {
        this.#atMs = Infinity
        this.#onDue()
      },
      Math.min(longestMs, Math.max(0, Math.ceil(atMs - performance.now()))),
    )
  }

  clear(): void {
    clearTimeout(this.#timer)
    this.#atMs = Infinity
  }
}

/** Node makes a millisecond of what is longer. */
const longestMs = 2 ** 31 - 1
