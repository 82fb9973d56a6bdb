/**
 * Whether a hub may send me to `url` for its relay: with the hub's own scheme, and at the hub's host, at a name under it,
 * or at one of `hosts` (a name, or a name and port). Whoever has the hub could else have me connect anywhere.
 */
export function isRelayUrl(url: string, hubUrl: string, hosts: readonly string[]): boolean {
  if (!URL.canParse(url)) return false
  const relay = new URL(url)
  const hub = new URL(hubUrl)
  if (
    relay.protocol !== hub.protocol ||
    relay.username !== '' ||
    relay.password !== '' ||
    relay.hash !== ''
  ) {
    return false
  }
  const isUnder = isName(hub.hostname) && relay.hostname.endsWith(`.${hub.hostname}`)
  const named = hosts.map((host) => host.toLowerCase())
  return (
    relay.hostname === hub.hostname || isUnder || named.includes(relay.hostname) || named.includes(relay.host)
  )
}

/** An address has nothing under it. */
function isName(hostname: string): boolean {
  return !hostname.startsWith('[') && !/^\d+(\.\d+){3}$/.test(hostname)
}
