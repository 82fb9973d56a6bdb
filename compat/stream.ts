import type { ByteStream } from '../core/types.ts'
import { asBuffer } from '../plugs/buffers.ts'
import { createPullDuplex } from '../plugs/pull.ts'
import { EndTogether } from './end-together.ts'
import type { Stream, StreamError } from './types.ts'

/** A stream of this package as 3.8.2 hands it out. @param below what a transform is on top of */
export function toOldStream(stream: ByteStream, below?: ByteStream): Stream {
  return {
    ...createPullDuplex(new EndTogether(stream, below), asBuffer),
    address: stream.info?.address,
  }
}

/** An error with the code of the system's, where there is one: programs compare it with ECONNREFUSED and the like. */
export function toOldError(error: Error): StreamError {
  const { cause } = error
  if (!(cause instanceof Error) || !('code' in cause)) return error
  return Object.assign(new Error(error.message, { cause: error }), { code: cause.code })
}
