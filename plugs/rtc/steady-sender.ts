import { copy } from '../../core/bytes.ts'
import { stalls } from '#wrtc'
import type { Bytes } from '../../core/types.ts'

/**
 * Sends at once, unless this process has just stood still. wrtc crashes where it sends while it hears that the far side is gone, and
 * that may be waiting in its sockets then: its threads are given time to read it.
 */
export class SteadySender {
  readonly #send: (message: Bytes) => void
  readonly #stopWatching = stalls.watch()
  #held: Bytes[] = []
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(send: (message: Bytes) => void) {
    this.#send = send
  }

  /** In order. Takes a copy where it has to wait. */
  send(message: Bytes): void {
    const waitMs = stalls.settlesInMs
    if (waitMs === 0 && this.#held.length === 0) return this.#send(message)
    this.#held.push(copy(message))
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      for (const each of this.#held.splice(0)) this.#send(each)
    }, waitMs)
  }

  /** What waits is lost. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#held = []
    this.#stopWatching()
  }
}
