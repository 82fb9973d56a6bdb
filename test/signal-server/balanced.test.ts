import { afterEach, describe, expect, it, vi } from 'vitest'
import { fromText, toBase64Url } from '../../core/bytes.ts'
import { type Connection, MultiServer } from '../../core/multiserver.ts'
import { hubSubprotocol } from '../../core/hub-protocol.ts'
import { generateKeys } from '../../plugs/keys.ts'
import rtc from '../../plugs/rtc/index.ts'
import shs from '../../plugs/shs/index.ts'
import { protocolName, shardOf } from '../../signal-server/cluster/cluster.ts'
import { fixedPort } from '../support/fixed-port.ts'
import { hasNginx, Nginx, nginxName } from '../support/nginx.ts'
import { hasRedis, redisName, RedisServer } from '../support/redis-server.ts'
import { HubClient, refusedStatus } from './hub-client.ts'
import { runHub } from './cluster-program.ts'

describe.skipIf(!hasRedis || !hasNginx)(`two hubs behind ${nginxName}, on ${redisName}`, () => {
  const open: (() => unknown)[] = []
  afterEach(async () => {
    for (const close of open.splice(0).toReversed()) await close()
  })

  async function start(limits: string) {
    const redis = await RedisServer.start()
    open.push(() => redis.close())
    const port = fixedPort()
    const name = `ws://127.0.0.1:${port}`
    const run = async () => {
      const hub = await runHub({
        HUB_NAMES: name,
        TRUST_PROXY: '127.0.0.1',
        REDIS_URL: redis.url,
        HUB_LIMITS: limits,
      })
      open.push(async () => {
        hub.process.kill('SIGKILL')
        await hub.ended
      })
      await hub.logged('has joined its cluster')
      return hub
    }
    const hubs = [await run(), await run()]
    const places = hubs.map(({ url }) => url.replace('ws://', ''))
    const nginx = await Nginx.start(port, places)
    open.push(() => nginx.close())
    return { redis, name, hubs }
  }

  it('count a peer for the address that the proxy names', async () => {
    const { name } = await start('newSocketsBurstPerAddress=1,newSocketsPerSecondPerAddress=0.001')
    const clients: HubClient[] = []
    const enter = async (localAddress: string) => {
      const client = new HubClient(name, { localAddress })
      clients.push(client)
      await client.next('welcome')
    }
    for (const address of ['127.0.0.2', '127.0.0.3']) {
      // One at each hub.
      await enter(address)
      await enter(address)
      expect(await refusedStatus(name, hubSubprotocol, { localAddress: address })).toBe(429)
    }
    for (const client of clients) await client.leave()
  })

  it('introduce their peers to each other, and take those of the one that drains', async () => {
    // All peers have one address here.
    const limits = 'newSocketsPerSecondPerAddress=1000,newSocketsBurstPerAddress=1000'
    const { redis, name, hubs } = await start(limits)
    /** The node where the peer with `key` is, undefined while it is nowhere. */
    const nodeOf = async (key: Uint8Array) => {
      const text = toBase64Url(key)
      const held = await redis.ask(`GET ${protocolName}:{${shardOf(text)}}:${text}`)
      return / ([\w-]{22})$/m.exec(held.trim())?.[1]
    }
    const patience = { timeout: 20_000, interval: 100 }
    const serve = async () => {
      const keys = await generateKeys()
      const ms = MultiServer([[rtc({ hub: name }), shs({ keys })]])
      // That a hub drains is heard of, and not of interest here.
      const close = ms.server(
        (connection) => void echo(connection),
        () => {},
      )
      open.push(close)
      await close.listening
      const key = keys.publicKey
      const node = await vi.waitFor(async () => {
        const found = await nodeOf(key)
        expect(found).toBeDefined()
        return found
      }, patience)
      return { address: ms.stringify('device'), key, node }
    }
    const [one, other] = [await serve(), await serve()]
    // One after the other is what this nginx does.
    expect(other.node).not.toBe(one.node)

    const dialing = MultiServer([[rtc(), shs({ keys: await generateKeys() })]])
    const dial = async ({ address }: { address: string }) => {
      const connection = await dialing.client(address)
      open.push(() => connection.close())
      return connection
    }
    // They share one socket to a hub: it is the hub of one of them, and not of the other.
    const connections = await Promise.all([one, other].map(dial))
    for (const connection of connections) expect(await answerTo(connection, 'before')).toBe('before')

    const [ending] = hubs
    ending?.process.kill('SIGTERM')
    expect(await ending?.ended).toBe(0)
    await vi.waitFor(async () => {
      const [oneNow, otherNow] = [await nodeOf(one.key), await nodeOf(other.key)]
      expect(oneNow).toBeDefined()
      expect(oneNow).toBe(otherNow)
    }, patience)
    for (const connection of connections) expect(await answerTo(connection, 'after')).toBe('after')
    for (const peer of [one, other]) expect(await answerTo(await dial(peer), 'anew')).toBe('anew')
  })
})

async function echo(connection: Connection): Promise<void> {
  for (let chunk = await connection.read(); chunk !== null; chunk = await connection.read()) {
    await connection.write(chunk)
  }
  await connection.close()
}

async function answerTo(connection: Connection, text: string): Promise<string> {
  await connection.write(fromText(text))
  const chunk = await connection.read()
  return new TextDecoder().decode(chunk ?? undefined)
}
