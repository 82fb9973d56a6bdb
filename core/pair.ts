import { ByteQueue } from './byte-queue.ts'
import { copy } from './bytes.ts'
import { MultiserverError } from './errors.ts'
import { limits } from './limits.ts'
import type { Bytes, ByteStream, StreamInfo } from './types.ts'

export interface PairOptions {
  /** Bytes that may wait unread in a direction before `write` waits. */
  highWaterBytes?: number | undefined
  /** Of the first and of the second end. */
  info?: readonly [StreamInfo, StreamInfo] | undefined
}

/** Two ends of a stream in memory: what is written to one is read from the other, with backpressure and half-close. */
export function createPair(options: PairOptions = {}): [ByteStream, ByteStream] {
  const highWaterBytes = options.highWaterBytes ?? limits.connection.receiveBytes
  const first = new PairEnd(highWaterBytes, options.info?.[0])
  const second = new PairEnd(highWaterBytes, options.info?.[1])
  first.join(second)
  second.join(first)
  return [first, second]
}

class PairEnd implements ByteStream {
  readonly info: StreamInfo | undefined
  readonly closed: Promise<void>
  #release: () => void = () => undefined
  #peer: PairEnd | undefined
  #queue: ByteQueue
  #writer: { resolve: () => void; reject: (error: Error) => void } | undefined
  #ended = false
  #error: Error | undefined

  constructor(highWaterBytes: number, info: StreamInfo | undefined) {
    this.info = info
    this.closed = new Promise((resolve) => (this.#release = resolve))
    this.#queue = new ByteQueue({ highWaterBytes, onDrain: () => this.#peer?.resume() })
  }

  join(peer: PairEnd): void {
    this.#peer = peer
  }

  read(): Promise<Bytes | null> {
    return this.#queue.read()
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#error !== undefined) throw this.#error
    if (this.#ended) throw new MultiserverError('CLOSED')
    // A copy: a written chunk belongs to the writer again once the promise has settled.
    if (this.#peer?.deliver(copy(chunk)) === true) return
    await new Promise<void>((resolve, reject) => (this.#writer = { resolve, reject }))
  }

  end(): Promise<void> {
    if (this.#error !== undefined) return Promise.reject(this.#error)
    if (!this.#ended) {
      this.#ended = true
      this.#peer?.deliverEnd()
      this.#releaseWhenBothEnded()
    }
    return Promise.resolve()
  }

  abort(reason: Error = new MultiserverError('ABORTED')): void {
    if (this.#error !== undefined || (this.#ended && this.#queue.ended)) return
    this.#break(reason)
    this.#queue.discard(reason)
    this.#peer?.deliverBreak()
  }

  deliver(chunk: Bytes): boolean {
    return this.#queue.push(chunk)
  }

  deliverEnd(): void {
    this.#queue.end()
    this.#releaseWhenBothEnded()
  }

  deliverBreak(): void {
    if (this.#error !== undefined) return
    const error = new MultiserverError('CONNECTION_LOST', 'the other end was aborted')
    this.#break(error)
    this.#queue.fail(error)
  }

  resume(): void {
    this.#writer?.resolve()
    this.#writer = undefined
  }

  #break(error: Error): void {
    this.#error = error
    this.#writer?.reject(error)
    this.#writer = undefined
    this.#release()
  }

  #releaseWhenBothEnded(): void {
    if (this.#ended && this.#queue.ended) this.#release()
  }
}
