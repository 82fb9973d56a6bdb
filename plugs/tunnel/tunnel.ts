import { parseKeyText, parseSection } from '../../core/address.ts'
import { MultiserverError } from '../../core/errors.ts'
import type { Transform, Transport } from '../../core/types.ts'
import { Bridge, type BridgeOptions } from './bridge.ts'
import { askBridge } from './client.ts'

/** Without `to` this side is no bridge: it dials through others, and nothing is reachable through it. */
export type TunnelOptions = BridgeOptions | { readonly to?: undefined }

/** `tunnel` with what a bridge dials its servers with, unless the options say. */
export function createTunnel(options: TunnelOptions, transports: readonly Transport[]): Transform {
  return {
    name: 'tunnel',
    // What the layers below have proved is the bridge; it says nothing of who is behind it.
    strength: 0,
    // Only together with a server's key can it be dialed.
    section: () => '',
    parse(text) {
      const section = parseSection(text)
      const [keyText = '', ...more] = section?.data ?? []
      const key = parseKeyText(keyText)
      if (section?.name !== 'tunnel' || key === null || more.length > 0) return null
      return { connect: (inner, { signal }) => askBridge(inner, key, signal) }
    },
    accept(inner) {
      const error = new MultiserverError('STACK_INVALID', 'a tunnel makes no connection of what it accepts')
      inner.abort(error)
      return Promise.reject(error)
    },
    refuses(_transport, below) {
      if (below.some(({ strength = 0 }) => strength > 0)) return undefined
      return 'a tunnel needs a transform below that proves keys, such as shs2: bridge and client must know each other'
    },
    ...servingSide(options, transports),
  }
}

function servingSide(options: TunnelOptions, transports: readonly Transport[]): Partial<Transform> {
  if (options.to === undefined) return { dialsOnly: true }
  const bridge = new Bridge(options, options.transports ?? transports)
  return { takeOver: (inner, context) => bridge.takeOver(inner, context) }
}
