import { ByteQueue } from '../core/byte-queue.ts'
import { MultiserverError, toError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { Bytes, ByteStream, StreamInfo } from '../core/types.ts'
import type { PullCallback, PullDuplex, PullEnd } from './pull.ts'

/**
 * A pull-stream of bytes as a byte stream. Its source is asked only when somebody reads. What is written waits, up
 * to a bound, until its sink asks: a sink that asks late must not hold up a peer which first wants to be read.
 */
export class PullByteStream implements ByteStream {
  readonly info: StreamInfo
  readonly closed: Promise<void>
  readonly #pull: PullDuplex
  readonly #toChunk: (bytes: Uint8Array) => Uint8Array
  readonly #inbox = new ByteQueue({ highWaterBytes: limits.connection.receiveBytes })
  readonly #outbox: ByteQueue
  #release: () => void = () => undefined
  #isAsking = false
  /** Whether the source has ended, and whether the sink has taken our end or gone away. */
  #sourceOver = false
  #sinkOver = false
  #ended = false
  #error: Error | undefined
  #sinkError: Error | undefined
  #writer: { resolve: () => void; reject: (error: Error) => void } | undefined

  constructor(
    pull: PullDuplex & { readonly address?: string | undefined },
    toChunk: (bytes: Uint8Array) => Uint8Array,
  ) {
    this.#pull = pull
    this.#toChunk = toChunk
    this.info = { address: pull.address }
    this.closed = new Promise((resolve) => (this.#release = resolve))
    this.#outbox = new ByteQueue({
      highWaterBytes: limits.connection.receiveBytes,
      onDrain: () => this.#writer?.resolve(),
    })
    pull.sink((abort, callback) => (abort ? this.#loseSink(abort, callback) : this.#give(callback)))
  }

  read(): Promise<Bytes | null> {
    const reading = this.#inbox.read()
    this.#ask()
    return reading
  }

  async write(chunk: Uint8Array): Promise<void> {
    const error = this.#error ?? this.#sinkError
    if (error !== undefined) throw error
    if (this.#ended) throw new MultiserverError('CLOSED')
    // A copy, for the sink may keep it; `slice` of a Buffer is none.
    if (this.#outbox.push(new Uint8Array(chunk))) return
    await new Promise<void>((resolve, reject) => (this.#writer = { resolve, reject }))
  }

  end(): Promise<void> {
    const error = this.#error ?? this.#sinkError
    if (error !== undefined) return Promise.reject(error)
    this.#ended = true
    this.#outbox.end()
    return Promise.resolve()
  }

  abort(reason: Error = new MultiserverError('ABORTED')): void {
    if (this.#error !== undefined || (this.#sourceOver && this.#sinkOver)) return
    this.#error = reason
    this.#inbox.discard(reason)
    this.#outbox.discard(reason)
    this.#writer?.reject(reason)
    this.#release()
    if (!this.#sourceOver) this.#pull.source(reason, () => undefined)
  }

  #ask(): void {
    if (this.#isAsking || this.#sourceOver || this.#error !== undefined) return
    this.#isAsking = true
    this.#pull.source(null, (end, chunk) => {
      this.#isAsking = false
      if (end) this.#hearEnd(end)
      else if (!(chunk instanceof Uint8Array))
        this.abort(new TypeError('a pull-stream of bytes gives Buffers'))
      else if (chunk.length === 0) this.#ask()
      // A copy again: it is the reader's, who may change it.
      else this.#inbox.push(new Uint8Array(chunk))
    })
  }

  #hearEnd(end: PullEnd): void {
    if (this.#sourceOver || this.#error !== undefined) return
    this.#sourceOver = true
    if (end === true) {
      this.#inbox.end()
      this.#releaseWhenOver()
      return
    }
    this.#error = toError(end, 'CONNECTION_LOST')
    this.#inbox.fail(this.#error)
    this.#outbox.discard(this.#error)
    this.#writer?.reject(this.#error)
    this.#release()
  }

  /** The sink asks for what is to be sent. */
  #give(callback: PullCallback<Uint8Array>): void {
    this.#outbox.read().then(
      (chunk) => {
        if (chunk !== null) return callback(null, this.#toChunk(chunk))
        callback(true)
        this.#sinkOver = true
        this.#releaseWhenOver()
      },
      (error: Error) => callback(error),
    )
  }

  /** The sink takes no more. What the far side has sent can still be read. */
  #loseSink(reason: PullEnd, callback: PullCallback<Uint8Array>): void {
    if (!this.#sinkOver && this.#error === undefined) {
      this.#sinkOver = true
      const gone = new MultiserverError('CONNECTION_LOST', 'the far side takes no more')
      this.#sinkError = reason === true ? gone : toError(reason, 'CONNECTION_LOST')
      this.#outbox.discard(this.#sinkError)
      this.#writer?.reject(this.#sinkError)
      this.#releaseWhenOver()
    }
    callback?.(reason)
  }

  #releaseWhenOver(): void {
    if (this.#sourceOver && this.#sinkOver) this.#release()
  }
}
