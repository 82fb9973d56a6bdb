import { createServer, type IncomingMessage, type Server } from 'node:http'
import { WebSocketServer } from 'ws'
import { formatArgument } from '../core/address.ts'
import { limits } from '../core/limits.ts'
import { listenHosts, type ListenHostOptions } from './listen-hosts.ts'
import { listenOnHosts } from './listen-sockets.ts'
import { limitedSource, peerHost } from './socket-stream.ts'
import { wrapWebSocket } from './websocket.ts'
import { WebSocketStream } from './websocket-stream.ts'
import { defaultMaxMessageBytes, parseWsTarget, type WsDialOptions } from './ws-target.ts'
import type { Scope, StreamInfo, Transport } from '../core/types.ts'

export interface WsOptions extends ListenHostOptions, WsDialOptions {
  /** The TCP port to listen on; 0 or none: the system chooses one. */
  port?: number | undefined
}

/** WebSockets: `ws://HOST:PORT/PATH` and `wss://…`. */
export function ws(options: WsOptions = {}): Transport {
  const hosts = listenHosts(options)
  const sections = (scope: Scope, port: number) =>
    hosts.print(scope).map((host) => formatArgument('ws', `//${hostInUrl(host)}:${port}`))
  const dialing: Transport = {
    name: 'ws',
    halfClose: false,
    reach: [],
    parse: (section) => parseWsTarget(section, options),
    addresses: () => [],
  }
  if (options.listen === false) return dialing
  return {
    ...dialing,
    reach: hosts.reach,
    addresses: (scope) => (options.port ? sections(scope, options.port) : []),
    async listen(accept, { onError }) {
      const upgrades = new WebSocketServer({
        noServer: true,
        clientTracking: false,
        perMessageDeflate: false,
        maxPayload: options.maxMessageBytes ?? defaultMaxMessageBytes,
      })
      const servers: Server[] = []
      const makeServer = () => {
        const server = createServer(httpOptions, refusePlainHttp).on('upgrade', (request, socket, head) => {
          upgrades.handleUpgrade(request, socket, head, (webSocket) => {
            accept(WebSocketStream.accept(wrapWebSocket(webSocket), describeClient(request)))
          })
        })
        servers.push(server)
        return server
      }
      const listening = await listenOnHosts(makeServer, hosts.bind(), options.port ?? 0, onError)
      return {
        addresses: (scope) => sections(scope, listening.port),
        async close() {
          await listening.close()
          // Those that have not become WebSockets: closed or not, a server waits for them for ever.
          for (const server of servers) server.closeAllConnections()
        },
      }
    },
  }
}

const httpOptions = {
  // Before the upgrade nobody else counts the time.
  headersTimeout: limits.handshake.timeoutMs,
  requestTimeout: limits.handshake.timeoutMs,
  connectionsCheckingInterval: limits.handshake.timeoutMs / 5,
  keepAlive: true,
  keepAliveInitialDelay: limits.socket.keepAliveMs,
}

const refusePlainHttp: Parameters<typeof createServer>[1] = (_request, response) => {
  response.writeHead(426, { connection: 'close', 'content-type': 'text/plain' })
  response.end('This is a WebSocket server of multiserver.\n')
}

function describeClient({ socket }: IncomingMessage): StreamInfo {
  const host = peerHost(socket)
  const address = formatArgument('ws', `//${hostInUrl(host ?? 'unknown')}:${socket.remotePort ?? 0}`)
  return { address, source: host && limitedSource(host) }
}

function hostInUrl(host: string): string {
  return host.includes(':') ? `[${host.replace(/%.*$/, '')}]` : host
}

export default ws
export { ws as 'module.exports' }
