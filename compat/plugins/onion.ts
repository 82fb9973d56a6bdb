import { onion } from '../../plugs/onion.ts'
import { parseHostPort, type HostPort } from '../../plugs/host-port.ts'
import { adaptTransport } from '../transport.ts'

export interface OnionOptions {
  /** @default 'public' */
  scope?: string | readonly string[] | undefined
  /** SOCKS5 proxies to try in turn, each `HOST:PORT`. 3.8.2 had no choice. @default Tor's, at 9050 and then 9150 */
  proxy?: string | readonly string[] | undefined
  /** For a proxy that wants them. */
  username?: string | undefined
  password?: string | undefined
}

/** The plugin `multiserver/plugins/onion` of 3.8.2: it dials through Tor. */
export function Onion({ scope = 'public', ...proxy }: OnionOptions = {}) {
  return adaptTransport<HostPort>({
    name: 'onion',
    scope,
    transport: onion(proxy),
    parse(section) {
      const place = section.startsWith('onion:') ? parseHostPort(section.slice('onion:'.length)) : null
      return place && { name: 'onion', ...place }
    },
    format: ({ host, port }) => `onion:${host}:${port}`,
    stringify: () => null,
  })
}

export default Onion
export { Onion as 'module.exports' }
