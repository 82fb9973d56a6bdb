import { Server as TlsServer } from 'node:tls'
import { formatArgument } from '../core/address.ts'
import { hostInUrl, listenHosts, type ListenHostOptions } from './listen-hosts.ts'
import { listenOnHosts } from './listen-sockets.ts'
import { portOf, prepareHttp, type HttpOptions, type HttpServer } from './ws-http.ts'
import { parseWsTarget, type WsDialOptions } from './ws-target.ts'
import { acceptUpgrades, type UpgradeOptions } from './ws-upgrades.ts'
import type { Scope, Transport } from '../core/types.ts'

export interface WsOptions extends ListenHostOptions, WsDialOptions, HttpOptions, UpgradeOptions {
  /** The TCP port to listen on; 0 or none: the system chooses one. */
  port?: number | undefined
  /** A server of your own, http or https (of Fastify: `app.server`), instead; it listens where you say. */
  server?: HttpServer | undefined
  /**
   * As for net; whole URLs are printed as they are: `wss://example.com/socket` for what a proxy with TLS passes on.
   */
  external?: string | readonly string[] | undefined
}

/** WebSockets: `ws://HOST:PORT/PATH` and `wss://…`. */
export function ws(options: WsOptions = {}): Transport {
  const { server: shared } = options
  const hosts = listenHosts(options)
  const isTls =
    shared === undefined
      ? options.key !== undefined && options.cert !== undefined
      : shared instanceof TlsServer
  const print = (scope: Scope, port: number) =>
    hosts.print(scope).map((host) => formatPlace(host, isTls ? 'wss' : 'ws', port, options.path))
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
    // Where a server of your own can be reached from is not known here.
    reach: shared === undefined ? hosts.reach : undefined,
    addresses(scope) {
      const port = shared === undefined ? options.port : portOf(shared)
      return port ? print(scope, port) : []
    },
    async listen(accept, { transforms, onError }) {
      const context = { ...options, isSecured: transforms.length > 0, isShared: shared !== undefined }
      if (shared !== undefined) {
        const stop = acceptUpgrades(shared, accept, context)
        return {
          addresses: (scope) => print(scope, portOf(shared) ?? 0),
          isReachable: () => shared.listening,
          close: () => Promise.resolve(stop()),
        }
      }
      const own: HttpServer[] = []
      const makeHttp = await prepareHttp(options)
      const makeServer = () => {
        const server = makeHttp()
        acceptUpgrades(server, accept, context)
        own.push(server)
        return server
      }
      const listening = await listenOnHosts(makeServer, hosts.bind(), options.port ?? 0, onError)
      return {
        addresses: (scope) => print(scope, listening.port),
        async close() {
          await listening.close()
          // Those that have not become WebSockets: closed or not, a server waits for them for ever.
          for (const server of own) server.closeAllConnections()
        },
      }
    },
  }
}

/** Without the port where it is the scheme's own. */
function formatPlace(host: string, scheme: 'ws' | 'wss', port: number, path = ''): string {
  const url = /^(wss?):(\/\/.*)$/.exec(host)
  if (url !== null) return formatArgument(url[1] ?? scheme, url[2] ?? '')
  const isDefault = port === (scheme === 'ws' ? 80 : 443)
  return formatArgument(scheme, `//${hostInUrl(host)}${isDefault ? '' : `:${port}`}${path}`)
}

export default ws
export { ws as 'module.exports' }
