/** Every code with what it means and what to do. Messages of single errors say the particulars. */
export const errorCodes = {
  ABORTED: 'The caller aborted the dial or the connection.',
  ADDRESS_INVALID: 'The address does not follow the grammar, or its alternatives name different keys.',
  AUTH_REFUSED: "The server's auth did not accept the client, or gave no answer in time.",
  BUSY: 'The far side has too many handshakes, introductions or tunnels under way; dial again later.',
  CLOSED: 'The connection was ended or closed already; nothing more can be written to it.',
  CONNECT_FAILED: 'The transport could not reach the far side; the cause says why.',
  CONNECTION_LOST: 'The transport broke in the middle; the cause says how.',
  DIAL_FAILED: 'No alternative of the address could be connected to; `attempts` lists each with its error.',
  DOWNGRADE_REFUSED: 'Only alternatives weaker than the address or the options allow could be dialed.',
  HANDSHAKE_FAILED:
    'The handshake of a transform failed; the message says in which phase and the likely reason.',
  HUB_LOST: 'The hub is away; a listening rtc stack keeps trying to register again.',
  HUB_REFUSED: 'The hub refused what was asked; the message has its reason.',
  HUB_REPLACED:
    'Another process registered with the same key at this hub; call server() again to take it back.',
  KEYS_INVALID: 'Keys must be a 32-byte public and a 64-byte secret Ed25519 key, or the JSON of ssb-keys.',
  LISTEN_FAILED: 'A stack could not listen; `causes` lists which and why. The others stay up.',
  NO_STACK_FITS: 'No stack understands any alternative of the address.',
  PATH_LOST: 'The WebRTC path of the connection died and could not be replaced.',
  PEER_NOT_FOUND: 'No peer with this key is registered at the hub now.',
  PEER_RESET: 'The peer gave the connection up; the message has its reason.',
  PROTOCOL: 'The far side sent bytes that the protocol does not allow.',
  RECEIVE_OVERFLOW: 'More arrived than may wait unread, and this transport cannot slow the sender down.',
  RECORD_INVALID:
    'A directory record is not what it should be: malformed, forged, expired, or of another key; the message says which.',
  RECORD_NOT_FOUND: 'The hub has no record of this key now.',
  RECORD_STALE: 'The hub gave an older record of this key than one that was seen before.',
  RELAY_LIMIT: "The hub's relay has ended a circuit, or soon will: what it grants is used up.",
  RTC_LIMIT: 'This process holds as many WebRTC connections as it may; close some first.',
  RTC_UNAVAILABLE: 'WebRTC is not available here; on Node install the optional package wrtc.',
  SEND_OVERFLOW: 'More was written without awaiting than may wait unsent; await write().',
  SIGNAL_INVALID:
    'A signal of an introduction did not open or was malformed; the hub or the peer is at fault.',
  STACK_INVALID: 'A stack was put together wrongly: one transport first, then its transforms.',
  TIMEOUT: 'The deadline passed.',
  TRUNCATED: 'The connection ended without a goodbye: bytes may be missing.',
  TUNNEL_REFUSED: 'The bridge does not let this client through.',
  TUNNEL_UNKNOWN: 'The bridge knows no way to the server behind it that the address names.',
  TUNNEL_UNREACHABLE: 'The bridge could not reach the server behind it.',
  UTP_UNAVAILABLE:
    'uTP is not available here; install the optional package utp-native, if it has a build for this machine.',
  WRONG_KEY: 'The far side proved another key than the address names, or could not prove it.',
} as const

export type ErrorCode = keyof typeof errorCodes

export interface ErrorDetails {
  /** The address or alternative that it is about. */
  address?: string | undefined
  cause?: unknown
  /** Of DIAL_FAILED: one error for each alternative tried. */
  attempts?: readonly MultiserverError[] | undefined
  /** Of LISTEN_FAILED: one error for each stack that could not listen. */
  causes?: readonly MultiserverError[] | undefined
}

/** The one class of errors; switch on `code`. */
export class MultiserverError extends Error {
  override readonly name = 'MultiserverError'
  readonly code: ErrorCode
  readonly address: string | undefined
  readonly attempts: readonly MultiserverError[] | undefined
  readonly causes: readonly MultiserverError[] | undefined

  constructor(code: ErrorCode, message: string = errorCodes[code], details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.address = details.address
    this.attempts = details.attempts
    this.causes = details.causes
  }
}

/** `thrown` as it is when it has a code of ours, else wrapped once under `code` with the original as cause. */
export function toError(thrown: unknown, code: ErrorCode, details: ErrorDetails = {}): MultiserverError {
  if (thrown instanceof MultiserverError) return thrown
  const message = thrown instanceof Error && thrown.message !== '' ? thrown.message : errorCodes[code]
  return new MultiserverError(code, message, { cause: thrown, ...details })
}
