import type { Transform } from '../../core/types.ts'
import { net } from '../net.ts'
import { unix } from '../unix.ts'
import { createTunnel, type TunnelOptions } from './tunnel.ts'

export type { BridgeOptions, Tunnel } from './bridge.ts'
export type { TunnelOptions } from './tunnel.ts'

/**
 * Reaches a server through a bridge: `rtc:HUB~shs2:BRIDGE~tunnel:SERVER~shs:SERVER`. The bridge proves its key first and
 * then passes bytes that it can't read, for a transform behind the tunnel proves the server's. With `to` this side is a
 * bridge, as the last plug of a stack: `[rtc({ hub }), shs2({ keys }), tunnel({ to })]`.
 */
export function tunnel(options: TunnelOptions = {}): Transform {
  return createTunnel(options, [net({ listen: false }), unix({ listen: false })])
}

export default tunnel
export { tunnel as 'module.exports' }
