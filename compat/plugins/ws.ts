import type { RequestListener } from 'node:http'
import { hostInUrl, listenHosts } from '../../plugs/listen-hosts.ts'
import { portOf, type HttpServer } from '../../plugs/ws-http.ts'
import { ws } from '../../plugs/ws.ts'
import { randomPort } from '../random-port.ts'
import { adaptTransport } from '../transport.ts'
import type { Scope } from '../../core/types.ts'

type OldScope = Scope | 'private'

export interface WsOptions {
  scope?: OldScope | readonly OldScope[] | undefined
  host?: string | undefined
  /** Without one it is chosen by `server()`, from 61,000 on. */
  port?: number | string | undefined
  external?: string | readonly string[] | undefined
  /** A server of Node's http or https that exists; its port is printed, and closing closes it. */
  server?: WsServer | undefined
  /** What plain requests get, where the plugin makes the server. */
  handler?: RequestListener | undefined
  /** For wss: the key and its certificate, or the paths of their files, which are read by `server()`. */
  key?: string | Buffer | undefined
  cert?: string | Buffer | undefined
}

type WsServer = HttpServer & { readonly key?: unknown }

/** What `parse` gives: the fields of Node's `url.parse` that a WebSocket's address has. */
export interface WsTarget {
  readonly protocol: string
  readonly slashes: true
  readonly host: string
  readonly hostname: string
  /** As text; '' for the default port. */
  readonly port: string
  readonly pathname: string
  readonly search: string
  readonly href: string
}

/** The plugin `multiserver/plugins/ws` of 3.8.2. */
export function Ws(options: WsOptions = {}) {
  const { scope = 'device', host, external, server, handler, key, cert } = options
  const hosts = listenHosts({ scope, host, external })
  const protocol = (server ? server.key : key && cert) ? 'wss' : 'ws'
  let port = Number(options.port) || undefined
  return adaptTransport<WsTarget>({
    name: 'ws',
    scope,
    transport: ws({ listen: false }),
    makeListening() {
      port ??= randomPort()
      return ws({ scope, host, external, port, server, handler, key, cert })
    },
    hangsUpOnClose: true,
    onClose: () => server?.close(),
    parse: parseTarget,
    format: ({ href }) => href,
    stringify(asked) {
      const printedPort = server ? portOf(server) : port
      const urls = hosts.print(asked).map((to) => formatUrl(protocol, to, printedPort))
      return urls.join(';') || null
    },
  })
}

function parseTarget(section: string): WsTarget | null {
  if (!/^wss?:/.test(section) || !URL.canParse(section)) return null
  const { protocol, host, hostname, port, pathname, search, href } = new URL(section)
  return { protocol, slashes: true, host, hostname, port, pathname, search, href }
}

/** Without the port where it is the protocol's own, and where none was chosen yet. */
function formatUrl(protocol: 'ws' | 'wss', host: string, port: number | undefined): string {
  const isDefault = port === undefined || port === (protocol === 'ws' ? 80 : 443)
  return `${protocol}://${hostInUrl(host)}${isDefault ? '' : `:${port}`}`
}

export default Ws
export { Ws as 'module.exports' }
