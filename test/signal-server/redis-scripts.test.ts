import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RecordMemory } from '../../core/record-memory.ts'
import { decodeRecord } from '../../core/record.ts'
import type { Claim, Claimed, ClusterLink } from '../../signal-server/cluster/cluster.ts'
import { keepScript } from '../../signal-server/cluster/record-scripts.ts'
import { connectToRedis, type RedisConnection } from '../../signal-server/cluster/redis-connection.ts'
import { redis } from '../../signal-server/cluster/redis.ts'
import { Register } from '../../signal-server/cluster/register.ts'
import { addressOf, keysOf, recordOf } from '../support/records.ts'
import { hasRedis, redisName, RedisServer } from '../support/redis-server.ts'

const nodes = [1, 2, 3].map((number) => Buffer.alloc(16, number).toString('base64url'))
const lifeMs = 60_000

type Step =
  | { do: 'claim'; node: number; key: number; ageS: number; isFirst: boolean }
  /** With the epoch that this node was given last. */
  | { do: 'renew' | 'release'; node: number; key: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('claim' as const),
    node: fc.nat(2),
    key: fc.nat(1),
    // Far enough apart for two clocks that are a little apart.
    ageS: fc.nat(20).map((tens) => 60 * tens),
    isFirst: fc.boolean(),
  }),
  fc.record({ do: fc.constantFrom('renew' as const, 'release' as const), node: fc.nat(2), key: fc.nat(1) }),
)

describe.skipIf(!hasRedis)(`the scripts on ${redisName}`, () => {
  let server: RedisServer
  const links: ClusterLink[] = []

  beforeAll(async () => {
    server = await RedisServer.start()
    for (const node of nodes) links.push(await joined(node))
  })

  afterAll(async () => {
    for (const link of links) link.close()
    await server.close()
  })

  function joined(node: string): Promise<ClusterLink> {
    return new Promise((resolve, reject) => {
      const joining = redis(server.url).join(
        { node },
        { onMessage: () => {}, onConnected: () => resolve(joining), onDisconnected: reject },
      )
    })
  }

  it('decide as the register of one process does', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const register = new Register()
        const startMs = Date.now()
        const keys = [0, 1].map(() => randomBytes(32).toString('base64url'))
        const given = new Map<string, [number, number]>()
        for (const [index, now] of steps.entries()) {
          const [key = '', node = ''] = [keys[now.key], nodes[now.node]]
          const link = links[now.node]
          if (link === undefined) throw new Error('no such node')
          // As Redis does, it never sees two steps at the same time.
          const nowMs = startMs + index
          if (now.do === 'release') {
            await link.release([key])
            register.release(node, key, nowMs)
          } else {
            const [epoch, model] = now.do === 'renew' ? (given.get(`${node} ${key}`) ?? [0, 0]) : [0, 0]
            const claim: Claim = {
              key,
              epoch,
              ageMs: now.do === 'claim' ? now.ageS * 1000 : 0,
              isFirst: now.do === 'claim' && now.isFirst,
            }
            const [answer] = await link.claim([claim], lifeMs)
            const expected = register.claim(node, { ...claim, epoch: model }, lifeMs, nowMs)
            expect(withoutEpoch(answer)).toEqual(withoutEpoch(expected))
            if (answer?.kind === 'held' && expected.kind === 'held') {
              given.set(`${node} ${key}`, [answer.epoch, expected.epoch])
            }
          }
          expect(await link.locate(key)).toBe(register.locate(key, nowMs))
        }
      }),
      { numRuns: 150 },
    )
  })

  it('keep records as one process does, and no shorter', async () => {
    const startMs = Date.now()
    const one = await keysOf(1)
    const records = await Promise.all(
      [0, 1, 2].flatMap((sequence) =>
        [0, 1].map(async (odd) => {
          const expiresAtMs = startMs + (odd + 1) * 3_600_000
          const addresses = odd === 0 ? [addressOf(one)] : []
          const bytes = await recordOf(one, { sequence: startMs + sequence, expiresAtMs, addresses })
          const record = decodeRecord(bytes)
          if (record === null) throw new Error('it is a record')
          return { bytes, record }
        }),
      ),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(records.length - 1), { maxLength: 8 }), async (steps) => {
        const memory = new RecordMemory()
        // Redis looks at sequences; whose they are is the node's business.
        const key = randomBytes(32).toString('base64url')
        for (const number of steps) {
          const known = records[number]
          if (known === undefined) throw new Error('no such record')
          const isKept = memory.take(key, known, Date.now())
          const stored = memory.get(key, Date.now())?.bytes
          expect(await links[0]?.keep([{ key, ...known }])).toEqual([isKept ? undefined : stored])
          expect(await links[1]?.record(key)).toEqual(stored)
        }
        const longest = Math.max(0, ...steps.map((number) => records[number]?.record.expiresAtMs ?? 0))
        const keptMs = Number((await server.ask(`PTTL multiserver-cluster.1:{records}:of:${key}`)).slice(1))
        if (steps[0] === records.length - 1) expect(keptMs).toBeGreaterThan(longest - Date.now())
      }),
      { numRuns: 100 },
    )
  })

  it('keep no more records than they may: the one that was told longest ago goes', async () => {
    const listener = { channel: 'x', onMessage: () => {}, onDisconnected: () => {} }
    const connection = await new Promise<RedisConnection>((resolve) => {
      const connecting = connectToRedis([server.url], {
        ...listener,
        onConnected: () => void connecting.then(resolve),
      })
    })
    const keep = (name: string) =>
      connection.run(
        keepScript,
        ['{t}:told', '{t}:listed', `{t}:${name}`],
        ['{t}:', '3', name, '1', '9', '60000', '1', 'AA'],
      )
    for (const name of ['a', 'b', 'c', 'd', 'e']) expect(await keep(name)).toEqual([''])
    expect(await server.ask('ZCARD {t}:told')).toBe(':3')
    expect(await server.ask('ZCARD {t}:listed')).toBe(':3')
    expect(await server.ask('EXISTS {t}:a {t}:b {t}:c {t}:d {t}:e')).toBe(':3')
    expect(await server.ask('EXISTS {t}:e')).toBe(':1')
    // What has ended by itself leaves nothing behind.
    await server.ask('DEL {t}:e')
    await keep('f')
    expect(await server.ask('ZCARD {t}:told')).toBe(await server.ask('ZCARD {t}:listed'))
    expect(await server.ask('ZSCORE {t}:told e')).toBe('$-1')
    connection.close()
  })

  it('give microseconds as whole numbers', async () => {
    const key = randomBytes(32).toString('base64url')
    const [claimed] = (await links[0]?.claim([{ key, epoch: 0, ageMs: 0, isFirst: true }], lifeMs)) ?? []
    const epoch = claimed?.kind === 'held' ? claimed.epoch : 0
    expect(Math.abs(epoch / 1000 - Date.now())).toBeLessThan(60_000)
    expect(Number.isSafeInteger(epoch)).toBe(true)
  })

  it('let a new proof win over an epoch of the future: the clock was set back', async () => {
    const key = randomBytes(32).toString('base64url')
    const future = (Date.now() + 3_600_000) * 1000
    const claim = { key, epoch: 0, ageMs: 0, isFirst: true }
    await links[0]?.claim([{ ...claim, epoch: future }], lifeMs)
    expect(await links[1]?.claim([{ ...claim, isFirst: false }], lifeMs)).toEqual([
      { kind: 'lost', to: nodes[0] },
    ])
    expect(await links[1]?.claim([claim], lifeMs)).toEqual([
      { kind: 'held', epoch: future + 1, before: nodes[0] },
    ])
  })

  it('let a key go that is not claimed again in time', async () => {
    const key = randomBytes(32).toString('base64url')
    await links[0]?.claim([{ key, epoch: 0, ageMs: 0, isFirst: true }], 100)
    expect(await links[1]?.locate(key)).toBe(nodes[0])
    await expect.poll(() => links[1]?.locate(key)).toBeUndefined()
  })

  it('know how many nodes there are, and whether one is new', async () => {
    for (const link of links) await link.beat(60_000)
    expect(await links[0]?.beat(60_000)).toEqual({ wasKnown: true, nodes: 3 })
    await server.ask('FLUSHALL')
    expect(await links[0]?.beat(60_000)).toEqual({ wasKnown: false, nodes: 1 })
  })
})

function withoutEpoch(claimed: Claimed | undefined): unknown {
  return claimed?.kind === 'held' ? { kind: 'held', before: claimed.before } : claimed
}
