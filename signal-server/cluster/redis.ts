import { fromBase64Url, toBase64Url } from '../../core/bytes.ts'
import { limits } from '../../core/limits.ts'
import type { Bytes } from '../../core/types.ts'
import {
  type Claim,
  type Claimed,
  type Cluster,
  type ClusterLink,
  protocolName,
  sharedRecords,
  shardOf,
} from './cluster.ts'
import { connectToRedis, type RedisConnection } from './redis-connection.ts'
import { keepScript, listScript } from './record-scripts.ts'
import { beatScript, claimScript, leaveScript, releaseScript } from './redis-scripts.ts'
import type { SharedRecord } from './sharing.ts'

/**
 * A cluster on Redis or Valkey (5 or later): `redis(url)`. With several URLs they are nodes of a Redis Cluster
 * (7 or later), and what nodes say to each other goes by sharded channels. Needs the package `@redis/client`.
 */
export function redis(...urls: string[]): Cluster {
  if (!urls.every(isRedisUrl) || urls.length === 0)
    throw new TypeError('a Redis is named by a redis:// or rediss:// URL')
  return {
    async join(entry, { onMessage, onConnected, onDisconnected }) {
      const channel = channelOf(entry.node)
      const connection = await connectToRedis(urls, { channel, onMessage, onConnected, onDisconnected })
      return new RedisLink(connection, entry.node, JSON.stringify(entry))
    },
  }
}

class RedisLink implements ClusterLink {
  readonly #redis: RedisConnection
  readonly #node: string
  readonly #entry: string
  readonly #entryKeys: readonly [string, string]

  constructor(connection: RedisConnection, node: string, entry: string) {
    this.#redis = connection
    this.#node = node
    this.#entry = entry
    this.#entryKeys = [`${protocolName}:{nodes}:${node}`, `${protocolName}:{nodes}`]
  }

  async beat(lifeMs: number): Promise<{ wasKnown: boolean; nodes: number }> {
    const answer = await this.#redis.run(beatScript, this.#entryKeys, [
      this.#node,
      this.#entry,
      String(lifeMs),
    ])
    const [known, nodes] = numbersFrom(answer)
    // Nothing says so when a subscription is lost where the connection is not: hearing oneself does.
    if (!(await this.tell(this.#node, ''))) {
      await this.#redis.subscribe()
      if (!(await this.tell(this.#node, ''))) throw new Error('nobody hears what is said to this node')
    }
    return { wasKnown: known === 1, nodes: nodes ?? 1 }
  }

  async claim(claims: readonly Claim[], lifeMs: number): Promise<Claimed[]> {
    const values = claims.flatMap(({ epoch, ageMs, isFirst }) => [
      String(epoch),
      String(Math.floor(ageMs * 1000)),
      isFirst ? '1' : '0',
    ])
    const keys = claims.map(({ key }) => registerKey(key))
    const answer = await this.#redis.run(claimScript, keys, [this.#node, String(lifeMs), ...values])
    const texts = Array.isArray(answer) ? answer.map(String) : []
    return claims.map((_claim, index) => claimedFrom(texts[2 * index], texts[2 * index + 1]))
  }

  async release(keys: readonly string[]): Promise<void> {
    await this.#redis.run(releaseScript, keys.map(registerKey), [this.#node])
  }

  async locate(key: string): Promise<string | undefined> {
    const held = await this.#redis.get(registerKey(key))
    return typeof held === 'string' ? /^\d+ ([\w-]{22})$/.exec(held)?.[1] : undefined
  }

  async keep(records: readonly SharedRecord[]): Promise<(Bytes | undefined)[]> {
    const nowMs = Date.now()
    const values = records.flatMap(({ key, bytes, record }) => [
      key,
      String(record.sequence),
      String(record.expiresAtMs),
      // As long as an older one could be shown again.
      String(Math.max(1, record.expiresAtMs + limits.record.skewMs - nowMs)),
      record.listed && record.addresses.length > 0 ? '1' : '0',
      toBase64Url(bytes),
    ])
    const keys = records.map(({ key }) => recordKey(key))
    const answer = await this.#redis.run(
      keepScript,
      [toldKey, listedKey, ...keys],
      [recordKey(''), String(sharedRecords), ...values],
    )
    return Array.isArray(answer) ? answer.map((text) => recordFrom(String(text))) : []
  }

  async record(key: string): Promise<Bytes | undefined> {
    const kept = await this.#redis.get(recordKey(key))
    return typeof kept === 'string' ? recordFrom(kept.split(' ')[2] ?? '') : undefined
  }

  async listed(after: string, count: number, unixNowMs: number): Promise<Bytes[]> {
    const from = after === '' ? '-' : `(${after}`
    const values = [recordKey(''), from, String(count), String(unixNowMs)]
    const answer = await this.#redis.run(listScript, [listedKey], values)
    const records = Array.isArray(answer) ? answer.map((text) => recordFrom(String(text))) : []
    return records.filter((record) => record !== undefined)
  }

  async tell(node: string, text: string): Promise<boolean> {
    return (await this.#redis.publish(channelOf(node), text)) > 0
  }

  async leave(): Promise<void> {
    await this.#redis.run(leaveScript, this.#entryKeys, [this.#node])
  }

  close(): void {
    this.#redis.close()
  }
}

function isRedisUrl(url: string): boolean {
  return URL.canParse(url) && ['redis:', 'rediss:'].includes(new URL(url).protocol)
}

/** Keys of one shard are on one server, so that a batch of them is one command. */
function registerKey(key: string): string {
  return `${protocolName}:{${shardOf(key)}}:${key}`
}

/** Records are on one server, so that their number is known, and a page of them is one command. */
function recordKey(key: string): string {
  return `${protocolName}:{records}:of:${key}`
}

/** When each was told. */
const toldKey = `${protocolName}:{records}:told`
/** Those that are listed, in the order of their keys. */
const listedKey = `${protocolName}:{records}:listed`

/** Whatever else somebody wrote there is no record. */
function recordFrom(text: string): Bytes | undefined {
  return text === '' || text.length > 2 * limits.record.bytes ? undefined : (fromBase64Url(text) ?? undefined)
}

function channelOf(node: string): string {
  return `${protocolName}:to:${node}`
}

function claimedFrom(epoch: string | undefined, node: string | undefined): Claimed {
  if (epoch === undefined || node === undefined) throw new Error('Redis left a claim without an answer')
  if (epoch === '') return { kind: 'lost', to: node }
  return { kind: 'held', epoch: Number(epoch), before: node === '' ? undefined : node }
}

function numbersFrom(answer: unknown): number[] {
  return Array.isArray(answer) ? answer.map(Number) : []
}
