import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { ByteQueue } from '../core/byte-queue.ts'
import { view } from '../core/bytes.ts'
import { MultiserverError } from '../core/errors.ts'
import { isLoopbackSource, sourceOf } from '../core/ip.ts'
import { limits } from '../core/limits.ts'
import type { Bytes, ByteStream, StreamInfo } from '../core/types.ts'

/** A connected socket of Node, TCP, TLS or unix, made with `allowHalfOpen`, as a byte stream. */
export class SocketStream implements ByteStream {
  readonly info: StreamInfo
  readonly closed: Promise<void>
  readonly #socket: Socket
  readonly #queue: ByteQueue
  #error: Error | undefined

  constructor(socket: Socket, info: StreamInfo = {}) {
    this.info = info
    this.#socket = socket
    this.#queue = new ByteQueue({
      highWaterBytes: limits.connection.receiveBytes,
      onDrain: () => socket.resume(),
    })
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#break(new MultiserverError('CONNECTION_LOST', 'the socket was closed'))
        resolve()
      })
    })
    socket.on('data', (chunk: Buffer<ArrayBuffer>) => {
      if (!this.#queue.push(view(chunk))) socket.pause()
    })
    socket.once('end', () => this.#queue.end())
    socket.on('error', (cause) => {
      this.#break(new MultiserverError('CONNECTION_LOST', cause.message, { cause }))
    })
  }

  read(): Promise<Bytes | null> {
    return this.#queue.read()
  }

  /** Settles once the kernel has the chunk: until then Node may still read from it. */
  write(chunk: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#error !== undefined) reject(this.#error)
      else this.#socket.write(chunk, (cause) => (cause ? reject(this.#asError(cause)) : resolve()))
    })
  }

  end(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#error !== undefined) return reject(this.#error)
      const socket = this.#socket
      if (socket.writableFinished) return resolve()
      const onClose = () => reject(this.#error ?? new MultiserverError('CONNECTION_LOST'))
      socket.once('close', onClose)
      socket.end(() => {
        socket.off('close', onClose)
        resolve()
      })
    })
  }

  abort(reason: Error = new MultiserverError('ABORTED')): void {
    if (this.#socket.destroyed) return
    this.#error ??= reason
    this.#queue.discard(reason)
    // A reset tells the peer that this was no clean end; unix sockets know none, and those of TLS can't send it.
    const canReset = this.#socket.remoteAddress !== undefined && !(this.#socket instanceof TLSSocket)
    if (canReset) this.#socket.resetAndDestroy()
    else this.#socket.destroy()
  }

  #break(error: MultiserverError): void {
    this.#error ??= error
    this.#queue.fail(error)
  }

  #asError(cause: Error): Error {
    return this.#error ?? new MultiserverError('CONNECTION_LOST', cause.message, { cause })
  }
}

/** The far side's address; a dual-stack socket shows IPv4 peers as ::ffff:192.0.2.1. */
export function peerHost(socket: Socket): string | undefined {
  return socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)/, '')
}

/** What handshakes are counted by; undefined for this machine, where a proxy may stand for everybody. */
export function limitedSource(host: string): string | undefined {
  const source = sourceOf(host)
  return isLoopbackSource(source) ? undefined : source
}
