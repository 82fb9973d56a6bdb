import type { IceServer } from '../../core/hub-protocol.ts'
import { classifyHost, type IpKind } from '../../core/ip.ts'
import { limits } from '../../core/limits.ts'

/**
 * The ICE servers of a hub that may be used: stun, turn and turns, 8 URLs in all, each written anew. What the hub
 * must not point me at is left out: this machine and local networks unless the hub is there itself, and never
 * what no candidate may name either. `hubHost` is the host of the hub's URL.
 */
export function acceptIceServers(servers: readonly IceServer[], hubHost: string): IceServer[] {
  const accepted: IceServer[] = []
  let left = limits.signal.iceServerUrls
  for (const { urls, username, credential } of servers) {
    const named = username !== undefined && credential !== undefined
    const usable = urls.flatMap((url) => rebuildUrl(url, named, hubHost) ?? []).slice(0, left)
    if (usable.length === 0) continue
    left -= usable.length
    accepted.push(named ? { urls: usable, username, credential } : { urls: usable })
  }
  return accepted
}

/**
 * What tells this peer its own address, without what relays for it. Where there is TURN alone, its servers are asked for that:
 * TURN is an extension of STUN (RFC 8656), and they answer both.
 */
export function withoutTurn(servers: readonly IceServer[]): IceServer[] {
  const urls = servers.flatMap((server) => server.urls)
  const stun = urls.filter((url) => STUN_FORM.test(url))
  const fromTurn = () =>
    urls.flatMap((url) => TURN_OVER_UDP_FORM.exec(url)?.[1] ?? []).map((rest) => `stun:${rest}`)
  const asked = stun.length > 0 ? stun : fromTurn()
  return asked.length > 0 ? [{ urls: asked }] : []
}

const STUN_FORM = /^stuns?:/i
const TURN_OVER_UDP_FORM = /^turn:([^?]+)(?:\?transport=udp)?$/i

/** RFC 7064 and RFC 7065, the scheme and the host in lower case. */
const URL_FORM = /^(stun|turns?):(\[[0-9a-f:.]+\]|[^:?[\]]+)(?::(\d{1,5}))?(?:\?transport=(udp|tcp))?$/i

function rebuildUrl(url: string, hasCredential: boolean, hubHost: string): string | null {
  const match = URL_FORM.exec(url)
  if (match === null) return null
  const [scheme = '', host = '', port, transport] = match.slice(1).map((part?: string) => part?.toLowerCase())
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) return null
  // Without credentials RTCPeerConnection would refuse the whole list; stun has no transport to choose.
  if (scheme === 'stun' ? transport !== undefined : !hasCredential) return null
  if (!mayPointTo(host, hubHost)) return null
  return `${scheme}:${host}${port === undefined ? '' : `:${Number(port)}`}${transport === undefined ? '' : `?transport=${transport}`}`
}

function mayPointTo(host: string, hubHost: string): boolean {
  const hub = classifyHost(hubHost)
  const passes: Record<IpKind, boolean> = {
    public: true,
    private: hub === 'private' || hub === 'loopback',
    loopback: hub === 'loopback',
    refused: false,
  }
  return passes[classifyHost(host)]
}
