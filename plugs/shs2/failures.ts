import type { Failure } from '../secret/failure.ts'

/** What is waited for, in words that an error can quote. */
export const phases = {
  serverAnswer: "the server's answer to our first message",
  serverAccept: "the server's accept",
  clientStart: "the client's first message",
  clientIdentity: "the client's identity",
  clientReady: 'the client to take our accept',
} as const

export const clientFailures = {
  start: [
    'HANDSHAKE_FAILED',
    'the server hung up on our first message (phase 1): it is busy, does not speak shs2, uses another app key, or ' +
      'has another key than the address names',
  ],
  invalidAnswer: [
    'WRONG_KEY',
    "the server's answer did not open (phase 2): it could not prove the key of the address",
  ],
  identity: [
    'AUTH_REFUSED',
    'the server proved its key and hung up on our identity (phase 3): we are not authorized',
  ],
  invalidAccept: ['HANDSHAKE_FAILED', "the server's accept was forged or damaged (phase 4)"],
} as const satisfies Record<string, Failure>

export const serverFailures = {
  start: ['HANDSHAKE_FAILED', 'the client hung up before its first message was complete (phase 1)'],
  invalidStart: [
    'HANDSHAKE_FAILED',
    "the client's first message did not open (phase 1): it speaks another protocol, uses another app key, or dialed " +
      'a wrong number',
  ],
  identity: ['HANDSHAKE_FAILED', 'the client hung up on our answer (phase 2)'],
  invalidIdentity: [
    'HANDSHAKE_FAILED',
    "the client's identity did not open, or is not the key that it used (phase 3)",
  ],
  accept: ['HANDSHAKE_FAILED', 'the client hung up before our accept (phase 4)'],
} as const satisfies Record<string, Failure>
