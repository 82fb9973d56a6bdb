import { toError } from '../core/errors.ts'
import type { ByteStream } from '../core/types.ts'
import { PullByteStream } from './pull-byte-stream.ts'

/*
 * Pull-streams, as the package `pull-stream` has them. A source is asked for one chunk at a time and calls back;
 * a sink is given the source that it is to ask. Both ends are told with the same value: true for a clean end, an
 * error for a broken one.
 */

/** How a pull-stream ends, or is told to: true is clean. */
export type PullEnd = true | Error

export type PullCallback<Chunk> = (end: PullEnd | null, chunk?: Chunk) => void

/** Calls back with the next chunk, or with how it ended. With `abort` it ends, and calls back when it has. */
export type PullSource<Chunk> = (abort: PullEnd | null, callback: PullCallback<Chunk>) => void

export type PullSink<Chunk> = (source: PullSource<Chunk>) => void

/** Both directions of a stream: `source` gives what the far side sent, `sink` sends. Strings are sent as UTF-8. */
export interface PullDuplex<Chunk extends Uint8Array = Uint8Array> {
  source: PullSource<Chunk>
  sink: PullSink<Uint8Array | string>
}

/** A stream that may say how it ended badly: a Connection does. */
type Stream = ByteStream & { readonly error?: Error | undefined }

/** Where the halves that were made here come from. */
const origins = new WeakMap<object, ByteStream>()

/**
 * A stream as a pull-stream; `toChunk` makes what its source gives. Aborting the source, or ending the sink with an
 * error, aborts the stream; a clean end of the sink ends only what is written.
 */
export function createPullDuplex<Chunk extends Uint8Array>(
  stream: Stream,
  toChunk: (bytes: Uint8Array) => Chunk,
): PullDuplex<Chunk> {
  const source = createSource(stream, toChunk)
  const sink = createSink(stream)
  origins.set(source, stream)
  origins.set(sink, stream)
  return { source, sink }
}

/**
 * A pull-stream as a stream; `toChunk` makes what its sink is given. One that was made here, and whose halves nobody
 * has replaced, is given back as it was: two conversions would only copy.
 */
export function createByteStream(
  pull: PullDuplex & { readonly address?: string | undefined },
  toChunk: (bytes: Uint8Array) => Uint8Array,
): ByteStream {
  const origin = origins.get(pull.source)
  if (origin !== undefined && origin === origins.get(pull.sink)) return origin
  return new PullByteStream(pull, toChunk)
}

function createSource<Chunk>(stream: Stream, toChunk: (bytes: Uint8Array) => Chunk): PullSource<Chunk> {
  let aborted: PullEnd | undefined
  // Two parameters, both without a default: `pull-stream` takes a function of one for a sink.
  return (abort, callback) => {
    if (abort) {
      aborted ??= abort
      stream.abort(abort === true ? undefined : toError(abort, 'ABORTED'))
      void stream.closed.then(() => callback?.(abort))
      return
    }
    stream.read().then(
      (chunk) => (chunk === null ? callback(true) : callback(null, toChunk(chunk))),
      (error: Error) => callback(aborted ?? error),
    )
  }
}

function createSink(stream: Stream): PullSink<Uint8Array | string> {
  return (source) => {
    let isOver = false
    const stop = (reason: PullEnd) => {
      if (isOver) return
      isOver = true
      source(reason, ignore)
    }
    const next = () => {
      if (!isOver) source(null, take)
    }
    const take: PullCallback<Uint8Array | string> = (end, chunk) => {
      if (isOver) return
      if (end) {
        isOver = true
        // Whether the end arrives, the source learns.
        if (end === true) stream.end().catch(ignore)
        else stream.abort(toError(end, 'ABORTED'))
        return
      }
      const bytes = toBytes(chunk)
      if (bytes !== null) return void stream.write(bytes).then(next, stop)
      const error = new TypeError('a pull-stream of bytes carries Buffers, and strings are taken as UTF-8')
      stream.abort(error)
      stop(error)
    }
    // A source that has nothing to send hears of it too.
    void stream.closed.then(() => stop(stream.error ?? true))
    next()
  }
}

function toBytes(chunk: unknown): Uint8Array | null {
  if (typeof chunk === 'string') return new TextEncoder().encode(chunk)
  return chunk instanceof Uint8Array ? chunk : null
}

function ignore(): void {}
