import { limits } from '../../core/limits.ts'
import { MultiserverError } from '../../core/errors.ts'
import { lookup, type LookupOptions } from './lookup.ts'
import type { Connection, DialOptions, MultiServer } from '../../core/multiserver.ts'

export interface DialPeerOptions
  extends Omit<LookupOptions, 'timeoutMs'>, Omit<DialOptions, 'reach' | 'signal'> {
  /** Whether a peer without shs or shs2 will do: no. @default 1 */
  minStrength?: number | undefined
}

/**
 * Looks a key up at a hub and dials what may be dialed of its record: nothing weaker than shs, and nothing nearer than
 * the hub is, by name or by number, unless `allowPrivate` says so. `timeoutMs` is over both.
 *
 * @throws what `lookup` and `client` throw; NO_STACK_FITS when nothing of the record may be dialed
 */
export async function dialPeer(
  ms: Pick<MultiServer, 'client'>,
  hub: string,
  key: Uint8Array | string,
  options: DialPeerOptions = {},
): Promise<Connection> {
  const { allowPrivate, signal, timeoutMs = limits.dial.timeoutMs, ...dialing } = options
  const startedAtMs = performance.now()
  const lookupMs = Math.min(timeoutMs, limits.record.lookupTimeoutMs)
  const { address, alternatives, reach } = await lookup(hub, key, {
    allowPrivate,
    signal,
    timeoutMs: lookupMs,
  })
  if (address === '') {
    const message = `nothing of this record may be dialed within reach ${reach}: ${alternatives.join('; ')}`
    throw new MultiserverError('NO_STACK_FITS', message)
  }
  return ms.client(address, {
    ...dialing,
    minStrength: Math.max(options.minStrength ?? 1, 1),
    signal,
    timeoutMs: Math.max(1, timeoutMs - (performance.now() - startedAtMs)),
    reach,
  })
}
