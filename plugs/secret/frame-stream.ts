import { MultiserverError, toError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { linger } from '../../core/linger.ts'
import type { Bytes, ByteStream, StreamInfo } from '../../core/types.ts'

/** Turns plaintext into frames. */
export interface FrameSealer {
  /** The frames of the next batch of `plain`, from `start` on, and where the batch after it starts. */
  seal(plain: Uint8Array, start: number): { readonly frames: Bytes; readonly next: number }
  /** Takes back frames that nobody reads any more. May be left out, as where a write of them has failed. */
  reuse(frames: Bytes): void
  /** The last frame; nothing may be sealed after it. */
  sealGoodbye(): Bytes
  /** Overwrites the key. */
  wipe(): void
}

/** Turns frames, cut anyhow, into plaintext. The first fault is the end: nothing after it is opened. */
export interface FrameOpener {
  /** How it ended: by goodbye or by the fault. What was opened before can still be taken. */
  readonly ending: 'goodbye' | MultiserverError | undefined
  /** The next bytes of the stream, to be given when `open` has answered null. Their memory is the opener's from then on. */
  push(chunk: Bytes): void
  /** The plaintext of the frames that are here, joined; null when there is none without more bytes. */
  open(): Bytes | null
  /** Overwrites the key. */
  wipe(): void
}

export interface FrameStreamOptions {
  readonly sealer: FrameSealer
  readonly opener: FrameOpener
  /** What came behind the handshake's last message. */
  readonly received: Bytes | null
  /** How long the layer below may take to close once both sides have said goodbye, as long as it delivers nothing. @default 10,000 */
  readonly lingerMs?: number | undefined
}

/**
 * The encrypted stream after a handshake.
 *
 * Goodbye ends one direction: after ours we read on until the peer's, after the peer's we may write on. Only when
 * both are through is the layer below ended, for a peer of the old kind loses what it still has to send when it
 * meets the end of its socket.
 */
export class FrameStream implements ByteStream {
  readonly closed: Promise<void>
  readonly info: StreamInfo | undefined
  readonly #inner: ByteStream
  readonly #sealer: FrameSealer
  readonly #opener: FrameOpener
  readonly #lingerMs: number
  #error: Error | undefined
  #ending: Promise<void> | undefined
  #saidGoodbye = false
  /** Whether the peer's goodbye was read, and then whether anything was written after it. */
  #heardGoodbye = false
  #wroteAfterGoodbye = false
  #innerClosed = false
  #stopWaiting: (() => void) | undefined

  constructor(inner: ByteStream, { sealer, opener, received, lingerMs }: FrameStreamOptions) {
    this.#inner = inner
    this.info = inner.info
    this.#sealer = sealer
    this.#opener = opener
    this.#lingerMs = lingerMs ?? limits.connection.lingerMs
    if (received !== null) this.#opener.push(received)
    this.closed = inner.closed.then(() => {
      this.#innerClosed = true
      this.#stopWaiting?.()
    })
  }

  async read(): Promise<Bytes | null> {
    for (;;) {
      if (this.#error !== undefined) throw this.#error
      const plain = this.#opener.open()
      if (plain !== null) return plain
      const { ending } = this.#opener
      if (ending === 'goodbye') return this.#hearGoodbye()
      if (ending !== undefined) throw this.#fail(ending)
      const chunk = await this.#readInner()
      if (chunk === null) throw this.#fail(new MultiserverError('TRUNCATED'))
      this.#opener.push(chunk)
    }
  }

  async write(chunk: Uint8Array): Promise<void> {
    for (let next = 0; next < chunk.length;) {
      if (this.#error !== undefined) throw this.#error
      if (this.#ending !== undefined) throw new MultiserverError('CLOSED')
      if (this.#heardGoodbye) this.#wroteAfterGoodbye = true
      const batch = this.#seal(chunk, next)
      next = batch.next
      await this.#writeInner(batch.frames)
      this.#sealer.reuse(batch.frames)
    }
  }

  end(): Promise<void> {
    this.#ending ??= this.#sayGoodbye()
    return this.#ending
  }

  abort(reason: Error = new MultiserverError('ABORTED')): void {
    this.#fail(reason)
  }

  /** A key may be used only so often; that is the end of the connection. */
  #seal(chunk: Uint8Array, start: number): ReturnType<FrameSealer['seal']> {
    try {
      return this.#sealer.seal(chunk, start)
    } catch (thrown) {
      throw this.#fail(toError(thrown, 'CONNECTION_LOST'))
    }
  }

  async #readInner(): Promise<Bytes | null> {
    try {
      return await this.#inner.read()
    } catch (thrown) {
      throw this.#fail(toError(thrown, 'CONNECTION_LOST'))
    }
  }

  async #writeInner(frames: Bytes): Promise<void> {
    try {
      await this.#inner.write(frames)
    } catch (thrown) {
      // Not the end of reading: what the peer had sent before it went may still be here.
      throw this.#error ?? toError(thrown, 'CONNECTION_LOST')
    }
  }

  async #sayGoodbye(): Promise<void> {
    if (this.#error !== undefined) throw this.#error
    try {
      await this.#writeInner(this.#sealer.sealGoodbye())
      this.#saidGoodbye = true
    } catch (thrown) {
      // A peer that has said its goodbye, and was sent nothing since, may be gone: nobody misses ours.
      if (this.#error !== undefined || !this.#heardGoodbye || this.#wroteAfterGoodbye) throw thrown
      this.#inner.abort(toError(thrown, 'CONNECTION_LOST'))
    }
    void this.#endInner()
  }

  #hearGoodbye(): null {
    this.#heardGoodbye = true
    void this.#endInner()
    return null
  }

  /** Once both have said goodbye: ends the layer below, which may still hold megabytes, and gives it time to close. */
  async #endInner(): Promise<void> {
    const inner = this.#inner
    if (!this.#saidGoodbye || !this.#heardGoodbye) return
    if (this.#innerClosed || this.#stopWaiting !== undefined) return
    this.#stopWaiting = linger(
      () => this.info,
      this.#lingerMs,
      () =>
        inner.abort(
          new MultiserverError('TIMEOUT', `the transport did not close within ${this.#lingerMs} ms`),
        ),
    )
    try {
      await inner.end()
      // The peer's end of the transport is all that may come after its goodbye.
      if ((await inner.read()) !== null) inner.abort(new MultiserverError('PROTOCOL', 'bytes after goodbye'))
    } catch (thrown) {
      inner.abort(toError(thrown, 'CONNECTION_LOST'))
    }
  }

  /** Breaks both directions, once; gives what they broke with. */
  #fail(error: Error): Error {
    if (this.#error === undefined) {
      this.#error = error
      this.#sealer.wipe()
      this.#opener.wipe()
      this.#inner.abort(error)
    }
    return this.#error
  }
}
