/**
 * The name that a registration at the hub is signed for: its URL as it was dialed, in one canonical form
 * (`wss://hub.example.com`, `ws://127.0.0.1:8080`, `wss://example.com/prefix`). Null when `url` cannot name a hub.
 */
export function canonicalHubName(url: string): string | null {
  const parsed = parseUrl(url)
  if (parsed === null || (parsed.protocol !== 'ws:' && parsed.protocol !== 'wss:')) return null
  // `example.com.` reaches the same host under a second name, and one name per hub is the point.
  if (parsed.hostname.endsWith('.')) return null
  return `${parsed.protocol}//${parsed.host}${parsed.pathname.replace(/\/+$/, '')}`
}

/**
 * The URL to dial for what stands behind `rtc:` in an address: a host, `host:port` or `[v6]:port` means wss,
 * or ws when it is this machine; a full ws or wss URL is taken as it is. Null when it is malformed.
 */
export function hubUrlOf(argument: string): string | null {
  if (/^wss?:\/\//i.test(argument)) return canonicalHubName(argument) === null ? null : argument
  const match = /^(?:\[[0-9A-Fa-f:.]+\]|[^\s:/?#@%\\[\]]+)(?::([1-9]\d{0,4}))?$/.exec(argument)
  const host = match === null ? undefined : parseUrl(`wss://${argument}`)?.hostname
  if (host === undefined) return null
  return canonicalHubName(`${isLoopbackHost(host) ? 'ws' : 'wss'}://${argument}`)
}

/** Whether a host, as `URL.hostname` gives it, is this machine and nothing else: localhost, 127/8 or [::1]. */
export function isLoopbackHost(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname)
}

function parseUrl(url: string): URL | null {
  return URL.canParse(url) ? new URL(url) : null
}
