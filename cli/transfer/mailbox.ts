/** What one loop leaves for another, in order. What it may hold is bounded by whoever puts things in. */
export class Mailbox<T> {
  readonly #waiting: T[] = []
  #taker: Taker<T> | undefined
  #ended = false
  #error: Error | undefined

  put(value: T): void {
    if (this.#taker === undefined) this.#waiting.push(value)
    else this.#settle((taker) => taker.resolve(value))
  }

  /** Nothing more will come. */
  end(): void {
    this.#ended = true
    this.#settle((taker) => taker.resolve(null))
  }

  /** Nothing more will come, and what is there is of no use. */
  fail(error: Error): void {
    this.#error ??= error
    this.#settle((taker) => taker.reject(error))
  }

  /** The next, or null after the last. One taker at a time. */
  take(): Promise<T | null> {
    if (this.#error !== undefined) return Promise.reject(this.#error)
    const value = this.#waiting.shift()
    if (value !== undefined) return Promise.resolve(value)
    if (this.#ended) return Promise.resolve(null)
    return new Promise((resolve, reject) => (this.#taker = { resolve, reject }))
  }

  #settle(how: (taker: Taker<T>) => void): void {
    const taker = this.#taker
    this.#taker = undefined
    if (taker !== undefined) how(taker)
  }
}

interface Taker<T> {
  readonly resolve: (value: T | null) => void
  readonly reject: (error: Error) => void
}
