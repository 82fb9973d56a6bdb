import { lookup, type LookupAddress, type LookupOptions } from 'node:dns'
import { checkReach, isWithinReach } from '../core/reach.ts'
import type { LookupFunction } from 'node:net'
import type { Scope } from '../core/types.ts'

/**
 * How a socket resolves a name when it must stay within `reach`: what is checked is what is connected to, so that a
 * name can't point elsewhere a moment later. Undefined when there is no restriction.
 */
export function lookupWithin(reach: Scope | undefined): LookupFunction | undefined {
  if (reach === undefined) return undefined
  return (hostname, options, callback) => {
    const family = options.family === undefined ? {} : { family: options.family }
    const every: LookupOptions & { all: true } = { hints: options.hints ?? 0, ...family, all: true }
    lookup(hostname, every, (error, addresses) => {
      if (error !== null) return callback(error, [])
      try {
        const [first, ...more] = addressesWithin(addresses, reach)
        if (options.all === true) callback(null, [first, ...more])
        else callback(null, first.address, first.family)
      } catch (refusal) {
        callback(refusal as Error, [])
      }
    })
  }
}

/** Those that may be connected to. @throws CONNECT_FAILED when there is none */
function addressesWithin(
  addresses: readonly LookupAddress[],
  reach: Scope,
): [LookupAddress, ...LookupAddress[]] {
  const [first, ...more] = addresses.filter(({ address }) => isWithinReach(address, reach))
  if (first !== undefined) return [first, ...more]
  checkReach(addresses[0]?.address ?? 'nothing', reach)
  throw new Error('the name has no address')
}
