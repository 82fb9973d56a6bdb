import { MultiserverError } from '../../core/errors.ts'
import type { Bytes } from '../../core/types.ts'

/**
 * Frames of a session: one message of a data channel, or of a relay circuit, is one frame. Numbers are big-endian.
 *
 *     HELLO 0x00  version(1)=1  session(16)  received(6)  limit(6)     first on every path, each way
 *     DATA  0x01  offset(6)  bytes(1..)
 *     ACK   0x02  received(6)  limit(6)
 *     END   0x03  offset(6)                                            a direction of T bytes ends with END T
 *     RESET 0x04  code(2)  text(0..256)
 *     PING  0x05  id(4)
 *     PONG  0x06  id(4)
 *
 * A data channel has one more message, which is no frame: BYE 0x07, the last that a side sends before the channel is closed.
 *
 * `received` and `limit` are absolute offsets; `received` is T + 1 once END T has come.
 */
export type Frame =
  | { type: 'hello'; session: Bytes; received: number; limit: number }
  | { type: 'data'; offset: number; bytes: Bytes }
  | { type: 'ack'; received: number; limit: number }
  | { type: 'end'; offset: number }
  | { type: 'reset'; code: number; text: string }
  | { type: 'ping'; id: number }
  | { type: 'pong'; id: number }

export const resetCodes = { protocol: 1, aborted: 2, noSession: 3, tooLong: 4, limit: 5 } as const

export const byeMessage: Bytes = Uint8Array.of(0x07)

/** Bytes in front of the payload of DATA. */
export const dataHeaderBytes = 7

/** A direction has at most this many bytes, so that `received` fits six bytes after the end too. */
export const longestDirection = 2 ** 48 - 2

const version = 1
const resetTextBytes = 256
const types = ['hello', 'data', 'ack', 'end', 'reset', 'ping', 'pong'] as const

export function encodeFrame(frame: Frame): Bytes {
  const body = encodeBody(frame)
  const bytes = new Uint8Array(1 + body.length)
  bytes[0] = types.indexOf(frame.type)
  bytes.set(body, 1)
  return bytes
}

/** Makes `frame` one of DATA; the payload, which is the caller's to fill in, follows the header. */
export function writeDataHeader(frame: Bytes, offset: number): void {
  frame[0] = types.indexOf('data')
  writeOffset(frame, 1, offset)
}

/** The frame in a message, or null when its type, length or version is not one of the above. Never throws. */
export function decodeFrame(message: Bytes): Frame | null {
  const type = types[message[0] ?? -1]
  const body = message.subarray(1)
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  switch (type) {
    case 'hello':
      if (body.length !== 29 || body[0] !== version) return null
      return { type, session: body.slice(1, 17), received: readOffset(view, 17), limit: readOffset(view, 23) }
    case 'data':
      return body.length < 7 ? null : { type, offset: readOffset(view, 0), bytes: body.subarray(6) }
    case 'ack':
      return body.length !== 12 ? null : { type, received: readOffset(view, 0), limit: readOffset(view, 6) }
    case 'end': {
      const offset = body.length === 6 ? readOffset(view, 0) : Infinity
      return offset > longestDirection ? null : { type, offset }
    }
    case 'reset':
      if (body.length < 2 || body.length > 2 + resetTextBytes) return null
      return { type, code: view.getUint16(0), text: new TextDecoder().decode(body.subarray(2)) }
    case 'ping':
    case 'pong':
      return body.length !== 4 ? null : { type, id: view.getUint32(0) }
    default:
      return null
  }
}

/** What a RESET of the peer means to whoever reads and writes. */
export function resetError(code: number, text: string): MultiserverError {
  const why = code === resetCodes.aborted ? 'the peer aborted the connection' : `the peer reset it (${code})`
  const printable = text.replace(/[^\x20-\x7e]/g, '?')
  return new MultiserverError('PEER_RESET', printable === '' ? why : `${why}: ${printable}`)
}

function encodeBody(frame: Frame): Bytes {
  switch (frame.type) {
    case 'hello': {
      const body = new Uint8Array(29)
      body[0] = version
      body.set(frame.session, 1)
      writeOffset(body, 17, frame.received)
      writeOffset(body, 23, frame.limit)
      return body
    }
    case 'data': {
      const body = new Uint8Array(6 + frame.bytes.length)
      writeOffset(body, 0, frame.offset)
      body.set(frame.bytes, 6)
      return body
    }
    case 'ack': {
      const body = new Uint8Array(12)
      writeOffset(body, 0, frame.received)
      writeOffset(body, 6, frame.limit)
      return body
    }
    case 'end': {
      const body = new Uint8Array(6)
      writeOffset(body, 0, frame.offset)
      return body
    }
    case 'reset': {
      const text = new TextEncoder().encode(frame.text).subarray(0, resetTextBytes)
      return Uint8Array.of(frame.code >> 8, frame.code & 0xff, ...text)
    }
    case 'ping':
    case 'pong': {
      const body = new Uint8Array(4)
      new DataView(body.buffer).setUint32(0, frame.id)
      return body
    }
  }
}

/** Six bytes: beyond the 32 bits of shifts, within the 53 of a number. */
function writeOffset(bytes: Uint8Array, at: number, offset: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  view.setUint16(at, Math.floor(offset / 2 ** 32))
  view.setUint32(at + 2, offset % 2 ** 32)
}

function readOffset(view: DataView, at: number): number {
  return view.getUint16(at) * 2 ** 32 + view.getUint32(at + 2)
}
