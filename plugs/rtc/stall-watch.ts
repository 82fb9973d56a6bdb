import { performance } from 'node:perf_hooks'
import { once } from '../../core/once.ts'

const tickMs = 200
/** So late, a tick was no longer only waiting for its turn. */
const stallMs = 500
/** Other threads read by then what came for them meanwhile: with ten processes waking up at once 100 ms were not always enough. */
const settleMs = 300

/** Notices that this process stood still: it was stopped, or had no processor. Keeps no process alive. */
export class StallWatch {
  readonly #now: () => number
  #watching = 0
  #timer: ReturnType<typeof setInterval> | undefined
  #tickedAt = 0
  #settledAt = -Infinity

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Looks from now on, until the returned function is called. */
  watch(): () => void {
    this.#watching += 1
    if (this.#timer === undefined) {
      this.#tickedAt = this.#now()
      this.#timer = setInterval(() => this.#look(), tickMs)
      this.#timer.unref()
    }
    return once(() => {
      this.#watching -= 1
      if (this.#watching > 0) return
      clearInterval(this.#timer)
      this.#timer = undefined
    })
  }

  /** For how long, in milliseconds, other threads may still be behind; 0 when it did not stand still. */
  get settlesInMs(): number {
    return this.#timer === undefined ? 0 : this.#look()
  }

  #look(): number {
    const now = this.#now()
    if (now - this.#tickedAt > stallMs) this.#settledAt = now + settleMs
    this.#tickedAt = now
    return Math.max(0, this.#settledAt - now)
  }
}
