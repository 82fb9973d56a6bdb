import { expect, vi } from 'vitest'
import { toBase64Url } from '../../core/bytes.ts'
import type { Cluster, ClusterLink } from '../../signal-server/cluster/cluster.ts'
import { type RunningHub, startHub, type StartHubOptions } from '../../signal-server/index.ts'
import type { Bytes } from '../../core/types.ts'
import type { Keys } from '../../plugs/keys.ts'
import { registerWith } from '../support/records.ts'
import { HubClient, newId, type TestKeys } from './hub-client.ts'

/** A hub of a cluster, in this process, and everything that arrived in its channel. */
export interface ClusterHub extends RunningHub {
  readonly heard: string[]
  /** Resolves when the register has next answered a claim of `key`, held or lost. */
  claimed(key: string): Promise<void>
  /** The same, of a record of `key`. */
  shared(key: string): Promise<void>
}

export interface Readiness {
  ready: boolean
  degraded?: string[]
}

/** A client that has been introduced. */
export interface Introduced {
  readonly client: HubClient
  readonly id: string
}

/** Peers from one address would be limited otherwise. */
const unlimited = { exemptLoopback: true }

/** The name that registrations are signed for, wherever they are made. */
export const sharedName = 'ws://hub.test'

/** What a test has started, to be ended after it. */
export class ClusterNodes {
  readonly #hubs: RunningHub[] = []
  readonly #clients: HubClient[] = []

  /** Started and joined. */
  async start(cluster: Cluster, options: StartHubOptions = {}): Promise<ClusterHub> {
    const heard: string[] = []
    const waiting = new Map<string, () => void>()
    const tapped = tap(
      cluster,
      (text) => heard.push(text),
      (what) => waiting.get(what)?.(),
    )
    const hub = await startHub({ ...unlimited, hubNames: [sharedName], cluster: tapped, ...options })
    this.#hubs.push(hub)
    await untilJoined(hub, true)
    const when = (what: string) => new Promise<void>((resolve) => waiting.set(what, resolve))
    return {
      ...hub,
      heard,
      claimed: (key) => when(`claim ${key}`),
      shared: (key) => when(`record ${key}`),
    }
  }

  connect(url: string): HubClient {
    const client = new HubClient(url)
    this.#clients.push(client)
    return client
  }

  /** A peer that the other nodes can find. */
  async register(hub: ClusterHub, keys: TestKeys): Promise<HubClient> {
    const claimed = hub.claimed(toBase64Url(keys.key))
    const client = await this.registerAlone(hub, keys)
    await claimed
    return client
  }

  /** A peer that the other nodes may not know of yet. */
  async registerAlone({ url }: { url: string }, keys: TestKeys): Promise<HubClient> {
    const client = this.connect(url)
    await client.register(keys, sharedName)
    return client
  }

  /** A peer whose record the other nodes can find. */
  async publish(hub: ClusterHub, keys: Keys, record: Bytes): Promise<HubClient> {
    const shared = hub.shared(toBase64Url(keys.publicKey))
    const client = this.connect(hub.url)
    await registerWith(client, { hubName: sharedName }, keys, record)
    await shared
    return client
  }

  /** A client that has been welcomed. */
  async client({ url }: { url: string }): Promise<HubClient> {
    const client = this.connect(url)
    await client.next('welcome')
    return client
  }

  /**
   * Asks at `hub` until the peer can be reached. Each time anew: a client that is not introduced is sent away after
   * a few seconds.
   */
  introduceSoon(hub: { url: string }, server: HubClient, { key }: TestKeys): Promise<Introduced> {
    return vi.waitFor(
      async () => {
        const client = await this.client(hub)
        const id = newId()
        client.send({ type: 'introduce', id, to: key })
        const answer = await client.nextOf('introduced', 'error')
        if (answer.type === 'error') throw new Error(answer.code)
        expect((await server.next('incoming')).id).toBe(id)
        return { client, id }
      },
      { timeout: 20_000, interval: 100 },
    )
  }

  async close(): Promise<void> {
    await Promise.all(this.#hubs.splice(0).map((hub) => hub.close()))
    for (const client of this.#clients.splice(0)) {
      client.socket.terminate()
      await client.closed
    }
  }
}

/** The same cluster, with somebody who sees what arrives and what was claimed. */
function tap(cluster: Cluster, onHeard: (text: string) => void, onSettled: (what: string) => void): Cluster {
  return {
    async join(entry, listener) {
      const link = await cluster.join(entry, {
        ...listener,
        onMessage(text) {
          // A node says nothing to itself to see whether it is heard.
          if (text !== '') onHeard(text)
          listener.onMessage(text)
        },
      })
      const tapped: ClusterLink = {
        beat: (lifeMs) => link.beat(lifeMs),
        async claim(claims, lifeMs) {
          const claimed = await link.claim(claims, lifeMs)
          for (const { key } of claims) onSettled(`claim ${key}`)
          return claimed
        },
        release: (keys) => link.release(keys),
        locate: (key) => link.locate(key),
        async keep(records) {
          const kept = await link.keep(records)
          for (const { key } of records) onSettled(`record ${key}`)
          return kept
        },
        record: (key) => link.record(key),
        listed: (after, count, unixNowMs) => link.listed(after, count, unixNowMs),
        tell: (node, text) => link.tell(node, text),
        leave: () => link.leave(),
        close: () => link.close(),
      }
      return tapped
    },
  }
}

/** The record that a hub shows of a key, undefined when it has none. */
export async function recordAt({ url }: { url: string }, { publicKey }: Keys): Promise<Bytes | undefined> {
  const response = await fetch(`${url.replace('ws', 'http')}/peers/${toBase64Url(publicKey)}`)
  return response.status === 200 ? new Uint8Array(await response.arrayBuffer()) : undefined
}

export async function readiness({ app }: RunningHub): Promise<Readiness> {
  const { payload } = await app.inject({ url: '/readyz', headers: { host: 'localhost' } })
  return JSON.parse(payload) as Readiness
}

export async function untilJoined(hub: RunningHub, isJoined: boolean): Promise<void> {
  const degraded = isJoined ? undefined : ['cluster']
  await vi.waitFor(async () => expect((await readiness(hub)).degraded).toEqual(degraded), { timeout: 20_000 })
}

/** Introduces `client` to `key`; its id once both ends know of it. */
export async function introduce(client: HubClient, server: HubClient, { key }: TestKeys): Promise<string> {
  const id = newId()
  client.send({ type: 'introduce', id, to: key })
  expect((await client.next('introduced')).id).toBe(id)
  expect((await server.next('incoming')).id).toBe(id)
  return id
}
