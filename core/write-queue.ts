import { concat, copy } from './bytes.ts'
import { MultiserverError } from './errors.ts'
import { limits } from './limits.ts'
import type { ByteStream } from './types.ts'

const { joinBytes, smallBytes, unsentBytes, writeCostBytes } = limits.connection

const settled = Promise.resolve()
const ignore = () => undefined

type Write = { chunk: Uint8Array; resolve: () => void; reject: (error: Error) => void }

/**
 * Writes to a stream one at a time and joins the small ones. A small one is copied and settles at once while little
 * waits, so that a writer who awaits each of them still fills whole frames.
 */
export class WriteQueue {
  readonly #stream: ByteStream
  readonly #onError: (thrown: unknown) => MultiserverError
  #waiting: Write[] = []
  #waitingCost = 0
  #running: Promise<void> | undefined
  #error: MultiserverError | undefined

  constructor(stream: ByteStream, onError: (thrown: unknown) => MultiserverError) {
    this.#stream = stream
    this.#onError = onError
  }

  write(chunk: Uint8Array): Promise<void> {
    if (this.#error !== undefined) return Promise.reject(this.#error)
    const cost = costOf(chunk)
    if (this.#waitingCost > 0 && this.#waitingCost + cost > unsentBytes) {
      const error = this.#onError(new MultiserverError('SEND_OVERFLOW'))
      this.fail(error)
      this.#stream.abort(error)
      return Promise.reject(error)
    }
    this.#waitingCost += cost
    if (chunk.length <= smallBytes && this.#waitingCost <= joinBytes) {
      this.#waiting.push({ chunk: copy(chunk), resolve: ignore, reject: ignore })
      this.#running ??= this.#run()
      return settled
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ chunk, resolve, reject })
      this.#running ??= this.#run()
    })
  }

  /** Resolves when everything is written. */
  async finish(): Promise<void> {
    await this.#running
    if (this.#error !== undefined) throw this.#error
  }

  /** Rejects what waits and all that comes. */
  fail(error: MultiserverError): void {
    this.#error ??= error
    for (const write of this.#waiting.splice(0)) write.reject(this.#error)
    this.#waitingCost = 0
  }

  async #run(): Promise<void> {
    // The rest of this turn's writes come before the first is sent.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const batch = this.#takeBatch()
      try {
        const chunk = batch.length === 1 ? batch[0]?.chunk : concat(...batch.map((write) => write.chunk))
        if (chunk !== undefined && chunk.length > 0) await this.#stream.write(chunk)
        if (this.#error !== undefined) throw this.#error
        for (const write of batch) write.resolve()
      } catch (thrown) {
        const error = this.#onError(thrown)
        for (const write of batch) write.reject(error)
        this.fail(error)
      }
    }
    this.#running = undefined
  }

  #takeBatch(): Write[] {
    let bytes = 0
    let count = 0
    for (const { chunk } of this.#waiting) {
      if (count > 0 && bytes + chunk.length > joinBytes) break
      bytes += chunk.length
      count += 1
    }
    const batch = this.#waiting.splice(0, count)
    for (const { chunk } of batch) this.#waitingCost -= costOf(chunk)
    return batch
  }
}

function costOf(chunk: Uint8Array): number {
  return chunk.length + writeCostBytes
}
