import { copy } from '../../core/bytes.ts'
import { stalls } from '#wrtc'
import type { Bytes } from '../../core/types.ts'

/**
 * wrtc crashes where it sends into a channel that is going in another thread. So what is handed over waits until the far side is known
 * to be there, and after this process has stood still: then its end may be waiting in a socket, and threads are given time to read it.
 */
export class SteadySender {
  readonly #send: (message: Bytes) => void
  readonly #stopWatching = stalls.watch()
  #mayBegin: boolean
  #held: Bytes[] = []
  #heldBytes = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  /** @param waits until {@link begin} */
  constructor(send: (message: Bytes) => void, { waits }: { waits: boolean }) {
    this.#send = send
    this.#mayBegin = !waits
  }

  /** Whether anything has been, or may be, sent. */
  get mayBegin(): boolean {
    return this.#mayBegin
  }

  /** What waits. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  /** The far side is there. */
  begin(): void {
    if (this.#mayBegin) return
    this.#mayBegin = true
    this.#flush()
  }

  /** In order. Takes a copy where it has to wait. */
  send(message: Bytes): void {
    if (this.#mayBegin && this.#held.length === 0 && stalls.settlesInMs === 0) return this.#send(message)
    this.#held.push(copy(message))
    this.#heldBytes += message.length
    this.#flush()
  }

  /** What waits is lost. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#held = []
    this.#heldBytes = 0
    this.#stopWatching()
  }

  #flush(): void {
    if (!this.#mayBegin || this.#timer !== undefined) return
    const waitMs = stalls.settlesInMs
    if (waitMs === 0) {
      this.#heldBytes = 0
      for (const each of this.#held.splice(0)) this.#send(each)
    } else {
      this.#timer = setTimeout(() => {
        this.#timer = undefined
        this.#flush()
      }, waitMs)
    }
  }
}
