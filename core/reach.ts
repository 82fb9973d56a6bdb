import { MultiserverError } from './errors.ts'
import { classifyHost, type IpKind } from './ip.ts'
import type { Scope } from './types.ts'

/** Where a dial within each scope may lead; never to what nobody has a reason to name. */
const kindsWithin: Record<Scope, readonly IpKind[]> = {
  device: ['public', 'private', 'loopback'],
  local: ['public', 'private'],
  public: ['public'],
}

/**
 * Whether a dial within `reach` may connect to `host`, an IP literal or a name; undefined is no restriction. A name
 * passes unless it is one of this machine or of a local network: whoever resolves it asks again for each address.
 */
export function isWithinReach(host: string, reach: Scope | undefined): boolean {
  return reach === undefined || kindsWithin[reach].includes(classifyHost(host))
}

/** @throws CONNECT_FAILED when `host` is not within `reach` */
export function checkReach(host: string, reach: Scope | undefined): void {
  if (isWithinReach(host, reach)) return
  throw new MultiserverError('CONNECT_FAILED', `${host} is outside of what this dial may reach (${reach})`)
}

/** How near the addresses may be that came from a hub: as near as the hub itself. */
export function reachOfHub(hubUrl: string): Scope {
  const kind = classifyHost(new URL(hubUrl).hostname)
  if (kind === 'loopback') return 'device'
  return kind === 'private' ? 'local' : 'public'
}
