import { ByteReader } from '../../core/byte-reader.ts'
import { concat, fromText } from '../../core/bytes.ts'
import { withDeadline } from '../../core/deadline.ts'
import { MultiserverError } from '../../core/errors.ts'
import type { Bytes, ByteStream } from '../../core/types.ts'
import { transferLimits } from './limits.ts'
import type { Codec } from './messages.ts'

/**
 * ```
 * MESSAGE  length(4)  0x00  JSON          length counts what follows it, big-endian
 * DATA     length(4)  0x01  bytes(1..)    of the file that is under way
 * ```
 */
export type Frame<T> =
  | { readonly kind: 'message'; readonly message: T }
  | { readonly kind: 'data'; readonly bytes: Bytes }

/** In front of a frame's content. */
export const frameHeaderBytes = 5

const messageKind = 0
const dataKind = 1

export function messageFrame(json: string): Bytes {
  const content = fromText(json)
  const frame = concat(new Uint8Array(frameHeaderBytes), content)
  writeHeader(frame, messageKind, content.length)
  return frame
}

/** The frame of the `length` bytes that stand in `memory` behind the room for a header; the same memory. */
export function dataFrame(memory: Uint8Array, length: number): Uint8Array {
  writeHeader(memory, dataKind, length)
  return memory.subarray(0, frameHeaderBytes + length)
}

/** Reads the frames of the far side, whose messages `codec` decodes. */
export class FrameReader<T extends { readonly type: string }> {
  readonly #reader: ByteReader
  readonly #codec: Codec<T>
  #ahead: Promise<Frame<T> | null> | undefined

  constructor(stream: Pick<ByteStream, 'read'>, codec: Codec<T>, silentMs: number = transferLimits.silentMs) {
    // Of what comes, not of a whole frame: a slow line is not silent.
    this.#reader = new ByteReader({ read: () => withDeadline(stream.read(), silentMs, silence) })
    this.#codec = codec
  }

  /**
   * The next frame that says something, or null when the far side has ended between two.
   *
   * @throws PROTOCOL, TRUNCATED, TIMEOUT after a silence, and what the stream rejects with
   */
  next(): Promise<Frame<T> | null> {
    const next = this.peek()
    this.#ahead = undefined
    return next
  }

  /** The same, which stays the next. */
  peek(): Promise<Frame<T> | null> {
    this.#ahead ??= this.#readOn()
    return this.#ahead
  }

  /** The next frame, which must be a message. @throws as `next` does, and TRUNCATED at the end */
  async message(): Promise<T> {
    const frame = await this.next()
    if (frame === null) throw new MultiserverError('TRUNCATED', 'the far side ended in the middle')
    if (frame.kind !== 'message') throw protocolError('data that nobody asked for')
    return frame.message
  }

  async #readOn(): Promise<Frame<T> | null> {
    for (;;) {
      const frame = await this.#read()
      if (frame?.kind !== 'message' || frame.message.type !== 'alive') return frame
    }
  }

  async #read(): Promise<Frame<T> | null> {
    const header = await this.#reader.read(frameHeaderBytes)
    if (header === null) return null
    const length = new DataView(header.buffer, header.byteOffset).getUint32(0) - 1
    const kind = header[4]
    const most = kind === dataKind ? transferLimits.dataBytes : transferLimits.messageBytes
    if ((kind !== messageKind && kind !== dataKind) || length < 1 || length > most) {
      throw protocolError('a frame of another kind or size')
    }
    const content = await this.#reader.read(length)
    if (content === null) throw new MultiserverError('TRUNCATED', 'the far side ended within a frame')
    if (kind === dataKind) return { kind: 'data', bytes: content }
    const message = this.#codec.decode(new TextDecoder().decode(content))
    if (message === null) throw protocolError('a message that can not be read')
    return { kind: 'message', message }
  }
}

export function protocolError(what: string): MultiserverError {
  return new MultiserverError(
    'PROTOCOL',
    `the far side sent ${what}: it may be no multiserver send or receive`,
  )
}

function silence(): MultiserverError {
  return new MultiserverError('TIMEOUT', 'nothing was heard of the far side for too long')
}

function writeHeader(frame: Uint8Array, kind: number, length: number): void {
  new DataView(frame.buffer, frame.byteOffset).setUint32(0, length + 1)
  frame[4] = kind
}
