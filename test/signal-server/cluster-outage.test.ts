import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { toBase64Url } from '../../core/bytes.ts'
import { hubCloseCodes } from '../../core/hub-protocol.ts'
import { protocolName } from '../../signal-server/cluster/cluster.ts'
import { redis } from '../../signal-server/cluster/redis.ts'
import { startHub } from '../../signal-server/index.ts'
import { generateKeys } from '../../plugs/keys.ts'
import { forge, recordOf } from '../support/records.ts'
import { hasRedis, redisName, RedisServer } from '../support/redis-server.ts'
import {
  type ClusterHub,
  ClusterNodes,
  introduce,
  readiness,
  recordAt,
  sharedName,
  untilJoined,
} from './cluster-nodes.ts'
import { type ClusterProgram, runHub } from './cluster-program.ts'
import { type HubClient, newId, testKeys, type TestKeys } from './hub-client.ts'

describe.skipIf(!hasRedis)(`hubs that are one on ${redisName}`, () => {
  const nodes = new ClusterNodes()
  const programs: ClusterProgram[] = []
  let server: RedisServer

  beforeEach(async () => void (server = await RedisServer.start()))
  afterEach(async () => {
    for (const program of programs.splice(0)) {
      program.process.kill('SIGKILL')
      await program.ended
    }
    await nodes.close()
    await server.close()
  })

  const start = () => nodes.start(redis(server.url))

  /** A hub in a process of its own. */
  async function run(): Promise<ClusterProgram> {
    const program = await runHub({ HUB_NAMES: sharedName, EXEMPT_LOOPBACK: '1', REDIS_URL: server.url })
    programs.push(program)
    await program.logged('has joined its cluster')
    return program
  }

  /** Whether `client` is told BUSY, because nobody can say whether the peer is anywhere. */
  async function expectBusy(client: HubClient, { key }: TestKeys): Promise<void> {
    const id = newId()
    client.send({ type: 'introduce', id, to: key })
    expect(await client.next('error')).toMatchObject({ code: 'BUSY', id })
  }

  it('listen to their own channel each, and keep keys for a minute', async () => {
    const [a] = [await start(), await start(), await start()]
    expect(await server.ask(`ZCARD ${protocolName}:{nodes}`)).toBe(':3')
    const channels = (await server.ask(`PUBSUB CHANNELS *`)).match(/multiserver-cluster.1:to:[\w-]+/g) ?? []
    expect(channels).toHaveLength(3)
    for (const channel of channels) expect(await server.ask(`PUBSUB NUMSUB ${channel}`)).toMatch(/:1$/)
    expect(await server.ask('PUBSUB NUMPAT')).toBe(':0')
    const keys = testKeys()
    await nodes.register(a, keys)
    const [name = ''] =
      (await server.ask(`KEYS ${protocolName}:*:${toBase64Url(keys.key)}`)).match(/multi\S+/) ?? []
    expect(Number((await server.ask(`PTTL ${name}`)).slice(1))).toBeGreaterThan(50_000)
  })

  it('show the records of their own while Redis is away, and of all again when it is back', async () => {
    const [a, b] = [await start(), await start()]
    const keys = await generateKeys()
    const record = await recordOf(keys, { sequence: Date.now() })
    await nodes.publish(a, keys, record)
    expect(await recordAt(b, keys)).toEqual(record)
    await server.stop()
    await Promise.all([a, b].map((hub) => untilJoined(hub, false)))
    expect(await recordAt(a, keys)).toEqual(record)
    expect(await recordAt(b, keys)).toBeUndefined()
    // It comes back with nothing in it.
    const again = a.shared(toBase64Url(keys.publicKey))
    await server.start()
    await again
    await untilJoined(b, true)
    expect(await recordAt(b, keys)).toEqual(record)
  })

  it('show no record that its key has not signed, whoever has written it', async () => {
    const hub = await start()
    const [keys, other] = [await generateKeys(), await generateKeys()]
    const sequence = Date.now()
    const name = `${protocolName}:{records}:of:${toBase64Url(keys.publicKey)}`
    const good = await recordOf(keys, { sequence })
    for (const written of [forge(good), await recordOf(other, { sequence }), Uint8Array.of(1, 2, 3)]) {
      await server.ask(`SET ${name} "${sequence} ${sequence + 1000} ${toBase64Url(written)}"`)
      expect(await recordAt(hub, keys)).toBeUndefined()
    }
    for (const text of ['nonsense', `${sequence} 1 ${'A'.repeat(20_000)}`, '1 1 !!!']) {
      await server.ask(`SET ${name} "${text}"`)
      expect(await recordAt(hub, keys)).toBeUndefined()
    }
    await server.ask(`SET ${name} "${sequence} ${sequence + 1000} ${toBase64Url(good)}"`)
    expect(await recordAt(hub, keys)).toEqual(good)
  })

  it('take nothing from the bus that they do not understand', async () => {
    const [a, b] = [await start(), await start()]
    const keys = testKeys()
    const peer = await nodes.register(b, keys)
    const [channel = '', other = ''] = (await server.ask('PUBSUB CHANNELS *')).match(/multi\S+/g) ?? []
    const from = Buffer.alloc(16, 9).toString('base64url')
    const hostile = [
      '{',
      '[]',
      '{"type":"introduce"}',
      `{"type":"later","from":"${from}"}`,
      `{"type":"accepted","from":"${from}","call":-1}`,
      `{"type":"accepted","from":"${from}","call":1e300}`,
      `{"type":"signal","from":"${from}","call":1,"ofClient":true,"n":0,"data":"a"}`,
      `{"type":"end","from":"${from}","call":1,"ofClient":true,"reason":"x"}`,
      `{"type":"here","from":"${from}","__proto__":{"a":1}}`,
      `{"type":"look","from":"${from}","key":"${toBase64Url(keys.key)}"}`,
      'x'.repeat(60_000),
    ]
    for (const text of hostile) for (const to of [channel, other]) await server.ask(`PUBLISH ${to} '${text}'`)
    await introduce(await nodes.client(a), peer, keys)
    expect(peer.socket.readyState).toBe(peer.socket.OPEN)
  })

  it('go on within a node while Redis is gone, and are one again when it is back', async () => {
    const [a, b] = [await start(), await start()]
    const [here, there] = [testKeys(), testKeys()]
    const [peerHere, peerThere] = [await nodes.register(a, here), await nodes.register(b, there)]
    const client = await nodes.client(a)
    const [local, across] = [
      await introduce(client, peerHere, here),
      await introduce(client, peerThere, there),
    ]
    await server.stop()
    expect(await client.next('closed')).toEqual({ type: 'closed', id: across, reason: 'gone' })
    expect(await peerThere.next('closed')).toEqual({ type: 'closed', id: across, reason: 'gone' })
    expect(await readiness(a)).toEqual({ ready: true, degraded: ['cluster'] })
    client.send({ type: 'signal', id: local, data: 'a' })
    expect(await peerHere.next('signal')).toMatchObject({ id: local })
    await introduce(client, peerHere, here)
    await expectBusy(client, there)
    // Registered while nobody can be told; and a key that was proved here before, and there later.
    const late = testKeys()
    const peerLate = await nodes.registerAlone(b, late)
    const newer = await nodes.registerAlone(b, here)
    await server.start()
    await peerHere.next('replaced')
    expect((await peerHere.closed).code).toBe(hubCloseCodes.replaced)
    await untilJoined(a, true)
    await nodes.introduceSoon(a, peerLate, late)
    await nodes.introduceSoon(a, newer, here)
    await nodes.introduceSoon(a, peerThere, there)
  })

  it('answer in bounded time when Redis hangs', async () => {
    const [a, b] = [await start(), await start()]
    const [here, there] = [testKeys(), testKeys()]
    const [peerHere, peerThere] = [await nodes.register(a, here), await nodes.register(b, there)]
    const client = await nodes.client(a)
    await introduce(client, peerHere, here)
    server.hang()
    await expectBusy(client, there)
    await introduce(client, peerHere, here)
    await untilJoined(a, false)
    server.wake()
    await untilJoined(a, true)
    await untilJoined(b, true)
    await nodes.introduceSoon(a, peerThere, there)
  })

  it('end in bounded time when Redis hangs, and leave no connection', async () => {
    const [a] = [await start(), await start()]
    server.hang()
    await nodes.close()
    server.wake()
    // The one that asks.
    await expect.poll(async () => (await server.ask('CLIENT LIST')).match(/id=/g)).toHaveLength(1)
    await expect(a.app.inject('/livez')).rejects.toThrow()
  })

  it('leave no connection when they cannot listen', async () => {
    const a = await start()
    const port = Number(new URL(a.url).port)
    const options = { port, hubNames: [sharedName], nodeUrl: 'ws://127.0.0.1', cluster: redis(server.url) }
    await expect(startHub(options)).rejects.toMatchObject({ code: 'LISTEN_FAILED' })
    await expect(startHub({ ...options, nodeUrl: 'x' })).rejects.toThrow(/x cannot name a hub/)
    // Two of the first hub, and the one that asks.
    await expect.poll(async () => (await server.ask('CLIENT LIST')).match(/id=/g)).toHaveLength(3)
  })

  it('are one again soon after Redis has lost everything, under load', async () => {
    const [a, b] = [await start(), await start()]
    const pairs = await Promise.all(
      [a, b].map(async (hub) => {
        const keys = testKeys()
        return { keys, peer: await nodes.register(hub, keys) }
      }),
    )
    const [here, there] = pairs
    if (here === undefined || there === undefined) throw new Error('two were registered')
    const load = await runLoad(a, here)
    for (let flush = 0; flush < 3; flush += 1) await server.ask('FLUSHALL')
    await nodes.introduceSoon(a, there.peer, there.keys)
    // The epochs have not gone back: what was proved before the flush does not win over what comes after.
    const newer = await nodes.register(a, there.keys)
    await there.peer.next('replaced')
    await nodes.introduceSoon(b, newer, there.keys)
    expect(await load.end()).toBeGreaterThan(0)
  })

  it('find the peers of one that was killed elsewhere, and end what there was with it', async () => {
    const [a, c] = [await start(), await run()]
    const keys = testKeys()
    const peer = await nodes.registerAlone(c, keys)
    const { client, id } = await nodes.introduceSoon(a, peer, keys)
    c.process.kill('SIGKILL')
    // Nothing is said to it meanwhile.
    expect(await client.next('closed')).toEqual({ type: 'closed', id, reason: 'gone' })
    const next = newId()
    client.send({ type: 'introduce', id: next, to: keys.key })
    expect(await client.next('error')).toMatchObject({ code: 'PEER_NOT_FOUND', id: next })
    const elsewhere = await start()
    await introduce(client, await nodes.register(elsewhere, keys), keys)
  })

  it('give up the peers of one that is told to end', async () => {
    const [a, c] = [await start(), await run()]
    const keys = testKeys()
    const peer = await nodes.registerAlone(c, keys)
    const { client, id } = await nodes.introduceSoon(a, peer, keys)
    c.process.kill('SIGTERM')
    await peer.next('restarting')
    expect(await client.next('closed')).toEqual({ type: 'closed', id, reason: 'gone' })
    expect(await c.ended).toBe(0)
    expect(await server.ask(`KEYS ${protocolName}:*:${toBase64Url(keys.key)}`)).toBe('*0')
    await introduce(client, await nodes.register(a, keys), keys)
  })

  it('start without Redis, and say so', async () => {
    await server.stop()
    const alone = await runHub({ HUB_NAMES: sharedName, EXEMPT_LOOPBACK: '1', REDIS_URL: server.url })
    programs.push(alone)
    const keys = testKeys()
    const peer = await nodes.registerAlone(alone, keys)
    await introduce(await nodes.client(alone), peer, keys)
    await server.start()
    await alone.logged('has joined its cluster')
    await nodes.introduceSoon(await start(), peer, keys)
  })

  /** Introductions within `hub`, one after the other, none of which may fail. */
  async function runLoad(hub: ClusterHub, { keys, peer }: { keys: TestKeys; peer: HubClient }) {
    const client = await nodes.client(hub)
    const ending = new AbortController()
    let count = 0
    const running = (async () => {
      while (!ending.signal.aborted) {
        const id = await introduce(client, peer, keys)
        client.send({ type: 'close', id, reason: 'done' })
        await peer.next('closed')
        count += 1
      }
    })()
    return {
      end: async () => {
        ending.abort()
        await running
        return count
      },
    }
  }
})
