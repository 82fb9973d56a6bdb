import { withDeadline } from '../../core/deadline.ts'
import { MultiserverError } from '../../core/errors.ts'

/** What waits for the register or the bus: more than this, and the bus is too slow to be of use. */
const maxWaiting = 10_000
const maxWaitingBytes = 16 * 1024 * 1024

/** What a node has asked its cluster and has no answer to yet: each has a deadline, and all together are bounded. */
export class Questions {
  readonly #deadlineMs: number
  #waiting = 0
  #waitingBytes = 0

  constructor(deadlineMs: number) {
    this.#deadlineMs = deadlineMs
  }

  /** Asks at once, so that order is kept; rejects when it takes too long, or when too much waits already. */
  async ask<T>(question: () => Promise<T>, bytes: number): Promise<T> {
    if (this.#waiting >= maxWaiting || this.#waitingBytes + bytes > maxWaitingBytes) {
      throw new MultiserverError('BUSY', 'too much waits for the cluster')
    }
    this.#waiting += 1
    this.#waitingBytes += bytes
    const late = () => new MultiserverError('TIMEOUT', 'the cluster did not answer in time')
    try {
      return await withDeadline(question(), this.#deadlineMs, late)
    } finally {
      this.#waiting -= 1
      this.#waitingBytes -= bytes
    }
  }
}
