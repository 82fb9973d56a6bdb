import type { Bytes, ByteStream, StreamInfo } from '../../core/types.ts'

/** `stream` with `bytes` in front of those that it gives: what was read too far goes back. */
export function unread(stream: ByteStream, bytes: Bytes | null): ByteStream {
  return bytes === null || bytes.length === 0 ? stream : new UnreadStream(stream, bytes)
}

class UnreadStream implements ByteStream {
  readonly closed: Promise<void>
  readonly info: StreamInfo | undefined
  readonly #inner: ByteStream
  #bytes: Bytes | undefined

  constructor(inner: ByteStream, bytes: Bytes) {
    this.closed = inner.closed
    this.info = inner.info
    this.#inner = inner
    this.#bytes = bytes
  }

  read(): Promise<Bytes | null> {
    const bytes = this.#bytes
    if (bytes === undefined) return this.#inner.read()
    this.#bytes = undefined
    return Promise.resolve(bytes)
  }

  write(chunk: Uint8Array): Promise<void> {
    return this.#inner.write(chunk)
  }

  end(): Promise<void> {
    return this.#inner.end()
  }

  abort(reason?: Error): void {
    this.#bytes = undefined
    this.#inner.abort(reason)
  }
}
