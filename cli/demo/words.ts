import { parseAddress } from '../../core/address.ts'
import { toBase64 } from '../../core/bytes.ts'
import { MultiserverError, type ErrorCode } from '../../core/errors.ts'
import { isOver, type Over } from './links.ts'
import type { Connection } from '../../core/connection.ts'

/** What a connection is, in words for people who have not read a line of the code. */
export interface ConnectionWords {
  readonly transport: string
  /** Which way the bytes go. */
  readonly path: string
  readonly direction: string
  /** The key that the far side proved, base64; empty when it proved none. */
  readonly proven: string
  readonly encryption: string
  /** `shs2`, `shs` or empty. */
  readonly protocol: string
}

export function describeConnection(connection: Connection): ConnectionWords {
  const name = transportName(connection)
  return {
    transport: transportWords[name] ?? name,
    path: connection.path === undefined ? 'one socket between the two' : pathWords[connection.path],
    direction: connection.role === 'client' ? 'dialed from here' : 'accepted here',
    proven: connection.remote === undefined ? '' : toBase64(connection.remote),
    encryption: connection.strength > 0 ? 'end to end' : 'none',
    protocol: protocolNames[connection.strength] ?? '',
  }
}

/** What was thrown in words, and what was tried where several things failed. */
export function describeError(error: unknown): { summary: string; details: readonly string[] } {
  if (!(error instanceof MultiserverError)) {
    return { summary: error instanceof Error ? error.message : String(error), details: [] }
  }
  const attempts = error.attempts ?? error.causes ?? []
  const [first] = attempts
  const isOneKind = first !== undefined && attempts.every(({ code }) => code === first.code)
  const { code, message } = isOneKind ? first : error
  const summary = errorWords[code] ?? sentence(message)
  const tried = attempts.map((attempt) => triedWords(attempt, summary))
  return { summary, details: error.code === 'ADDRESS_INVALID' ? [error.message] : tried }
}

/** The first section's name: `rtc`, `net` or `ws`. */
export function transportName(connection: Connection): string {
  return parseAddress(connection.address)[0]?.[0].name ?? ''
}

/** The same for the graph: `tunnel` when a bridge passes the bytes on, whatever is below. */
export function linkName(connection: Connection): Over {
  const names = parseAddress(connection.address)[0]?.map(({ name }) => name) ?? []
  if (names.includes('tunnel')) return 'tunnel'
  const [first = ''] = names
  return isOver(first) ? first : 'ws'
}

/** The first characters of a key: enough to tell a few apart by eye. */
export function shortKey(key: string): string {
  return `${key.slice(0, 8)}…`
}

const transportWords: Readonly<Record<string, string>> = {
  rtc: 'WebRTC (rtc)',
  net: 'TCP (net)',
  ws: 'WebSocket (ws)',
  wss: 'WebSocket (wss)',
}

const protocolNames: Readonly<Record<number, string>> = { 1: 'shs', 2: 'shs2' }

const pathWords = {
  direct: 'directly from peer to peer',
  turn: 'through a TURN server',
  relay: "through the hub's relay",
} as const

const errorWords: Partial<Record<ErrorCode, string>> = {
  ADDRESS_INVALID: 'That is not an address to dial. One looks like rtc:example.com~shs:KEY.',
  CONNECT_FAILED: 'The peer could not be reached.',
  DIAL_FAILED: 'None of the ways in the address worked.',
  DOWNGRADE_REFUSED: 'That address is not encrypted, or less than is asked for here.',
  HANDSHAKE_FAILED: 'The peer did not finish the secret handshake.',
  HUB_LOST: 'The hub can not be reached.',
  NO_STACK_FITS: 'Nothing here can dial that. What works is rtc or ws, and then ~shs with a whole key.',
  PEER_NOT_FOUND: 'The hub knows no peer with that key now. Is it still open?',
  RTC_UNAVAILABLE: 'WebRTC is not available here.',
  TIMEOUT: 'There was no answer in time.',
  WRONG_KEY: 'Whoever answered could not prove the key in the address, so nothing was said.',
}

/** What the summary says already is not said again. */
function triedWords({ address = 'the address', code, message }: MultiserverError, summary: string): string {
  const words = (code === 'ADDRESS_INVALID' ? undefined : errorWords[code]) ?? sentence(message)
  return words === summary ? `${address} (${code})` : `${address}: ${words} (${code})`
}

function sentence(text: string): string {
  const trimmed = text.trim()
  return `${trimmed.slice(0, 1).toUpperCase()}${trimmed.slice(1)}${/[.!?]$/.test(trimmed) ? '' : '.'}`
}
