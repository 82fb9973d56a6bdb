import { formatAlternative, formatSection, lastKey, parseAddress } from '../../core/address.ts'
import { MultiServer, type StackInput } from '../../core/multiserver.ts'
import { shs2 } from '../../plugs/shs2/index.ts'
import { dialBare, parseBare } from '../../plugs/tunnel/dial-bare.ts'
import { tunnel } from '../../plugs/tunnel/index.ts'
import { dialTransports } from '../stacks.ts'
import type { ByteStream } from '../../core/types.ts'
import type { Keys } from '../../plugs/keys.ts'

/** The far end of a forward: what is dialed here, and the section that others speak with it through the bridge. */
export interface FarEnd {
  /** `shs:KEY` */
  readonly last: string
  dial(context: FarDial): Promise<ByteStream>
}

export interface FarDial {
  readonly keys: Keys
  readonly appKey: string | undefined
  readonly signal: AbortSignal
  readonly timeoutMs: number
}

/**
 * `address` as a far end, or null: one alternative that names a key last, right behind its transport or behind a tunnel,
 * `rtc:HUB~shs:KEY` or `rtc:HUB~shs2:BRIDGE~tunnel:KEY~shs:KEY`. Throws nothing.
 */
export function parseFarEnd(address: string): FarEnd | null {
  try {
    const [alternative, ...more] = parseAddress(address)
    if (alternative === undefined || more.length > 0) return null
    const [transport, ...transforms] = alternative
    const last = transforms.at(-1)
    const remoteKey = lastKey(alternative)
    if (last === undefined || remoteKey === null) return null
    const before = transforms.slice(0, -1)
    const place = parseBare(address, dialTransports({}))
    const shared = { last: formatSection(last) }
    if (before.length === 0) {
      return { ...shared, dial: ({ signal, timeoutMs }) => dialBare(place, { signal, timeoutMs, remoteKey }) }
    }
    if (before.map(({ name }) => name).join('~') !== 'shs2~tunnel') return null
    const bridge = formatAlternative([transport, ...before])
    return { ...shared, dial: (context) => dialBridge(bridge, context) }
  } catch {
    return null
  }
}

/** Nothing behind the tunnel is spoken here, which would be a downgrade if the bytes were ours. */
async function dialBridge(
  address: string,
  { keys, appKey, signal, timeoutMs }: FarDial,
): Promise<ByteStream> {
  const stacks = dialTransports({}).map((transport): StackInput => [
    transport,
    shs2({ keys, appKey }),
    tunnel(),
  ])
  return MultiServer(stacks).client(address, { signal, timeoutMs, allowDowngrade: true })
}
