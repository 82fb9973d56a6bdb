import { net } from '../../plugs/net.ts'
import { parseHostPort, type HostPort } from '../../plugs/host-port.ts'
import { adaptTransport } from '../transport.ts'
import { printSections } from '../sections.ts'
import { randomPort } from '../random-port.ts'
import type { Scope } from '../../core/types.ts'

type OldScope = Scope | 'private'

export interface NetOptions {
  scope?: OldScope | readonly OldScope[] | undefined
  host?: string | undefined
  /** Without one it is chosen when the plugin is made, from 61,000 on. */
  port?: number | string | undefined
  external?: string | readonly string[] | undefined
}

/** The plugin `multiserver/plugins/net` of 3.8.2. */
export function Net(options: NetOptions = {}) {
  const { scope = 'device', host, external } = options
  const transport = net({ scope, host, external, port: Number(options.port) || randomPort() })
  return adaptTransport<Partial<HostPort>>({
    name: 'net',
    scope,
    transport,
    makeListening: () => transport,
    parse(section) {
      const place = section.startsWith('net:') ? parseHostPort(section.slice('net:'.length)) : null
      return place && { name: 'net', ...place }
    },
    format: ({ host: to = 'localhost', port = 0 }) => `net:${to}:${port}`,
    stringify: (asked, listener) => printSections((listener ?? transport).addresses(asked)),
  })
}

export default Net
export { Net as 'module.exports' }
