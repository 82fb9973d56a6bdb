import type { Failure } from '../secret/failure.ts'

/** What is waited for, in words that an error can quote. */
export const phases = {
  serverChallenge: "the server's challenge",
  serverAccept: "the server's accept",
  clientChallenge: "the client's challenge",
  clientHello: "the client's hello",
  clientReady: 'the client to take our accept',
} as const

export const clientFailures = {
  challenge: [
    'HANDSHAKE_FAILED',
    'the server hung up on our challenge (phase 1): it is busy, does not speak shs, or uses another app key',
  ],
  invalidChallenge: [
    'HANDSHAKE_FAILED',
    'the server sent an invalid challenge (phase 2): it does not speak shs, or uses another app key',
  ],
  hello: [
    'WRONG_KEY',
    'the server hung up on our hello (phase 3): a wrong number, for it has another key, or we are not authorized',
  ],
  invalidAccept: [
    'WRONG_KEY',
    'the server answered our hello with an invalid accept (phase 4): it could not prove the key of the address',
  ],
} as const satisfies Record<string, Failure>

export const serverFailures = {
  challenge: ['HANDSHAKE_FAILED', 'the client hung up before its challenge (phase 1)'],
  invalidChallenge: [
    'HANDSHAKE_FAILED',
    'the client sent an invalid challenge (phase 1): it speaks another protocol, or uses another app key',
  ],
  hello: [
    'HANDSHAKE_FAILED',
    'the client hung up on our challenge (phase 3): it may use another app key, or took us for somebody else',
  ],
  invalidHello: [
    'HANDSHAKE_FAILED',
    'the client sent an invalid hello (phase 3): it dialed a wrong number, for it does not know our key',
  ],
  accept: ['HANDSHAKE_FAILED', 'the client hung up before our accept (phase 4)'],
} as const satisfies Record<string, Failure>
