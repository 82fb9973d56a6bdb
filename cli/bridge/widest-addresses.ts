import type { Listener } from '../../core/types.ts'

/** What others can use: sections that are reached from everywhere, else from the local network, else from this machine. */
export function widestAddresses(listener: Pick<Listener, 'addresses'>): string[] {
  const scopes = ['public', 'local', 'device'] as const
  return scopes.map((scope) => listener.addresses(scope)).find((sections) => sections.length > 0) ?? []
}
