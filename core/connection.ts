import { MultiserverError, toError } from './errors.ts'
import { limits } from './limits.ts'
import { linger } from './linger.ts'
import { WriteQueue } from './write-queue.ts'
import type { StageTimes } from './stage-times.ts'
import type { Bytes, ByteStream, Path } from './types.ts'

export interface ConnectionFacts {
  /** The far side: the address dialed, or where it came from, with the key that it proved. */
  readonly address: string
  /** Whether this side dialed or accepted. */
  readonly role: 'client' | 'server'
  /** The Ed25519 key, 32 bytes, that the last transform proved. */
  readonly remote?: Uint8Array | undefined
  /** What the server's `auth` gave. */
  readonly auth?: unknown
  /** Handshake hash, for channel binding. */
  readonly binding?: Uint8Array | undefined
  /** 2 for shs2, 1 for shs, 0 for none. */
  readonly strength: number
  /** How long close() waits for the peer's end. */
  readonly lingerMs?: number | undefined
  /** Of the side that dialed. */
  readonly stageMs?: StageTimes | undefined
}

/**
 * An open connection to a peer: bytes in order, both ways.
 *
 * `read` gives the next bytes, or null once the peer has ended; `write` settles when the connection is ready for
 * more; `end` finishes this side's bytes and leaves reading open where the layers can. Then `close` to be done in
 * peace, or `abort` to be gone at once. Promises of `write`, `end` and `closed` may be left unawaited.
 */
export class Connection implements AsyncIterable<Bytes> {
  readonly address: string
  readonly role: 'client' | 'server'
  readonly remote: Uint8Array | undefined
  readonly auth: unknown
  readonly binding: Uint8Array | undefined
  readonly strength: number
  /** Resolves, and never rejects, when nothing of the connection is left. */
  readonly closed: Promise<void>
  readonly #stream: ByteStream
  readonly #lingerMs: number
  readonly #stageMs: StageTimes | undefined
  readonly #writes: WriteQueue
  #lastRead: Promise<Bytes | null> | undefined
  /** Read before anybody asked. */
  #ahead: Promise<Bytes | null> | undefined
  #endOfStream = false
  #ending: Promise<void> | undefined
  #closing = false
  #error: MultiserverError | undefined
  #isAborted = false
  #readable: ReadableStream<Bytes> | undefined
  #writable: WritableStream<Uint8Array> | undefined

  constructor(stream: ByteStream, facts: ConnectionFacts) {
    this.#stream = stream
    this.address = facts.address
    this.role = facts.role
    this.remote = facts.remote
    this.auth = facts.auth
    this.binding = facts.binding
    this.strength = facts.strength
    this.#lingerMs = Math.min(facts.lingerMs ?? limits.connection.lingerMs, limits.timer.longestMs)
    this.#stageMs = facts.stageMs
    this.closed = stream.closed
    this.#writes = new WriteQueue(stream, (thrown) => this.#fail(thrown))
  }

  /** Why the connection ended badly; undefined while it is open and after a clean end. */
  get error(): MultiserverError | undefined {
    return this.#error
  }

  /** The path in use now, where the transport has several (rtc). */
  get path(): Path | undefined {
    return this.#stream.info?.path
  }

  /** Calls `listener` at each change of the path; the returned function stops that. */
  on(_event: 'path', listener: (path: Path) => void): () => void {
    return this.#stream.info?.onPath?.(listener) ?? (() => undefined)
  }

  /**
   * Figures for people: what they are depends on the transport; those of rtc are its `RtcStats`. `stageMs` of a connection that
   * was dialed: how long each stage of that took, in milliseconds; `onProgress` of the dial says when each is reached.
   */
  stats(): Record<string, unknown> {
    const figures = this.#stream.info?.stats?.() ?? {}
    return this.#stageMs === undefined ? figures : { ...figures, stageMs: { ...this.#stageMs } }
  }

  /** The next bytes, never empty, or null once the peer has ended or this side has closed. Served in order. */
  read(): Promise<Bytes | null> {
    if (this.#closing) return Promise.resolve(null)
    return this.#readNext()
  }

  /**
   * Settles when the connection is ready for more. The chunk belongs to the connection until then. Small ones are
   * copied and settle at once while little waits: that they failed shows in the next call, and in `error`.
   */
  write(chunk: Uint8Array): Promise<void> {
    if (!(chunk instanceof Uint8Array))
      return quiet(Promise.reject(new TypeError('write() takes a Uint8Array')))
    if (this.#error !== undefined) return quiet(Promise.reject(this.#error))
    if (this.#ending !== undefined)
      return quiet(Promise.reject(new MultiserverError('CLOSED', undefined, this)))
    return this.#writes.write(chunk)
  }

  /** No more writes from here. Settles when all that was written, and the end, has been handed on. */
  end(): Promise<void> {
    if (this.#ending === undefined) {
      this.#ending = quiet(this.#end())
      // Whoever ends and never reads would not hear that the peer has ended too, and hold it until it gives up.
      this.#readAhead()
    }
    return this.#ending
  }

  /**
   * Ends, waits for the peer's end up to `lingerMs`, discards what is not read, and releases. Never rejects. On rtc `lingerMs` begin
   * anew as long as the peer goes on taking what was written.
   */
  close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = true
      void this.#close()
    }
    return this.closed
  }

  /** Releases everything at once. Bytes under way may be lost, and the peer gets an error. */
  abort(reason?: Error): void {
    this.#isAborted = true
    this.#error ??= reason === undefined ? new MultiserverError('ABORTED') : toError(reason, 'ABORTED')
    this.#writes.fail(this.#error)
    this.#stream.abort(this.#error)
  }

  /** Reads to the end; leaving the loop early aborts. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Bytes, void, undefined> {
    let finished = false
    try {
      for (let chunk = await this.read(); chunk !== null; chunk = await this.read()) yield chunk
      finished = true
    } finally {
      if (!finished) this.abort()
    }
  }

  /** The reading side as a web stream; made at first use. */
  get readable(): ReadableStream<Bytes> {
    this.#readable ??= new ReadableStream<Bytes>(
      {
        pull: async (controller) => {
          const chunk = await this.read()
          if (chunk === null) controller.close()
          else controller.enqueue(chunk)
        },
        cancel: (reason) => this.abort(reason === undefined ? undefined : toError(reason, 'ABORTED')),
      },
      { highWaterMark: 0 },
    )
    return this.#readable
  }

  /** The writing side as a web stream; made at first use. */
  get writable(): WritableStream<Uint8Array> {
    this.#writable ??= new WritableStream<Uint8Array>({
      write: (chunk) => this.write(chunk),
      close: () => this.end(),
      abort: (reason) => this.abort(reason === undefined ? undefined : toError(reason, 'ABORTED')),
    })
    return this.#writable
  }

  #readNext(): Promise<Bytes | null> {
    const reading =
      this.#lastRead === undefined ? this.#readNow() : this.#lastRead.then(() => this.#readNow())
    this.#lastRead = reading
    const settled = () => {
      if (this.#lastRead === reading) this.#lastRead = undefined
    }
    reading.then(settled, settled)
    return reading
  }

  async #readNow(): Promise<Bytes | null> {
    // A write that failed says nothing about what has arrived.
    if (this.#isAborted && this.#error !== undefined) throw this.#error
    if (this.#ahead !== undefined) {
      const ahead = this.#ahead
      this.#ahead = undefined
      return ahead
    }
    if (this.#endOfStream) return null
    try {
      const chunk = await this.#stream.read()
      if (chunk === null) this.#endOfStream = true
      return chunk
    } catch (thrown) {
      throw this.#fail(thrown)
    }
  }

  /** One chunk, unless somebody is reading already; the next read gets it. */
  #readAhead(): void {
    if (this.#lastRead === undefined) this.#ahead ??= quiet(this.#readNow())
  }

  async #discard(): Promise<void> {
    while ((await this.#readNext()) !== null);
  }

  async #end(): Promise<void> {
    if (this.#error !== undefined) throw this.#error
    await this.#writes.finish()
    try {
      await this.#stream.end()
    } catch (thrown) {
      throw this.#fail(thrown)
    }
  }

  async #close(): Promise<void> {
    const stopWaiting = linger(
      () => this.#stream.info,
      this.#lingerMs,
      () => {
        const message = `the peer did not end within ${this.#lingerMs} ms`
        this.abort(new MultiserverError('TIMEOUT', message, this))
      },
    )
    try {
      // At the same time: a peer that is held back by us reads nothing of ours either.
      await Promise.all([this.end(), this.#discard()])
      await this.closed
    } catch {
      this.#stream.abort(this.#error)
    } finally {
      stopWaiting()
    }
  }

  #fail(thrown: unknown): MultiserverError {
    this.#error ??= toError(thrown, 'CONNECTION_LOST', { address: this.address })
    return this.#error
  }
}

/** The same promise, whose rejection may go unheard: the reader learns of it by reading. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined)
  return promise
}
