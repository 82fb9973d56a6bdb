import { parseAddress, parseKeyText } from '../../core/address.ts'
import { toBase64 } from '../../core/bytes.ts'
import type { Link } from '../../cli/demo/links.ts'
import type { PeerKind } from '../../cli/demo/protocol.ts'

/** Whom the network has, as far as this page is told, and how they are linked. */
export interface Network {
  readonly nodes: readonly NetworkNode[]
  readonly edges: readonly NetworkEdge[]
}

export interface NetworkNode {
  /** The key; {@link hubId} for the hub. */
  readonly id: string
  readonly kind: PeerKind | 'hub' | 'bridge'
  readonly name: string
  readonly isMe: boolean
  /** The node that leads others to it: the hub, or a bridge. */
  readonly behind: string | undefined
}

export interface NetworkEdge extends Omit<Link, 'to'> {
  readonly id: string
  readonly from: string
  readonly to: string
  /** The node through which the bytes go, where it is known: the hub's relay, or a bridge. */
  readonly via: string | undefined
  /** Whether it is this page's own. */
  readonly isMine: boolean
  /** Edges between the same two, this one among them; and its place among those. */
  readonly siblings: number
  readonly place: number
}

export interface NetworkPeer {
  readonly key: string
  readonly kind: PeerKind
  readonly name: string
  readonly address: string
  /** What it told the lobby. */
  readonly links: readonly Link[]
  /** What this page knows by itself. */
  readonly ownLinks: readonly Link[]
}

export const hubId = 'hub'

/** Each connection once, although both ends tell of it. */
export function drawNetwork(me: NetworkNode, peers: readonly NetworkPeer[]): Network {
  const known = new Map(peers.map((peer) => [peer.key, peer]))
  const bridges = [...new Set(peers.map(({ address }) => bridgeOf(address)))].filter(
    (id) => id !== undefined && !known.has(id),
  )
  const nodes: NetworkNode[] = [
    me,
    { id: hubId, kind: 'hub', name: 'hub', isMe: false, behind: undefined },
    ...peers.map(({ key, kind, name, address }) => {
      return { id: key, kind, name, isMe: false, behind: introducerOf(address) }
    }),
    ...bridges.map(
      (id = '') => ({ id, kind: 'bridge', name: 'bridge', isMe: false, behind: hubId }) as const,
    ),
  ]
  const found = new Map<string, Omit<NetworkEdge, 'siblings' | 'place'>>()
  const add = (from: string, link: Link, isMine: boolean) => {
    const { to, ...rest } = link
    // Of its own connections this page knows more than others tell.
    if (!isMine && (to === me.id || !known.has(to))) return
    const id = `${[from, to].toSorted().join(' ')} ${link.over}`
    const before = found.get(id)
    const bytesPerSecond = Math.max(link.bytesPerSecond, before?.bytesPerSecond ?? 0)
    const via = viaOf(link, known.get(to)?.address ?? '') ?? viaOf(link, known.get(from)?.address ?? '')
    found.set(id, { ...rest, id, from, to, via, isMine, bytesPerSecond })
  }
  for (const { key, links, ownLinks } of peers) {
    for (const link of links) add(key, link, false)
    for (const link of ownLinks) add(me.id, { ...link, to: key }, true)
  }
  return { nodes, edges: numberSiblings([...found.values()]) }
}

function viaOf({ over, path }: Link, address: string): string | undefined {
  if (over === 'tunnel') return bridgeOf(address)
  return path === 'relay' ? hubId : undefined
}

/** The node of whoever leads others to this address: a bridge, the hub, or nobody when it is dialed as it stands. */
export function introducerOf(address: string): string | undefined {
  const isIntroduced = address !== '' && parseAddress(address).some(([transport]) => transport.name === 'rtc')
  return bridgeOf(address) ?? (isIntroduced ? hubId : undefined)
}

/** Of `rtc:…~shs2:BRIDGE~tunnel:KEY~shs:KEY` the BRIDGE, base64; undefined for an address without a tunnel. */
export function bridgeOf(address: string): string | undefined {
  if (address === '') return undefined
  for (const sections of parseAddress(address)) {
    const at = sections.findIndex(({ name }) => name === 'tunnel')
    const key = at > 0 ? parseKeyText(sections[at - 1]?.data[0] ?? '') : null
    if (key !== null) return toBase64(key)
  }
  return undefined
}

function numberSiblings(edges: readonly Omit<NetworkEdge, 'siblings' | 'place'>[]): NetworkEdge[] {
  const pairOf = ({ from, to }: { from: string; to: string }) => [from, to].toSorted().join(' ')
  const pairs = new Map<string, number>()
  const placed = edges.map((edge) => {
    const place = pairs.get(pairOf(edge)) ?? 0
    pairs.set(pairOf(edge), place + 1)
    return { ...edge, place }
  })
  return placed.map((edge) => ({ ...edge, siblings: pairs.get(pairOf(edge)) ?? 1 }))
}
