import { createServer, type IncomingMessage, type Server } from 'node:http'
import { WebSocketServer } from 'ws'
import { formatArgument } from '../core/address.ts'
import { listenHosts, type ListenHostOptions } from './listen-hosts.ts'
import { listenOnHosts } from './listen-sockets.ts'
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
    parse: (section) => parseWsTarget(section, options),
    addresses: () => [],
  }
  if (options.listen === false) return dialing
  return {
    ...dialing,
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
        const server = createServer(refusePlainHttp).on('upgrade', (request, socket, head) => {
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

const refusePlainHttp: Parameters<typeof createServer>[1] = (_request, response) => {
  response.writeHead(426, { connection: 'close', 'content-type': 'text/plain' })
  response.end('This is a WebSocket server of multiserver.\n')
}

function describeClient({ socket }: IncomingMessage): StreamInfo {
  const source = socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)/, '')
  const address = formatArgument('ws', `//${hostInUrl(source ?? 'unknown')}:${socket.remotePort ?? 0}`)
  return { address, source }
}

function hostInUrl(host: string): string {
  return host.includes(':') ? `[${host.replace(/%.*$/, '')}]` : host
}

export default ws
export { ws as 'module.exports' }
