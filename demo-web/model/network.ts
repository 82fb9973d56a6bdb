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
  /** The key; `hub` for the hub. */
  readonly id: string
  readonly kind: PeerKind | 'hub'
  readonly name: string
  readonly isMe: boolean
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
  const hub: NetworkNode = { id: hubId, kind: 'hub', name: 'hub', isMe: false }
  const nodes = [me, hub, ...peers.map(({ key, kind, name }) => ({ id: key, kind, name, isMe: false }))]
  const known = new Map(peers.map((peer) => [peer.key, peer]))
  const found = new Map<string, Omit<NetworkEdge, 'siblings' | 'place'>>()
  const add = (from: string, link: Link, isMine: boolean) => {
    const { to, ...rest } = link
    // Of its own connections this page knows more than others tell.
    if (!isMine && (to === me.id || !known.has(to))) return
    const id = `${[from, to].toSorted().join(' ')} ${link.over}`
    const before = found.get(id)
    const bytesPerSecond = Math.max(link.bytesPerSecond, before?.bytesPerSecond ?? 0)
    const via = viaOf(link, known.get(to)?.address ?? '', known)
    found.set(id, { ...rest, id, from, to, via, isMine, bytesPerSecond })
  }
  for (const { key, links, ownLinks } of peers) {
    for (const link of links) add(key, link, false)
    for (const link of ownLinks) add(me.id, { ...link, to: key }, true)
  }
  return { nodes, edges: numberSiblings([...found.values()]) }
}

function viaOf(
  { over, path }: Link,
  address: string,
  known: ReadonlyMap<string, unknown>,
): string | undefined {
  if (path === 'relay') return hubId
  const bridge = over === 'tunnel' ? bridgeOf(address) : undefined
  return bridge !== undefined && known.has(bridge) ? bridge : undefined
}

/** Of `ws:…~shs2:BRIDGE~tunnel:KEY~shs:KEY` the BRIDGE, base64; undefined for an address without a tunnel. */
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
