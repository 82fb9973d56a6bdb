import type { ByteReader } from '../../core/byte-reader.ts'
import type { Bytes, ByteStream } from '../../core/types.ts'
import { fail, type Failure } from './failure.ts'

/** What a handshake reads from and writes to, before there is a stream. */
export interface Wire {
  readonly reader: ByteReader
  write(chunk: Uint8Array): ReturnType<ByteStream['write']>
}

export async function send(wire: Wire, message: Bytes, failure: Failure): Promise<void> {
  try {
    await wire.write(message)
  } catch (cause) {
    throw fail(failure, cause)
  }
}

/** Exactly `length` bytes; without them it is `failure`. */
export async function receive(wire: Wire, length: number, failure: Failure): Promise<Bytes> {
  let message: Bytes | null
  try {
    message = await wire.reader.read(length)
  } catch (cause) {
    throw fail(failure, cause)
  }
  if (message === null) throw fail(failure)
  return message
}
