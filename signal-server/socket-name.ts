import type { Socket } from 'node:net'

/**
 * What tells a connection from all others at its time, and is the same for a TLS socket and for the TCP socket under it,
 * which Node does not tell of each other: both ends, for a client may use one port towards several addresses of a hub.
 */
export function nameOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
}
