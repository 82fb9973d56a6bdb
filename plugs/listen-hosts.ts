import { networkInterfaces } from 'node:os'
import { MultiserverError } from '../core/errors.ts'
import { classifyHost } from '../core/ip.ts'
import type { Scope } from '../core/types.ts'

export interface ListenHostOptions {
  /** false: this plug only dials, and `server()` opens no port for it. @default true */
  listen?: boolean | undefined
  /** The host to bind and to print; without it the scopes decide. */
  host?: string | undefined
  /** From where this stack is to be reached; `private` is an old name of `local`. @default 'device' */
  scope?: Scope | 'private' | readonly (Scope | 'private')[] | undefined
  /** The host names or addresses to print for `public`, for example behind a port forwarding. */
  external?: string | readonly string[] | undefined
}

/** Which hosts a listening plug binds and prints. Scopes bind what they say: `device` reaches loopback only. */
export interface ListenHosts {
  /** From where peers can get at what is bound: a host that is told counts, whatever the scopes say. */
  readonly reach: readonly Scope[]
  /** Hosts to bind; undefined stands for every interface, IPv4 and IPv6. */
  bind(): readonly (string | undefined)[]
  /** Hosts to print for a scope; none when the plug does not serve it. */
  print(scope: Scope): readonly string[]
}

/** @throws STACK_INVALID for a scope that is none, where nothing but the scopes says what to bind */
export function listenHosts(options: ListenHostOptions): ListenHosts {
  const scopes = [options.scope ?? 'device'].flat().map((scope) => (scope === 'private' ? 'local' : scope))
  const { host } = options
  const unknown = scopes.find((scope) => !['device', 'local', 'public'].includes(scope))
  if (unknown !== undefined && host === undefined) {
    throw new MultiserverError('STACK_INVALID', `a scope is device, local or public, not ${unknown}`)
  }
  const external = options.external === undefined ? [] : [options.external].flat()
  return {
    reach: host === undefined ? scopes : [...scopes, reachOf(host)],
    bind() {
      if (host !== undefined) return [host]
      if (scopes.includes('public')) return [undefined]
      return scopes.includes('local') ? ['localhost', ...interfaceAddresses('local')] : ['localhost']
    },
    print(scope) {
      if (!scopes.includes(scope)) return []
      if (scope === 'public' && external.length > 0) return external
      if (host !== undefined && !isWildcard(host)) return [host]
      if (scope === 'device') return ['localhost']
      // Every interface of IPv4 is nothing of IPv6; the wildcard of IPv6 takes both.
      return interfaceAddresses(scope).filter((address) => host !== '0.0.0.0' || !address.includes(':'))
    },
  }
}

function reachOf(host: string): Scope {
  const kind = isWildcard(host) ? 'public' : classifyHost(host)
  return kind === 'loopback' ? 'device' : kind === 'private' ? 'local' : 'public'
}

function interfaceAddresses(scope: 'local' | 'public'): string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ address, internal }) => !internal && isPrivate(address) === (scope === 'local'))
    .map(({ address }) => address)
    .filter((address) => !/^fe80:/i.test(address))
}

/** RFC 1918, RFC 6598, RFC 3927, and IPv6 unique-local and link-local addresses. */
function isPrivate(address: string): boolean {
  return /^(10\.|127\.|169\.254\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|f[cd]|fe80:)/i.test(
    address,
  )
}

function isWildcard(host: string): boolean {
  return host === '::' || host === '0.0.0.0' || host === ''
}

/** A host as it stands in a URL: IPv6 in brackets, without its zone. */
export function hostInUrl(host: string): string {
  return host.includes(':') ? `[${host.replace(/%.*$/, '')}]` : host
}
