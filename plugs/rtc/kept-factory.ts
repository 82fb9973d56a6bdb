import { once } from '../../core/once.ts'

/** Who is dialed now and then is dialed again within this time, mostly. */
const lingerMs = 60_000

/** A connection that is not connected. */
interface Spare {
  close(): void
}

/**
 * All connections that wrtc has at a time share one factory, which comes with the first and is given up with the last. It has four
 * threads, of which one wakes a hundred times a second, and ends only with a garbage collection: who was dialed again and again had
 * dozens. A spare connection keeps the one there is. It would hold the process too, so it is there only while somebody listens.
 */
export class KeptFactory {
  readonly #makeSpare: () => Spare | undefined
  #listeners = 0
  #connections = 0
  #spare: Spare | undefined
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(makeSpare: () => Spare | undefined) {
    this.#makeSpare = makeSpare
  }

  /** Somebody listens, until the returned function is called. */
  listen(): () => void {
    this.#listeners += 1
    return once(() => {
      this.#listeners -= 1
      if (this.#listeners === 0) this.#letGo()
    })
  }

  /** A connection has been made; it is closed when the returned function is called. */
  connect(): () => void {
    this.#connections += 1
    clearTimeout(this.#timer)
    if (this.#listeners > 0) this.#spare ??= this.#makeSpare()
    return once(() => {
      this.#connections -= 1
      if (this.#connections > 0 || this.#spare === undefined) return
      this.#timer = setTimeout(() => this.#letGo(), lingerMs)
      this.#timer.unref()
    })
  }

  #letGo(): void {
    clearTimeout(this.#timer)
    this.#spare?.close()
    this.#spare = undefined
  }
}
