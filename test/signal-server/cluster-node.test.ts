import { randomBytes } from 'node:crypto'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { toBase64Url } from '../../core/bytes.ts'
import { decodeRecord } from '../../core/record.ts'
import {
  type Cluster,
  type ClusterLink,
  type ClusterListener,
  type ClusterTimes,
} from '../../signal-server/cluster/cluster.ts'
import { ClusterNode } from '../../signal-server/cluster/cluster-node.ts'
import type { ClusterEvent } from '../../signal-server/cluster/crossings.ts'
import { memory } from '../../signal-server/cluster/memory.ts'
import { redis } from '../../signal-server/cluster/redis.ts'
import { keysOf, recordOf } from '../support/records.ts'
import { deferred } from '../support/deferred.ts'
import { hasRedis, redisName, RedisServer } from '../support/redis-server.ts'

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
})

interface Started {
  readonly node: ClusterNode
  readonly name: string
  readonly events: ClusterEvent[]
}

async function start(cluster: Cluster, times: Partial<ClusterTimes> = {}, most = 0): Promise<Started> {
  const events: ClusterEvent[] = []
  const node = new ClusterNode({
    times,
    records: { all: () => [], most },
    tell: (event) => events.push(event),
    log: { info: () => {}, warn: () => {} },
  })
  open.push(() => node.close())
  await node.start(cluster)
  return { node, name: node.name, events }
}

const newKey = () => randomBytes(32).toString('base64url')

describe.skipIf(!hasRedis)(`a node on ${redisName}`, () => {
  it('announces ten thousand keys, and keeps them, with few commands', async () => {
    const server = await RedisServer.start()
    open.push(() => server.close())
    const { node, events } = await start(redis(server.url), { beatMs: 500 })
    await vi.waitFor(() => expect(events).toEqual([{ kind: 'joined' }]))
    const keys = Array.from({ length: 10_000 }, newKey)
    // Beside them the entry of the node, and the set of nodes.
    const untilHeld = (count: number) =>
      vi.waitFor(async () => expect(await server.ask('DBSIZE')).toBe(`:${count + 2}`), {
        timeout: 20_000,
        interval: 50,
      })
    await server.ask('CONFIG RESETSTAT')
    for (const key of keys) node.do({ kind: 'announce', key })
    await untilHeld(keys.length)
    // Not by one each: 64 batches, and what came due again meanwhile.
    expect(await server.calls('evalsha', 'eval')).toBeLessThan(500)
    await server.ask('FLUSHALL')
    await untilHeld(keys.length)
    for (const key of keys) node.do({ kind: 'withdraw', key })
    await untilHeld(0)
  })
})

describe('a node whose register is slow', () => {
  /** A cluster in memory whose answers to one question wait. */
  function slow(name: 'locate' | 'tell' | 'claim', wait: Promise<void>): Cluster {
    const cluster = memory()
    return {
      async join(entry, listener: ClusterListener) {
        const link = await cluster.join(entry, listener)
        const slowed: ClusterLink = {
          ...link,
          locate: async (key) => (name === 'locate' ? wait.then(() => link.locate(key)) : link.locate(key)),
          tell: async (to, text) =>
            name === 'tell' ? wait.then(() => link.tell(to, text)) : link.tell(to, text),
          claim: async (claims, lifeMs) =>
            name === 'claim' ? wait.then(() => link.claim(claims, lifeMs)) : link.claim(claims, lifeMs),
        }
        return slowed
      },
    }
  }

  it('says that a key could not be looked up', async () => {
    const { promise, resolve } = deferred<void>()
    const { node, events } = await start(slow('locate', promise), { deadlineMs: 50 })
    await vi.waitFor(() => expect(events).toEqual([{ kind: 'joined' }]))
    const key = newKey()
    node.do({ kind: 'locate', key })
    await vi.waitFor(() => expect(events.at(-1)).toEqual({ kind: 'unlocated', key }))
    resolve()
  })

  it('lets no more wait than it can hold', async () => {
    const { promise, resolve } = deferred<void>()
    const { node, events } = await start(slow('tell', promise), { deadlineMs: 10_000 })
    await vi.waitFor(() => expect(events).toEqual([{ kind: 'joined' }]))
    const message = { type: 'signal', call: 1, ofClient: true, n: 0, data: 'a'.repeat(16_384) } as const
    for (let count = 0; count < 2_000; count += 1) node.do({ kind: 'tell', node: 'x', message })
    await vi.waitFor(() => expect(events.length).toBeGreaterThan(900))
    expect(events.filter(({ kind }) => kind === 'untold').length).toBeGreaterThan(900)
    resolve()
    await vi.waitFor(() => expect(events.filter(({ kind }) => kind === 'deaf').length).toBeGreaterThan(900))
  })

  it('does not let keys wait for records that are not taken, and tells them again', async () => {
    const cluster = memory()
    let isTaken = false
    const full: Cluster = {
      async join(entry, listener) {
        const link = await cluster.join(entry, listener)
        const keep: ClusterLink['keep'] = (records) =>
          isTaken ? link.keep(records) : Promise.reject(new Error('OOM command not allowed'))
        return { ...link, keep }
      },
    }
    const keys = await keysOf(1)
    const key = toBase64Url(keys.publicKey)
    const bytes = await recordOf(keys, { sequence: Date.now() })
    const record = decodeRecord(bytes)
    if (record === null) throw new Error('it is a record')
    const { node, events, name } = await start(full, { beatMs: 50 }, 10)
    await vi.waitFor(() => expect(events).toEqual([{ kind: 'joined' }]))
    node.do({ kind: 'share', shared: { key, bytes, record } })
    node.do({ kind: 'announce', key })
    await vi.waitFor(() => {
      node.do({ kind: 'locate', key })
      expect(events.at(-1)).toEqual({ kind: 'located', key, node: name })
    })
    expect(await node.findRecord(key)).toBeUndefined()
    isTaken = true
    await vi.waitFor(async () => expect(await node.findRecord(key)).toEqual(bytes))
  })

  it('claims again what it does not know to be held', async () => {
    const { promise, resolve } = deferred<void>()
    const cluster = slow('claim', promise)
    const { node, events, name } = await start(cluster, { deadlineMs: 50, beatMs: 20 })
    await vi.waitFor(() => expect(events).toEqual([{ kind: 'joined' }]))
    const key = newKey()
    node.do({ kind: 'announce', key })
    resolve()
    await vi.waitFor(() => {
      node.do({ kind: 'locate', key })
      expect(events.at(-1)).toEqual({ kind: 'located', key, node: name })
    })
  })
})
