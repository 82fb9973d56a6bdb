import { withDeadline } from '../../core/deadline.ts'
import { MultiserverError, toError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import type { ByteStream, Passage } from '../../core/types.ts'

const { lingerMs } = limits.connection

export interface JointOptions {
  /** How long no byte may pass, either way. */
  readonly idleMs: number
}

/**
 * Two streams joined: what is read from one is written to the other, both ways.
 *
 * A chunk is read when the one before is written, so that a slow reader holds the far sender back. An end is passed on as
 * an end, and the other direction goes on. A break of either stream breaks the other, so that nobody takes what came
 * for all there is.
 */
export class Joint implements Passage {
  readonly closed: Promise<void>
  readonly #near: ByteStream
  readonly #far: ByteStream
  readonly #idleMs: number
  readonly #passed = { toNear: 0, toFar: 0 }
  #error: MultiserverError | undefined
  #lastByteAtMs = performance.now()
  #idle: ReturnType<typeof setTimeout> | undefined
  #linger: ReturnType<typeof setTimeout> | undefined

  constructor(near: ByteStream, far: ByteStream, { idleMs }: JointOptions) {
    this.#near = near
    this.#far = far
    this.#idleMs = Math.min(idleMs, limits.timer.longestMs)
    this.closed = this.#run()
  }

  /** Why it ended badly; undefined while it is open and after a clean end. */
  get error(): MultiserverError | undefined {
    return this.#error
  }

  /** Bytes that were handed on. */
  get passed(): { readonly toNear: number; readonly toFar: number } {
    return this.#passed
  }

  abort(reason?: Error): void {
    this.#error ??= reason === undefined ? new MultiserverError('ABORTED') : toError(reason, 'ABORTED')
    this.#near.abort(this.#error)
    this.#far.abort(this.#error)
  }

  async #run(): Promise<void> {
    this.#watch(this.#idleMs)
    await Promise.all([
      this.#pass(this.#near, this.#far, (bytes) => (this.#passed.toFar += bytes)),
      this.#pass(this.#far, this.#near, (bytes) => (this.#passed.toNear += bytes)),
    ])
    clearTimeout(this.#idle)
    clearTimeout(this.#linger)
    if (this.#error !== undefined) this.abort(this.#error)
    await this.#released()
  }

  /** Resolves when nothing more comes of this direction; whatever breaks is in `error` then. */
  async #pass(from: ByteStream, to: ByteStream, count: (bytes: number) => void): Promise<void> {
    for (;;) {
      let chunk: Awaited<ReturnType<ByteStream['read']>>
      try {
        chunk = await from.read()
      } catch (thrown) {
        return this.abort(toError(thrown, 'CONNECTION_LOST'))
      }
      try {
        if (chunk === null) return await to.end()
        await to.write(chunk)
      } catch (thrown) {
        return this.#onUnwritable(thrown)
      }
      count(chunk.length)
      this.#lastByteAtMs = performance.now()
    }
  }

  /** What the one that takes no more had sent before may still be here: it is read to the end, if that comes soon. */
  #onUnwritable(thrown: unknown): void {
    const error = toError(thrown, 'CONNECTION_LOST')
    this.#error ??= error
    this.#linger ??= setTimeout(() => this.abort(error), lingerMs)
  }

  #watch(waitMs: number): void {
    this.#idle = setTimeout(() => {
      const leftMs = this.#lastByteAtMs + this.#idleMs - performance.now()
      if (leftMs > 0) return this.#watch(Math.ceil(leftMs))
      this.abort(new MultiserverError('TIMEOUT', `no byte passed for ${this.#idleMs} ms`))
    }, waitMs)
  }

  /** Both directions are through: the layers below close by themselves, or are closed. */
  async #released(): Promise<void> {
    const released = Promise.all([this.#near.closed, this.#far.closed])
    const late = () => new MultiserverError('TIMEOUT', `the ends did not close within ${lingerMs} ms`)
    await withDeadline(released, lingerMs, late).catch((thrown: unknown) => {
      const error = toError(thrown, 'TIMEOUT')
      this.#near.abort(error)
      this.#far.abort(error)
    })
  }
}
