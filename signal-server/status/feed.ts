import type { StatusAnswer } from '../status-data.ts'
import { decodeAnswer } from './answer.ts'

export interface FeedListener {
  onAnswer(answer: StatusAnswer): void
  /** In words for the operator; it goes on by itself. */
  onTrouble(words: string): void
}

const everyMs = 2_000
/** The hub answers within milliseconds, or something is wrong. */
const answerMs = 10_000
/** While the hub is down; who has started it again waits for the page. */
const slowestMs = 10_000

/** Asks the hub for its numbers for as long as somebody sees the page: one request at a time, and none when hidden. */
export class Feed {
  readonly #listener: FeedListener
  #known: { run: string; after: number } | undefined
  #failures = 0
  #timer: number | undefined
  #asking: AbortController | undefined

  constructor(listener: FeedListener) {
    this.#listener = listener
  }

  start(): void {
    document.addEventListener('visibilitychange', () => this.#look())
    this.#look()
  }

  #look(): void {
    clearTimeout(this.#timer)
    this.#asking?.abort()
    this.#asking = undefined
    if (document.visibilityState === 'visible') void this.#ask()
  }

  async #ask(): Promise<void> {
    const asking = new AbortController()
    this.#asking = asking
    const trouble = await this.#take(AbortSignal.any([asking.signal, AbortSignal.timeout(answerMs)]))
    if (asking.signal.aborted) return
    this.#failures = trouble === undefined ? 0 : this.#failures + 1
    if (trouble !== undefined) this.#listener.onTrouble(trouble)
    const waitMs = Math.min(slowestMs, everyMs * 2 ** Math.max(0, this.#failures - 1))
    this.#timer = setTimeout(() => void this.#ask(), waitMs)
  }

  /** Resolves to what went wrong. */
  async #take(signal: AbortSignal): Promise<string | undefined> {
    try {
      const { run, after } = this.#known ?? {}
      const query = run === undefined ? '' : `?run=${encodeURIComponent(run)}&after=${after}`
      const response = await fetch(`data.json${query}`, { signal, cache: 'no-store' })
      if (response.status === 401) return 'The hub wants its token: load the page again.'
      if (!response.ok) return `The hub answered with ${response.status}.`
      const answer = decodeAnswer(await response.json())
      if (answer === undefined) return 'The hub is of another version than this page: load it again.'
      this.#known = { run: answer.run, after: answer.last }
      this.#listener.onAnswer(answer)
      return undefined
    } catch {
      return 'The hub does not answer.'
    }
  }
}
