import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { concat, lengthPrefixed, toBase64Url } from '../../core/bytes.ts'
import { hubCloseCodes } from '../../core/hub-protocol.ts'
import type { Bytes } from '../../core/types.ts'
import { lookup } from '../../plugs/directory/lookup.ts'
import { generateKeys } from '../../plugs/keys.ts'
import type { Cluster } from '../../signal-server/cluster/cluster.ts'
import { memory } from '../../signal-server/cluster/memory.ts'
import { redis } from '../../signal-server/cluster/redis.ts'
import { hasRedis, redisName, RedisServer } from '../support/redis-server.ts'
import { RedisServers } from '../support/redis-servers.ts'
import { addressOf, recordOf } from '../support/records.ts'
import { type ClusterHub, ClusterNodes, introduce, recordAt, sharedName } from './cluster-nodes.ts'
import { newId, proof, testKeys } from './hub-client.ts'
import { askForRelay, openCircuit } from './relay-client.ts'

interface Meeting {
  /** What the nodes of one cluster are given. */
  cluster(): Cluster
  open(): Promise<void>
  close(): Promise<void>
}

let one: RedisServer
let several: RedisServers

const meetings: [string, boolean, Meeting][] = [
  ['in one process', true, { cluster: memory, open: async () => {}, close: async () => {} }],
  [
    `on ${redisName}`,
    hasRedis,
    {
      cluster: () => redis(one.url),
      open: async () => void (one = await RedisServer.start()),
      close: () => one.close(),
    },
  ],
  [
    `on a Redis Cluster of ${redisName}`,
    hasRedis,
    {
      cluster: () => redis(...several.urls),
      open: async () => void (several = await RedisServers.start()),
      close: () => several.close(),
    },
  ],
]

describe.each(meetings)('hubs that are one %s', (_name, isThere, meeting) => {
  describe.skipIf(!isThere)('', () => {
    const nodes = new ClusterNodes()
    beforeAll(() => meeting.open())
    afterAll(() => meeting.close())
    afterEach(() => nodes.close())

    it("relay at the peer's node, whose own URL both are told", async () => {
      const cluster = meeting.cluster()
      const a = await nodes.start(cluster, { nodeUrl: 'ws://a.hub.test/' })
      const b = await nodes.start(cluster, { nodeUrl: 'ws://b.hub.test/' })
      const keys = testKeys()
      const server = await nodes.register(b, keys)
      const client = await nodes.client(a)
      const id = await introduce(client, server, keys)
      const told = await askForRelay({ id, client, server })
      expect(told.map(({ url }) => url)).toEqual(['ws://b.hub.test/relay', 'ws://b.hub.test/relay'])
      const [dialing, dialed] = await openCircuit([
        { ...told[0], url: `${b.url}/relay` },
        { ...told[1], url: `${b.url}/relay` },
      ])
      dialing.socket.send(Buffer.from('through'))
      await dialed.until(() => dialed.frames.length === 1)
      expect(dialed.frames[0]?.toString()).toBe('through')
      for (const { socket } of [dialed, dialing]) socket.terminate()
    })

    it('count the circuits of a client of another node by its address', async () => {
      const cluster = meeting.cluster()
      const a = await nodes.start(cluster, { nodeUrl: 'ws://a.hub.test/', exemptLoopback: false })
      const limits = { relayCircuitsPerAddress: 1 }
      const b = await nodes.start(cluster, { nodeUrl: 'ws://b.hub.test/', limits })
      const keys = testKeys()
      const server = await nodes.register(b, keys)
      const ask = async () => {
        const id = await introduce(await nodes.client(a), server, keys)
        server.send({ type: 'relay', id })
        const answer = await server.nextOf('relay', 'error')
        return answer.type === 'error' ? answer.code : answer.type
      }
      expect([await ask(), await ask()]).toEqual(['relay', 'QUOTA'])
    })

    it('do not relay without a URL for each', async () => {
      const hub = await nodes.start(meeting.cluster())
      expect((await nodes.connect(hub.url).next('welcome')).relay).toBe(false)
    })

    it('introduce a client of one to a peer of another, and nobody else hears of it', async () => {
      const cluster = meeting.cluster()
      const [a, b, c] = [await nodes.start(cluster), await nodes.start(cluster), await nodes.start(cluster)]
      const keys = testKeys()
      const server = await nodes.register(c, keys)
      const client = nodes.connect(a.url)
      const id = newId()
      await client.opened()
      client.send({ type: 'introduce', id, to: keys.key })
      // Right behind it, before anybody knows where the peer is.
      const numbers = Array.from({ length: 60 }, (_, index) => `${index}`)
      for (const data of numbers) client.send({ type: 'signal', id, data })
      await client.next('welcome')
      expect((await client.next('introduced')).id).toBe(id)
      expect((await server.next('incoming')).id).toBe(id)
      for (const data of numbers) expect(await server.next('signal')).toEqual({ type: 'signal', id, data })
      for (const data of numbers) server.send({ type: 'signal', id, data })
      for (const data of numbers) expect(await client.next('signal')).toEqual({ type: 'signal', id, data })
      server.send({ type: 'close', id, reason: 'open' })
      expect(await client.next('closed')).toEqual({ type: 'closed', id, reason: 'open' })
      client.send({ type: 'signal', id, data: 'x' })
      expect(await client.next('error')).toMatchObject({ code: 'NO_INTRODUCTION', id })
      expect(c.heard.length).toBeGreaterThanOrEqual(61)
      expect(b.heard).toEqual([])
    })

    it('answer that a peer is nowhere', async () => {
      const cluster = meeting.cluster()
      const [a] = [await nodes.start(cluster), await nodes.start(cluster)]
      const client = await nodes.client(a)
      const id = newId()
      client.send({ type: 'introduce', id, to: testKeys().key })
      expect(await client.next('error')).toMatchObject({ code: 'PEER_NOT_FOUND', id })
    })

    it('keep the newer of two registrations, wherever it is', async () => {
      const cluster = meeting.cluster()
      const [a, b, c] = [await nodes.start(cluster), await nodes.start(cluster), await nodes.start(cluster)]
      const keys = testKeys()
      let older = await nodes.register(a, keys)
      for (const hub of [b, a, c]) {
        const newer = await nodes.register(hub, keys)
        await older.next('replaced')
        expect((await older.closed).code).toBe(hubCloseCodes.replaced)
        older = newer
      }
      for (const hub of [a, b, c]) await introduce(await nodes.client(hub), older, keys)
    })

    it('tell the other end when one goes', async () => {
      const cluster = meeting.cluster()
      const [a, b] = [await nodes.start(cluster), await nodes.start(cluster)]
      const keys = testKeys()
      const server = await nodes.register(b, keys)
      const client = await nodes.client(a)
      const first = await introduce(client, server, keys)
      client.socket.terminate()
      expect(await server.next('closed')).toEqual({ type: 'closed', id: first, reason: 'gone' })
      const another = await nodes.client(a)
      const second = await introduce(another, server, keys)
      server.socket.terminate()
      expect(await another.next('closed')).toEqual({ type: 'closed', id: second, reason: 'gone' })
    })

    it('hold what a target may have where the target is, and an id in use wherever it is', async () => {
      const cluster = meeting.cluster()
      const limits = { introductionsPerTarget: 2 }
      const [a, b] = [await nodes.start(cluster, { limits }), await nodes.start(cluster, { limits })]
      const keys = testKeys()
      const server = await nodes.register(b, keys)
      const [here, there] = [await nodes.client(b), await nodes.client(a)]
      const id = await introduce(here, server, keys)
      there.send({ type: 'introduce', id, to: keys.key })
      expect(await there.next('error')).toMatchObject({ code: 'ID_IN_USE', id })
      await introduce(there, server, keys)
      const third = newId()
      there.send({ type: 'introduce', id: third, to: keys.key })
      expect(await there.next('error')).toMatchObject({ code: 'BUSY', id: third })
    })

    it('count a client for its own address, also where the target is', async () => {
      const cluster = meeting.cluster()
      const options = { exemptLoopback: false, limits: { introductionsPerTargetAndAddress: 1 } }
      const [a, b] = [await nodes.start(cluster, options), await nodes.start(cluster, options)]
      const keys = testKeys()
      const server = await nodes.register(b, keys)
      await introduce(await nodes.client(a), server, keys)
      const client = await nodes.client(b)
      const id = newId()
      client.send({ type: 'introduce', id, to: keys.key })
      expect(await client.next('error')).toMatchObject({ code: 'BUSY', id })
    })

    it('give up the peers of one that drains at once', async () => {
      const cluster = meeting.cluster()
      const [a, b] = [await nodes.start(cluster), await nodes.start(cluster)]
      const keys = testKeys()
      const server = await nodes.register(b, keys)
      const client = await nodes.client(a)
      const id = await introduce(client, server, keys)
      await b.close()
      expect(await client.next('closed')).toEqual({ type: 'closed', id, reason: 'gone' })
      const next = newId()
      client.send({ type: 'introduce', id: next, to: keys.key })
      expect(await client.next('error')).toMatchObject({ code: 'PEER_NOT_FOUND', id: next })
      await introduce(client, await nodes.register(a, keys), keys)
    })

    it('show a record that was published at one at all, and the newest wherever that was', async () => {
      const cluster = meeting.cluster()
      const [a, b, c] = [await nodes.start(cluster), await nodes.start(cluster), await nodes.start(cluster)]
      const keys = await generateKeys()
      const sequence = Date.now()
      const first = await recordOf(keys, { sequence })
      const older = await nodes.publish(a, keys, first)
      for (const hub of [a, b, c]) expect(await recordAt(hub, keys)).toEqual(first)
      expect(await lookup(b.url, keys.publicKey)).toMatchObject({ sequence })
      // It goes to another node, and has other addresses there.
      const second = await recordOf(keys, { sequence: sequence + 1 })
      const newer = await nodes.publish(b, keys, second)
      await older.closed
      for (const hub of [a, b, c]) expect(await recordAt(hub, keys)).toEqual(second)
      const withdrawn = b.shared(toBase64Url(keys.publicKey))
      newer.send({ type: 'record', record: await recordOf(keys, { sequence: sequence + 2, addresses: [] }) })
      await withdrawn
      for (const hub of [a, b, c]) expect(await recordAt(hub, keys)).toBeUndefined()
    })

    it('take no record back: a publisher at another node hears of the newer one', async () => {
      const cluster = meeting.cluster()
      const [a, b, c] = [await nodes.start(cluster), await nodes.start(cluster), await nodes.start(cluster)]
      const keys = await generateKeys()
      const sequence = Date.now()
      const newest = await recordOf(keys, { sequence: sequence + 5 })
      await nodes.publish(a, keys, newest)
      const older = await recordOf(keys, { sequence: sequence + 4 })
      const refused = await nodes.publish(b, keys, older)
      expect(await refused.next('error')).toMatchObject({ code: 'RECORD_STALE', record: newest })
      for (const hub of [a, b, c]) expect(await recordAt(hub, keys)).toEqual(newest)
      // Another with the same sequence: its publisher is to go above it.
      const twin = await recordOf(keys, {
        sequence: sequence + 5,
        addresses: [addressOf(keys, '203.0.113.8')],
      })
      const publisher = await nodes.publish(c, keys, twin)
      expect(await publisher.next('error')).toMatchObject({ code: 'RECORD_STALE', record: newest })
      const above = await recordOf(keys, { sequence: sequence + 6 })
      const shared = c.shared(toBase64Url(keys.publicKey))
      publisher.send({ type: 'record', record: above })
      await shared
      for (const hub of [a, b, c]) expect(await recordAt(hub, keys)).toEqual(above)
    })

    it('list the records of all, in the order of their keys, a page after the other', async () => {
      const cluster = meeting.cluster()
      const [a, b] = [
        await nodes.start(cluster, { listing: true }),
        await nodes.start(cluster, { listing: true }),
      ]
      const sequence = Date.now()
      const listed: [string, Bytes][] = []
      for (const [index, hub] of [a, b, a, b, a].entries()) {
        const keys = await generateKeys()
        const record = await recordOf(keys, { sequence, listed: index < 4 })
        await nodes.publish(hub, keys, record)
        if (index < 4) listed.push([toBase64Url(keys.publicKey), record])
      }
      listed.sort(([left], [right]) => (left < right ? -1 : 1))
      const expected = concat(...listed.map(([, record]) => lengthPrefixed(record)))
      const page = async ({ url }: ClusterHub, query = '') => {
        const response = await fetch(`${url.replace('ws', 'http')}/peers${query}`)
        return new Uint8Array(await response.arrayBuffer())
      }
      expect(await page(a)).toEqual(expected)
      expect(await page(b)).toEqual(expected)
      let shownBytes = 0
      for (const [key, record] of listed) {
        shownBytes += 2 + record.length
        for (const hub of [a, b]) expect(await page(hub, `?after=${key}`)).toEqual(expected.slice(shownBytes))
      }
    })

    it('do not let a register of one count for another: the challenge is of a socket', async () => {
      const cluster = meeting.cluster()
      const [a, b] = [await nodes.start(cluster), await nodes.start(cluster)]
      const { challenge } = await nodes.connect(a.url).next('welcome')
      const other = await nodes.client(b)
      other.send(proof(testKeys(), sharedName, challenge))
      expect((await other.next('error')).code).toBe('BAD_SIGNATURE')
    })
  })
})
