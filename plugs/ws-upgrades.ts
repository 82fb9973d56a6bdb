import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { formatArgument } from '../core/address.ts'
import { isLoopbackHost } from '../core/hub-name.ts'
import { hostInUrl } from './listen-hosts.ts'
import { limitedSource, peerHost } from './socket-stream.ts'
import { wrapWebSocket } from './websocket.ts'
import { WebSocketStream } from './websocket-stream.ts'
import { defaultMaxMessageBytes } from './ws-target.ts'
import type { ByteStream, StreamInfo } from '../core/types.ts'
import type { HttpServer } from './ws-http.ts'

export interface UpgradeOptions {
  /** Accepts WebSockets at this path only, `/socket` for example. @default any path */
  path?: string | undefined
  /**
   * The origins of pages that may connect, `https://example.com` for example. A WebSocket has no same-origin policy:
   * without this, any page may where a transform proves keys, and only pages of this machine where none does.
   */
  origins?: readonly string[] | undefined
  /** Addresses of the proxies whose X-Forwarded-For is believed. @default none */
  trustProxy?: readonly string[] | undefined
}

export interface AcceptContext extends UpgradeOptions {
  readonly maxMessageBytes?: number | undefined
  /** Whether transforms come on top. */
  readonly isSecured: boolean
  /** Whether other listeners of the server may want what is not for this path. */
  readonly isShared: boolean
}

/** Accepts the WebSockets that come to `server`; the returned function stops that. */
export function acceptUpgrades(
  server: HttpServer,
  accept: (stream: ByteStream) => void,
  context: AcceptContext,
): () => void {
  const upgrades = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: context.maxMessageBytes ?? defaultMaxMessageBytes,
  })
  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (context.path !== undefined && pathOf(request) !== context.path) {
      if (!context.isShared) refuse(socket, '404 Not Found')
    } else if (!mayConnect(request.headers.origin, context)) refuse(socket, '403 Forbidden')
    else {
      upgrades.handleUpgrade(request, socket, head, (webSocket) => {
        const info = describeClient(request, context.trustProxy ?? [])
        accept(WebSocketStream.accept(wrapWebSocket(webSocket), info))
      })
    }
  }
  server.on('upgrade', onUpgrade)
  return () => server.off('upgrade', onUpgrade)
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').replace(/\?.*$/, '')
}

function mayConnect(origin: string | undefined, { origins, isSecured }: AcceptContext): boolean {
  // Not a browser: it can say what it likes anyway.
  if (origin === undefined) return true
  if (origins !== undefined) return origins.includes(origin)
  return isSecured || (URL.canParse(origin) && isLoopbackHost(new URL(origin).hostname))
}

function refuse(socket: Duplex, status: string): void {
  socket.once('error', () => undefined)
  // Upgraded, it is nobody's connection: a client that keeps its own side open would keep ours.
  const answer = `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`
  socket.end(answer, () => socket.destroy())
}

function describeClient(request: IncomingMessage, trustProxy: readonly string[]): StreamInfo {
  const direct = peerHost(request.socket) ?? 'unknown'
  const address = formatArgument('ws', `//${hostInUrl(direct)}:${request.socket.remotePort ?? 0}`)
  const client = trustProxy.includes(direct) ? forwardedFor(request, trustProxy) : undefined
  return { address, source: limitedSource(client ?? direct) }
}

/** Each proxy appends whom it saw: the last that is no proxy of ours is the client; what stands before it can be made up. */
function forwardedFor(request: IncomingMessage, trustProxy: readonly string[]): string | undefined {
  const hops = [request.headers['x-forwarded-for'] ?? []].flat().join(',').split(',')
  return hops.map((hop) => hop.trim()).findLast((hop) => hop !== '' && !trustProxy.includes(hop))
}
