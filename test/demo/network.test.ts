import { describe, expect, it } from 'vitest'
import type { Link } from '../../cli/demo/links.ts'
import { toBase64 } from '../../core/bytes.ts'
import { bridgeOf, drawNetwork, hubId, type NetworkPeer } from '../../demo-web/model/network.ts'

const key = (byte: number) => toBase64(new Uint8Array(32).fill(byte))
const me = { id: key(9), kind: 'browser', name: 'me', isMe: true, behind: hubId } as const
const tunneled = `rtc:127.0.0.1:1~shs2:${key(7)}~tunnel:${key(3)}~shs:${key(3)}`

describe('the network of the page', () => {
  it('has the hub and this page, and nobody else at first', () => {
    const { nodes, edges } = drawNetwork(me, [])
    expect(nodes.map(({ id }) => id)).toEqual([me.id, hubId])
    expect(edges).toEqual([])
  })

  it('has a connection once although both ends tell of it, with what most traffic is told of it', () => {
    const { edges } = drawNetwork(me, [
      peer(1, { links: [link(2, { over: 'net', bytesPerSecond: 5 })] }),
      peer(2, { links: [link(1, { over: 'net', bytesPerSecond: 7 })] }),
    ])
    expect(edges.map(({ over, bytesPerSecond, isMine }) => [over, bytesPerSecond, isMine])).toEqual([
      ['net', 7, false],
    ])
  })

  it('believes itself about its own connections, and nobody about those who are not there', () => {
    const told = [link(9, { over: 'rtc', path: 'relay' }), link(8, { over: 'net' })]
    const { edges } = drawNetwork(me, [
      peer(1, { links: told, ownLinks: [link(1, { over: 'rtc', path: 'direct' })] }),
    ])
    expect(edges.map(({ from, to, path }) => [from, to, path])).toEqual([[me.id, key(1), 'direct']])
  })

  it('counts several between the same two, so that they can be drawn apart', () => {
    const ownLinks = [link(1, { over: 'ws' }), link(1, { over: 'rtc', path: 'direct' })]
    const { edges } = drawNetwork(me, [peer(1, { ownLinks })])
    expect(edges.map(({ place, siblings }) => [place, siblings])).toEqual([
      [0, 2],
      [1, 2],
    ])
  })

  it('leads what is relayed through the hub, and what is tunneled through its bridge', () => {
    const { nodes, edges } = drawNetwork(me, [
      peer(1, { ownLinks: [link(1, { over: 'rtc', path: 'relay' })] }),
      peer(3, { address: tunneled, ownLinks: [link(3, { over: 'tunnel', path: 'direct' })] }),
    ])
    expect(edges.map(({ via }) => via)).toEqual([hubId, key(7)])
    const behind = new Map(nodes.map((node) => [node.id, node.behind]))
    expect(nodes.find(({ id }) => id === key(7))?.kind).toBe('bridge')
    expect([behind.get(key(3)), behind.get(key(7)), behind.get(key(1))]).toEqual([key(7), hubId, hubId])
  })

  it('finds the bridge in an address', () => {
    expect(bridgeOf(tunneled)).toBe(key(7))
    expect(bridgeOf(`rtc:127.0.0.1:1~shs:${key(1)}`)).toBeUndefined()
    expect(bridgeOf('')).toBeUndefined()
  })
})

function peer(byte: number, more: Partial<NetworkPeer> = {}): NetworkPeer {
  const address = `rtc:127.0.0.1:1~shs:${key(byte)}`
  return { key: key(byte), kind: 'desktop', name: `${byte}`, address, links: [], ownLinks: [], ...more }
}

function link(to: number, more: Pick<Link, 'over'> & Partial<Link>): Link {
  return { to: key(to), strength: 2, bytesPerSecond: 0, ...more }
}
