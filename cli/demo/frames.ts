import { concat, fromText } from '../../core/bytes.ts'
import { MultiserverError } from '../../core/errors.ts'
import type { ByteReader } from '../../core/byte-reader.ts'
import type { Bytes } from '../../core/types.ts'
import { decodeMessage, demoLimits, encodeMessage, type Message } from './protocol.ts'

/**
 * ```
 * MESSAGE  length(4)  0x00  JSON                 length counts what follows it, big-endian
 * CHUNK    length(4)  0x01  id(4)  bytes(1..)
 * ```
 */
export type DemoFrame =
  | { readonly kind: 'message'; readonly message: Message }
  | { readonly kind: 'chunk'; readonly id: number; readonly bytes: Bytes }

export function messageFrame(message: Message): Bytes {
  return frame(messageKind, fromText(encodeMessage(message)))
}

export function chunkFrame(id: number, bytes: Uint8Array): Bytes {
  return frame(chunkKind, uint32(id), bytes)
}

/** The next frame, or null when the peer has ended between two. @throws PROTOCOL, TRUNCATED */
export async function readFrame(reader: ByteReader): Promise<DemoFrame | null> {
  const header = await reader.read(5)
  if (header === null) return null
  const length = readUint32(header)
  const kind = header[4]
  const most = kind === chunkKind ? 5 + demoLimits.chunkBytes : 1 + demoLimits.messageBytes
  const least = kind === chunkKind ? 6 : 2
  if ((kind !== messageKind && kind !== chunkKind) || length < least || length > most) throw protocolError()
  const body = await reader.read(length - 1)
  if (body === null) throw new MultiserverError('TRUNCATED')
  if (kind === chunkKind) return { kind: 'chunk', id: readUint32(body), bytes: body.subarray(4) }
  const message = decodeMessage(new TextDecoder().decode(body))
  if (message === null) throw protocolError()
  return { kind: 'message', message }
}

const messageKind = 0
const chunkKind = 1

function frame(kind: number, ...parts: Uint8Array[]): Bytes {
  const length = parts.reduce((sum, part) => sum + part.length, 1)
  return concat(uint32(length), Uint8Array.of(kind), ...parts)
}

function uint32(value: number): Bytes {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}

function readUint32(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0)
}

function protocolError(): MultiserverError {
  return new MultiserverError('PROTOCOL', 'the far side does not speak as a peer of this demo')
}
