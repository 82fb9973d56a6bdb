/** So much in so many messages counts as nothing queued. */
const littleBytes = 16 * 1024
const fewMessages = 16

/**
 * What waits in the queue of a data channel, looked at as seldom as may be: in wrtc a look is a call into the thread that is
 * just busy with the message before, and takes as long as everything of ours does for a small one.
 */
export class QueueLook {
  readonly #look: () => number
  /** Handed over since the queue was last seen empty. */
  #bytes = 0
  #messages = 0

  constructor(look: () => number) {
    this.#look = look
  }

  /** Bytes that have not left; 0 while there can be only a few. */
  get queuedBytes(): number {
    if (this.#bytes < littleBytes && this.#messages < fewMessages) return 0
    const queuedBytes = this.#look()
    if (queuedBytes === 0) this.#bytes = this.#messages = 0
    return queuedBytes
  }

  /** A message was handed over. */
  add(bytes: number): void {
    this.#bytes += bytes
    this.#messages += 1
  }
}
