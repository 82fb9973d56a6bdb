import { parseAddress } from '../core/address.ts'
import { shortKey, toBase64 } from '../core/bytes.ts'
import { paint, printable } from './terminal.ts'
import type { Connection } from '../core/multiserver.ts'

/** On one line: who it is, and how the bytes go. */
export function describeConnection(connection: Connection): string {
  const who = connection.remote === undefined ? 'somebody without a key' : toBase64(connection.remote)
  const direction = connection.role === 'client' ? 'Connected to' : 'Connection from'
  return `${paint('green', direction)} ${who} over ${routeOf(connection)}`
}

/** The transport, and for WebRTC the path: `net`, `rtc (direct)`. */
export function routeOf({ address, path }: Connection): string {
  const transport = printable(parseAddress(address)[0]?.[0].name ?? '')
  return path === undefined ? transport : `${transport} (${path})`
}

/** Whom a connection is with, in few characters. */
export function shortPeer({ remote }: Pick<Connection, 'remote'>): string {
  return remote === undefined ? 'nobody' : shortKey(remote)
}

/** `12.3 MB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  const step = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1)
  const value = bytes / 1000 ** step
  return `${step === 0 || value >= 100 ? value.toFixed(0) : value.toFixed(1)} ${units[step]}`
}

/** `1 file`, `2 files`. */
export function countOf(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
