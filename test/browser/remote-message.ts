import { concat, fromText } from '../../core/bytes.ts'
import type { Bytes, StreamInfo } from '../../core/types.ts'

/*
 * What a page and the process that holds the other ends of its streams say to each other. A message is the length of
 * its head in four bytes, the head as JSON, and the bytes of a chunk, if there is one.
 */

/** What the page asks for. `stream` is the number of an accepted stream. */
export interface RemoteCall {
  readonly call: number
  readonly act: 'listen' | 'close' | 'read' | 'write' | 'end' | 'abort'
  readonly stream: number
}

export type RemoteReply =
  /** To a call. `addresses` is there after `listen`, and bytes are behind the head after a `read` that gave some. */
  | { readonly reply: number; readonly addresses?: readonly string[]; readonly isEnd?: boolean }
  /** To a call that was rejected; `isAbortReason`: with the very reason that `abort` was called with. */
  | { readonly failed: number; readonly why: string; readonly isAbortReason: boolean }
  | { readonly accepted: number; readonly info: Pick<StreamInfo, 'address' | 'source'> }
  | { readonly closed: number }

export function encodeMessage(head: RemoteCall | RemoteReply, bytes: Uint8Array = new Uint8Array(0)): Bytes {
  const text = fromText(JSON.stringify(head))
  const length = new Uint8Array(4)
  new DataView(length.buffer).setUint32(0, text.length)
  return concat(length, text, bytes)
}

export function decodeCall(message: Bytes): { head: RemoteCall; bytes: Bytes } {
  const { head, bytes } = decodeMessage(message)
  return { head: head as RemoteCall, bytes }
}

export function decodeReply(message: Bytes): { head: RemoteReply; bytes: Bytes } {
  const { head, bytes } = decodeMessage(message)
  return { head: head as RemoteReply, bytes }
}

function decodeMessage(message: Bytes): { head: unknown; bytes: Bytes } {
  const end = 4 + new DataView(message.buffer, message.byteOffset).getUint32(0)
  const head: unknown = JSON.parse(new TextDecoder().decode(message.subarray(4, end)))
  return { head, bytes: message.slice(end) }
}
