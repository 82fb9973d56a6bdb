import { onion } from '../../plugs/onion.ts'
import { parseHostPort, type HostPort } from '../../plugs/host-port.ts'
import { adaptTransport } from '../transport.ts'

export interface OnionOptions {
  /** @default 'public' */
  scope?: string | readonly string[] | undefined
}

/** The plugin `multiserver/plugins/onion` of 3.8.2: it dials through Tor at port 9050, then 9150. */
export function Onion(options: OnionOptions = {}) {
  return adaptTransport<HostPort>({
    name: 'onion',
    scope: options.scope ?? 'public',
    transport: onion(),
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
