import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Path } from '../../core/types.ts'
import type { LabHub } from './hub.ts'
import { createLab, type Lab } from './lab.ts'
import { missing } from './namespaces.ts'
import type { NatKind } from './nat.ts'
import { connectPair, describePair, exchangeAll } from './pair.ts'
import type { LabPeer, LabPeerOptions } from './peer.ts'

/** A TURN server as it is shipped lets 256 KiB a second through. */
const exchangedBytes = 64 * 1024
const nats: readonly NatKind[] = ['portres', 'sym', 'addrres', 'udpblock', 'portres', 'sym']

describe.skipIf(missing !== '')(`peers behind NATs${missing}`, () => {
  let lab: Lab
  /** Names STUN servers, but no TURN server: what opens through it is direct. */
  let stunHub: LabHub

  beforeAll(async () => {
    lab = await createLab({ nats, seed: 1 })
    stunHub = await lab.startHub({ iceServers: lab.turn.stun })
  })
  afterAll(() => lab.close())

  /** Starts a peer behind the first NAT of this kind, or the second. */
  function startPeer(kind: NatKind, which: 0 | 1, options: LabPeerOptions & { hub?: LabHub }): LabPeer {
    const place = lab.places.filter(({ nat }) => nat === kind)[which]
    if (place === undefined) throw new Error(`no ${which + 1} NATs here are ${kind}`)
    return place.start(options)
  }

  async function expectPath(
    kinds: readonly [NatKind, NatKind],
    path: Path,
    options: LabPeerOptions & { hub?: LabHub } = {},
  ): Promise<{ atClient: readonly string[]; atServer: readonly string[] }> {
    const client = startPeer(kinds[0], 0, options)
    const server = startPeer(kinds[1], 1, options)
    try {
      const pair = await connectPair(client, server, await server.listen())
      const [atClient, atServer] = await describePair(pair)
      expect(atClient).toMatchObject({ role: 'client', remote: await server.key(), path })
      expect(atServer).toMatchObject({ role: 'server', remote: await client.key(), path })
      await exchangeAll(pair, exchangedBytes)
      return { atClient: await client.heard(), atServer: await server.heard() }
    } finally {
      await Promise.all([client.stop(), server.stop()])
    }
  }

  it.each<[NatKind, NatKind]>([
    ['portres', 'portres'],
    ['addrres', 'sym'],
  ])('open directly, the hub as introducer: %s and %s', async (...kinds) => {
    await expectPath(kinds, 'direct', { hub: stunHub, relay: 'never' })
  })

  it.each<[NatKind, NatKind]>([
    ['portres', 'sym'],
    ['sym', 'sym'],
  ])('open through TURN where nothing is direct: %s and %s', async (...kinds) => {
    await expectPath(kinds, 'turn', { relay: 'never' })
  })

  it('begin on the relay and move to TURN where nothing is direct', async () => {
    const client = startPeer('sym', 0, { relay: 'first' })
    const server = startPeer('sym', 1, { relay: 'first' })
    try {
      const pair = await connectPair(client, server, await server.listen())
      expect((await describePair(pair)).map(({ path }) => path)).toEqual(['relay', 'relay'])
      await Promise.all([client.pathBecomes(pair.dialed, 'turn'), server.pathBecomes(pair.accepted, 'turn')])
      await exchangeAll(pair, exchangedBytes)
    } finally {
      await Promise.all([client.stop(), server.stop()])
    }
  })

  it('open through TURN over TCP where there is no UDP', async () => {
    await expectPath(['udpblock', 'portres'], 'turn', { relay: 'never' })
  })

  it('with `relay` only, tell no address but the TURN server’s', async () => {
    const heard = await expectPath(['portres', 'portres'], 'turn', {
      iceTransportPolicy: 'relay',
      relay: 'never',
    })
    for (const lines of Object.values(heard)) {
      const candidates = lines.filter((line) => line.includes('candidate:'))
      expect(candidates).not.toEqual([])
      for (const candidate of candidates) expect(candidate).toContain(' 203.0.113.20 ')
      // Neither in other lines, nor as the related address of a candidate.
      expect(addressesIn(lines)).toEqual(['0.0.0.0', '127.0.0.1', '203.0.113.20'])
    }
  })
})

function addressesIn(lines: readonly string[]): string[] {
  return [...new Set(lines.join('\n').match(/\b\d+\.\d+\.\d+\.\d+\b/g))].toSorted()
}
