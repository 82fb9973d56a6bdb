import { parseWsTarget, type WsDialOptions } from './ws-target.ts'
import type { Transport } from '../core/types.ts'

export type WsOptions = WsDialOptions

/** WebSockets in a browser: they only dial. */
export function ws(options: WsOptions = {}): Transport {
  return {
    name: 'ws',
    halfClose: false,
    parse: (section) => parseWsTarget(section, options),
    addresses: () => [],
  }
}

export default ws
export { ws as 'module.exports' }
