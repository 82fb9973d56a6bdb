import { ByteQueue } from '../core/byte-queue.ts'
import { abortReason } from '../core/deadline.ts'
import { MultiserverError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { Bytes, ByteStream, StreamInfo } from '../core/types.ts'
import type { WebSocketLike } from './websocket.ts'

/**
 * Large writes go out in messages of this size, so that a receiver may bound what it accepts. A batch of frames of a
 * transform, 64 KiB with their heads, fits into one: what lies in two is copied once more and costs another write.
 */
const messageBytes = 128 * 1024

/** Closed with 1000 (normal) or without a code, as multiserver 3.8.2 does. Anything else is a broken stream. */
const cleanCloseCodes = [1000, 1005]

/**
 * Binary messages of a WebSocket as a byte stream. A WebSocket has no half-close: `end` closes both directions,
 * and what the peer sent before it learned of that is still read.
 */
export class WebSocketStream implements ByteStream {
  readonly info: StreamInfo
  readonly closed: Promise<void>
  readonly #socket: WebSocketLike
  readonly #queue: ByteQueue
  #release: () => void = () => undefined
  #ended = false
  #over = false
  #error: Error | undefined

  private constructor(socket: WebSocketLike, info: StreamInfo) {
    this.info = info
    this.#socket = socket
    const { receiveBytes, unpausableReceiveBytes } = limits.connection
    this.#queue = new ByteQueue({
      highWaterBytes: socket.pause === undefined ? unpausableReceiveBytes : receiveBytes,
      onDrain: () => socket.resume?.(),
    })
    this.closed = new Promise((resolve) => (this.#release = resolve))
  }

  /** A socket that is open already. */
  static accept(socket: WebSocketLike, info: StreamInfo): WebSocketStream {
    const stream = new WebSocketStream(socket, info)
    socket.on({
      onMessage: (data) => stream.#receive(data),
      onClose: (event) => stream.#finish(event.code, event.error),
    })
    return stream
  }

  /** A socket that is still opening. */
  static dial(socket: WebSocketLike, info: StreamInfo, signal: AbortSignal): Promise<WebSocketStream> {
    return new Promise((resolve, reject) => {
      const stream = new WebSocketStream(socket, info)
      const onAbort = () => {
        socket.terminate()
        reject(abortReason(signal))
      }
      socket.on({
        onOpen() {
          signal.removeEventListener('abort', onAbort)
          resolve(stream)
        },
        onMessage: (data) => stream.#receive(data),
        onClose({ code, error: cause }) {
          signal.removeEventListener('abort', onAbort)
          const why = cause?.message ?? `the WebSocket did not open (${code})`
          reject(new MultiserverError('CONNECT_FAILED', why, { cause }))
          stream.#finish(code, cause)
        },
      })
      signal.addEventListener('abort', onAbort, { once: true })
      if (signal.aborted) onAbort()
    })
  }

  read(): Promise<Bytes | null> {
    return this.#queue.read()
  }

  async write(chunk: Uint8Array): Promise<void> {
    for (let start = 0; start < chunk.length; start += messageBytes) {
      if (this.#error !== undefined) throw this.#error
      if (this.#ended || this.#over) throw new MultiserverError('CLOSED', 'the peer closed the WebSocket')
      try {
        await this.#socket.send(chunk.subarray(start, start + messageBytes))
      } catch (cause) {
        throw this.#error ?? new MultiserverError('CONNECTION_LOST', undefined, { cause })
      }
    }
  }

  end(): Promise<void> {
    if (this.#error !== undefined) return Promise.reject(this.#error)
    if (!this.#ended) {
      this.#ended = true
      this.#socket.close(1000)
    }
    return Promise.resolve()
  }

  abort(reason: Error = new MultiserverError('ABORTED')): void {
    if (this.#over) return
    this.#error ??= reason
    this.#queue.discard(reason)
    this.#socket.terminate()
  }

  #receive(data: Bytes | string): void {
    if (typeof data === 'string') {
      this.abort(new MultiserverError('PROTOCOL', 'the peer sent text; only binary messages carry bytes'))
      return
    }
    if (this.#queue.push(data)) return
    if (this.#socket.pause !== undefined) this.#socket.pause()
    else this.abort(new MultiserverError('RECEIVE_OVERFLOW'))
  }

  #finish(code: number, cause: Error | undefined): void {
    this.#over = true
    if (cause === undefined && cleanCloseCodes.includes(code)) this.#queue.end()
    else {
      const why = cause?.message ?? `the WebSocket was closed with code ${code}`
      this.#error ??= new MultiserverError('CONNECTION_LOST', why, { cause })
      this.#queue.fail(this.#error)
    }
    this.#release()
  }
}
