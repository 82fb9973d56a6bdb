import { classifyIp, formatIp, type IpKind, parseIp } from '../../core/ip.ts'
import { limits } from '../../core/limits.ts'

export interface CandidateFilter {
  /** Whether my hub is on this machine: only then may a candidate be, too. */
  loopbackHub: boolean
  /** Whether addresses of local networks pass. */
  privateCandidates: boolean
  /** Whether only what a TURN server relays passes, so that the peer learns none of my addresses. */
  relayOnly: boolean
}

/**
 * An ICE candidate (RFC 8839, section 5.1), written anew from its fields, or null when it is malformed or names a
 * place that packets must not be sent to. For what is sent as for what came; the empty one that ends them is not for
 * here. The related address, which is only ever for people and tells of my network, is always blank.
 */
export function rebuildCandidate(text: string, filter: CandidateFilter): string | null {
  const candidate = parseCandidate(text)
  return candidate !== null && isAcceptable(candidate, filter) ? formatCandidate(candidate) : null
}

interface Candidate {
  readonly foundation: string
  readonly priority: number
  readonly host: Host
  readonly port: number
  readonly type: CandidateType
  /** Chromium's hint, 0 to 999, by which a phone's Wi-Fi wins over its mobile network. */
  readonly networkCost: number | undefined
}

type CandidateType = 'host' | 'srflx' | 'prflx' | 'relay'
type Host = { readonly name: string } | { readonly ip: Uint8Array }

/** Foundation, component 1, udp (Firefox writes UDP), priority, address, port, type, then pairs of words. */
const CANDIDATE =
  /^candidate:([A-Za-z0-9+/]{1,32}) 1 udp (\d{1,10}) (\S{1,45}) (\d{1,5}) typ (host|srflx|prflx|relay)((?: \S+ \S+)*)$/i

/** What browsers call a host instead of telling its address (draft-ietf-mmusic-mdns-ice-candidates). */
const MDNS_NAME = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.local$/

function parseCandidate(text: string): Candidate | null {
  if (text.length > limits.signal.candidateCharacters) return null
  const match = CANDIDATE.exec(text.trimEnd())
  if (match === null) return null
  const [, foundation = '', priority, address = '', port, type = '', extensions = ''] = match
  const candidate = {
    foundation,
    priority: Number(priority),
    port: Number(port),
    type: type.toLowerCase() as CandidateType,
    networkCost: readNetworkCost(extensions),
  }
  const host = parseHost(address)
  if (host === null || candidate.port < 1 || candidate.port > 65_535) return null
  // RFC 8445, section 5.1.2: between 1 and 2^31 - 1.
  if (candidate.priority < 1 || candidate.priority > 0x7fffffff) return null
  return { ...candidate, host }
}

function parseHost(address: string): Host | null {
  const ip = parseIp(address)
  if (ip !== null) return { ip }
  const name = address.toLowerCase()
  return MDNS_NAME.test(name) ? { name } : null
}

function readNetworkCost(extensions: string): number | undefined {
  const match = / network-cost (\d{1,3})(?: |$)/.exec(extensions)
  return match === null ? undefined : Number(match[1])
}

function isAcceptable(candidate: Candidate, filter: CandidateFilter): boolean {
  if (filter.relayOnly && candidate.type !== 'relay') return false
  // A name of multicast DNS stands for an address of a local network.
  const kind = 'ip' in candidate.host ? classifyIp(candidate.host.ip) : 'private'
  const passes: Record<IpKind, boolean> = {
    public: true,
    private: filter.privateCandidates,
    loopback: filter.loopbackHub,
    refused: false,
  }
  return passes[kind]
}

function formatCandidate({ foundation, priority, host, port, type, networkCost }: Candidate): string {
  const address = 'ip' in host ? formatIp(host.ip) : host.name
  const related = address.includes(':') ? '::' : '0.0.0.0'
  return [
    `candidate:${foundation} 1 udp ${priority} ${address} ${port} typ ${type}`,
    // RFC 8839, section 5.1: all but host candidates have one, and Firefox insists on it.
    ...(type === 'host' ? [] : [`raddr ${related} rport 0`]),
    ...(networkCost === undefined ? [] : [`network-cost ${networkCost}`]),
  ].join(' ')
}
