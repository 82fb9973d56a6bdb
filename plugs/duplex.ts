import { Socket } from 'node:net'
import { Duplex, finished } from 'node:stream'
import { ByteQueue } from '../core/byte-queue.ts'
import { concat } from '../core/bytes.ts'
import { MultiserverError, toError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { Bytes, ByteStream } from '../core/types.ts'
import { asBuffer } from './buffers.ts'
import { SocketStream } from './socket-stream.ts'

/**
 * A stream, or a Connection, as a Duplex of Node. Destroying the one aborts the other; `end` leaves the reading side
 * open. An 'error' that nobody listens to does not end the process.
 */
export function toDuplex(stream: ByteStream & { readonly error?: Error | undefined }): Duplex {
  const duplex = new Duplex({
    read() {
      stream.read().then(
        (chunk) => duplex.push(chunk && asBuffer(chunk)),
        (error: Error) => duplex.destroy(error),
      )
    },
    write(chunk: Uint8Array, _encoding, callback) {
      stream.write(chunk).then(() => callback(), callback)
    },
    writev(writes, callback) {
      writeAll(
        stream,
        writes.map(({ chunk }) => chunk as Uint8Array),
      ).then(() => callback(), callback)
    },
    final(callback) {
      stream.end().then(() => callback(), callback)
    },
    destroy(error, callback) {
      // After two clean ends it only has to be let go.
      if (error !== null || !duplex.readableEnded || !duplex.writableFinished)
        stream.abort(error ?? undefined)
      void stream.closed.then(() => callback(error))
    },
  })
  duplex.on('error', () => undefined)
  // Reading finds out how it ended, also where nobody reads; what arrived before is kept.
  void stream.closed.then(() => duplex.read(0))
  return duplex
}

/** A Duplex of Node as a stream. Sockets should be made with `allowHalfOpen`: without it the peer's end ends both. */
export function fromDuplex(duplex: Duplex): ByteStream {
  return duplex instanceof Socket ? new SocketStream(duplex) : new DuplexStream(duplex)
}

/** Small writes that waited together are sent together. */
async function writeAll(stream: ByteStream, chunks: readonly Uint8Array[]): Promise<void> {
  let batch: Uint8Array[] = []
  let bytes = 0
  for (const chunk of chunks) {
    if (bytes + chunk.length > limits.connection.joinBytes && bytes > 0) {
      await stream.write(concat(...batch))
      batch = []
      bytes = 0
    }
    batch.push(chunk)
    bytes += chunk.length
  }
  await stream.write(batch.length === 1 && batch[0] ? batch[0] : concat(...batch))
}

class DuplexStream implements ByteStream {
  readonly closed: Promise<void>
  readonly #duplex: Duplex
  readonly #queue: ByteQueue
  #error: Error | undefined

  constructor(duplex: Duplex) {
    this.#duplex = duplex
    this.#queue = new ByteQueue({
      highWaterBytes: limits.connection.receiveBytes,
      onDrain: () => duplex.resume(),
    })
    this.closed = new Promise((resolve) => {
      finished(duplex, (cause) => {
        if (cause) this.#break(toError(cause, 'CONNECTION_LOST'))
        resolve()
      })
    })
    duplex.on('data', (chunk: unknown) => this.#receive(chunk))
    duplex.once('end', () => this.#queue.end())
    duplex.on('error', (cause) => this.#break(toError(cause, 'CONNECTION_LOST')))
  }

  read(): Promise<Bytes | null> {
    return this.#queue.read()
  }

  write(chunk: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#error !== undefined) return reject(this.#error)
      if (this.#duplex.writableEnded) return reject(new MultiserverError('CLOSED'))
      // A copy: one that passes chunks on by reference would read from it after its callback.
      const settle = (cause?: Error | null) => (cause ? reject(this.#asError(cause)) : resolve())
      this.#duplex.write(Buffer.from(chunk), settle)
    })
  }

  end(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#error !== undefined) return reject(this.#error)
      if (this.#duplex.writableFinished) return resolve()
      this.#duplex.end()
      finished(this.#duplex, { readable: false }, (cause) =>
        cause ? reject(this.#asError(cause)) : resolve(),
      )
    })
  }

  abort(reason: Error = new MultiserverError('ABORTED')): void {
    if (this.#duplex.destroyed) return
    this.#error ??= reason
    this.#queue.discard(reason)
    this.#duplex.destroy(reason)
  }

  #receive(chunk: unknown): void {
    if (!(chunk instanceof Uint8Array)) this.abort(new TypeError('a Duplex of bytes gives Buffers'))
    // A copy: the memory may be its writer's.
    else if (!this.#queue.push(new Uint8Array(chunk))) this.#duplex.pause()
  }

  #break(error: Error): void {
    this.#error ??= error
    this.#queue.fail(this.#error)
  }

  #asError(cause: Error): Error {
    return this.#error ?? toError(cause, 'CONNECTION_LOST')
  }
}
