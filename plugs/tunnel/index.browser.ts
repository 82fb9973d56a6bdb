import type { Transform } from '../../core/types.ts'
import { createTunnel, type TunnelOptions } from './tunnel.ts'

export type { BridgeOptions, Tunnel } from './bridge.ts'
export type { TunnelOptions } from './tunnel.ts'

/** As on Node; a bridge in a page must say with what `transports` it dials. */
export function tunnel(options: TunnelOptions = {}): Transform {
  return createTunnel(options, [])
}

export default tunnel
export { tunnel as 'module.exports' }
