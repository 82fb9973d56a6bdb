import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { hubSubprotocol } from '../../core/hub-protocol.ts'

/** A TCP connection to the hub, for what no client library would do. What comes is dropped. */
export function rawSocket(url: string): Socket {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname.replaceAll(/[[\]]/g, ''))
  socket.on('error', () => {})
  socket.resume()
  return socket
}

/** The request that makes a WebSocket of it. */
export function upgradeRequest(url: string): string {
  const { host, pathname } = new URL(url)
  return [
    `GET ${pathname} HTTP/1.1`,
    `Host: ${host}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    `Sec-WebSocket-Protocol: ${hubSubprotocol}`,
    '',
    '',
  ].join('\r\n')
}
