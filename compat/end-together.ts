import { MultiserverError } from '../core/errors.ts'
import type { Bytes, ByteStream, StreamInfo } from '../core/types.ts'

/** How long one direction may go on in silence after the other has ended. */
const silenceMs = 1000

/**
 * A stream both directions of which end together, as in 3.8.2, which cuts the one as soon as the other has ended.
 * Programs rely on it: muxrpc stops reading and waits to be told. Here what is on its way arrives first.
 *
 * - The peer has ended, and this side writes nothing more: the stream is aborted. There is always one read under
 *   way, so that the end is heard of where nobody reads.
 * - This side has ended, and the peer sends nothing more: the layer below is ended, which a 3.8.2 that does not read
 *   understands, and which is no loss to anybody else.
 */
export class EndTogether implements ByteStream {
  readonly closed: Promise<void>
  readonly info: StreamInfo | undefined
  readonly #stream: ByteStream
  readonly #below: ByteStream | undefined
  #ahead: Promise<Bytes | null> | undefined
  #peerEnded = false
  #ended = false
  #isClosed = false
  #silence: ReturnType<typeof setTimeout> | undefined

  constructor(stream: ByteStream, below?: ByteStream) {
    this.#stream = stream
    this.#below = below
    this.info = stream.info
    this.closed = stream.closed.then(() => {
      this.#isClosed = true
      clearTimeout(this.#silence)
    })
    void this.#readAhead()
  }

  async read(): Promise<Bytes | null> {
    const chunk = await this.#readAhead()
    this.#ahead = undefined
    void this.#readAhead()
    return chunk
  }

  async write(chunk: Uint8Array): Promise<void> {
    clearTimeout(this.#silence)
    await this.#stream.write(chunk)
    this.#listenForSilence()
  }

  async end(): Promise<void> {
    await this.#stream.end()
    this.#ended = true
    this.#listenForSilence()
  }

  abort(reason?: Error): void {
    // What was read ahead is dropped with the rest.
    this.#ahead = undefined
    this.#stream.abort(reason)
  }

  #readAhead(): Promise<Bytes | null> {
    if (this.#ahead === undefined) {
      this.#ahead = this.#stream.read()
      this.#ahead.then(
        (chunk) => {
          if (chunk === null) this.#peerEnded = true
          this.#listenForSilence()
        },
        () => undefined,
      )
    }
    return this.#ahead
  }

  #listenForSilence(): void {
    clearTimeout(this.#silence)
    if (this.#isClosed || this.#ended === this.#peerEnded) return
    this.#silence = setTimeout(() => {
      if (this.#ended) this.#below?.end().catch(() => undefined)
      else this.#stream.abort(new MultiserverError('TIMEOUT', 'the peer has ended, and this side did not'))
    }, silenceMs)
  }
}
