import type { LookupAddress } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { checkReach, isWithinReach } from '../core/reach.ts'
import type { Scope } from '../core/types.ts'
import { Names } from './names.ts'

const names = new Names()

/**
 * How a socket resolves a name. Where it must stay within `reach`, what is checked is what is connected to, so that a name can't
 * point elsewhere a moment later.
 */
export function lookupWithin(reach: Scope | undefined): LookupFunction {
  return (hostname, options, callback) => {
    const family = options.family === undefined ? {} : { family: options.family }
    names
      .resolve(hostname, { hints: options.hints ?? 0, ...family, all: true })
      .then((addresses) => addressesWithin(addresses, reach))
      .then(
        ([first, ...more]) => {
          if (options.all === true) callback(null, [first, ...more])
          else callback(null, first.address, first.family)
        },
        (error: Error) => callback(error, []),
      )
  }
}

/** Those that may be connected to. @throws CONNECT_FAILED when there is none */
function addressesWithin(
  addresses: readonly LookupAddress[],
  reach: Scope | undefined,
): [LookupAddress, ...LookupAddress[]] {
  const [first, ...more] = addresses.filter(
    ({ address }) => reach === undefined || isWithinReach(address, reach),
  )
  if (first !== undefined) return [first, ...more]
  if (reach !== undefined) checkReach(addresses[0]?.address ?? 'nothing', reach)
  throw new Error('the name has no address')
}
