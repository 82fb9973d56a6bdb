/**
 * What a client and a bridge say before they fall silent:
 *
 *   request  0x01 | key(32) of the server behind the bridge
 *   answer   one byte: 0 open, 1 unknown, 2 refused, 3 unreachable, 4 busy
 *
 * After `open` all bytes are those of client and server, both ways.
 */
import { concat } from '../../core/bytes.ts'
import type { ErrorCode } from '../../core/errors.ts'
import type { Bytes } from '../../core/types.ts'

const version = 1
export const requestBytes = 1 + 32

/** Answers by their byte: `open`, or the code of the error that both sides then have. */
const answers = ['open', 'TUNNEL_UNKNOWN', 'TUNNEL_REFUSED', 'TUNNEL_UNREACHABLE', 'BUSY'] as const

export type Answer = (typeof answers)[number]

export function encodeRequest(serverKey: Uint8Array): Bytes {
  return concat(Uint8Array.of(version), serverKey)
}

/** The server's key in {@link requestBytes} bytes; null for another version. */
export function decodeRequest(request: Bytes): Bytes | null {
  return request[0] === version ? request.slice(1, requestBytes) : null
}

export function encodeAnswer(answer: Answer): Bytes {
  return Uint8Array.of(answers.indexOf(answer))
}

/** Null for a byte that is no answer. */
export function decodeAnswer(bytes: Bytes): Answer | null {
  const [byte = answers.length] = bytes
  return answers[byte] ?? null
}

/** How a bridge answers when it failed with an error of this code. */
export function answerFor(code: ErrorCode): Answer {
  return answers.find((answer) => answer === code) ?? 'TUNNEL_UNREACHABLE'
}
