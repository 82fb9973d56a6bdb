import type { AddressInfo } from 'node:net'
import { canonicalHubName, isLoopbackHost } from '../core/hub-name.ts'

/** The configured names in canonical form; refuses what cannot name a hub. */
export function canonicalNames(configured: readonly string[]): string[] {
  return configured.map((name) => {
    const canonical = canonicalHubName(name)
    if (canonical === null) throw new TypeError(`${name} cannot name a hub: it must be a ws:// or wss:// URL`)
    return canonical
  })
}

/** Whether a hub with these names is for its own machine only; without a name it is. */
export function areLoopback(names: readonly string[]): boolean {
  return names.every((name) => isLoopbackHost(new URL(name).hostname))
}

/** What a hub without configured names answers to, once it listens. */
export function loopbackNames(port: number, prefix: string): string[] {
  const urls = ['127.0.0.1', 'localhost', '[::1]'].map((host) => `ws://${host}:${port}${prefix}`)
  return canonicalNames(urls)
}

/** The names that a request claims to have dialed; which of the two schemes, a proxy may know. */
export function dialedNames(host: string | undefined, path: string): string[] {
  const urls = host === undefined ? [] : [`wss://${host}${path}`, `ws://${host}${path}`]
  return urls.map(canonicalHubName).filter((name) => name !== null)
}

/** Whether a listening address takes connections from this machine only. */
export function isLoopbackAddress({ address }: AddressInfo): boolean {
  return address === '::1' || address.startsWith('127.')
}
