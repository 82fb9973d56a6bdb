import { randomBytes } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { MultiserverError } from '../../core/errors.ts'
import type { Bytes } from '../../core/types.ts'
import type { ClusterEffect } from '../hub-effects.ts'
import { canonicalNames } from '../names.ts'
import { type AnnouncementBatch, Announcements } from './announcements.ts'
import { type Cluster, type ClusterLink, type ClusterTimes, defaultClusterTimes, shards } from './cluster.ts'
import { type ClusterRequest, decodeClusterMessage, encodeClusterMessage } from './cluster-protocol.ts'
import type { ClusterEvent } from './crossings.ts'
import { Questions } from './questions.ts'
import { type SharedRecord, Sharing } from './sharing.ts'

export interface ClusterNodeOptions {
  /** Where peers reach this very hub. */
  url?: string | undefined
  times?: Partial<ClusterTimes> | undefined
  /** All that were published here, and how many those can be. */
  records?: { all: () => Iterable<SharedRecord>; most: number } | undefined
  /** Never called from within `do`. */
  tell: (event: ClusterEvent) => void
  log: { info(message: string): void; warn(message: string): void }
}

/**
 * One hub in its cluster: does what the hub wants of it, and tells it what happens there. A register that is
 * slow, or away, holds nothing up: whatever is asked of it has a deadline, and what waits is bounded.
 */
export class ClusterNode {
  /** What other nodes know it by. */
  readonly name = randomBytes(16).toString('base64url')
  readonly #options: ClusterNodeOptions
  readonly #times: ClusterTimes
  readonly #announcements = new Announcements()
  readonly #sharing: Sharing
  readonly #questions: Questions
  #link: ClusterLink | undefined
  #isConnected = false
  #isJoined = false
  #isBeating = false
  #isAnnouncing = false
  #isClosed = false
  #shard = 0
  #nodes = 1
  #timers: NodeJS.Timeout[] = []
  #idle: (() => void)[] = []

  constructor(options: ClusterNodeOptions) {
    this.#options = options
    this.#times = { ...defaultClusterTimes, ...options.times }
    this.#sharing = new Sharing(options.records?.most ?? 0)
    this.#questions = new Questions(this.#times.deadlineMs)
  }

  /** Whether other nodes can be reached. */
  get isJoined(): boolean {
    return this.#isJoined
  }

  /** How many nodes there were at the last beat, this one among them. */
  get nodes(): number {
    return this.#isJoined ? this.#nodes : 1
  }

  async start(cluster: Cluster): Promise<void> {
    const { url, log } = this.#options
    const [canonical] = canonicalNames(url === undefined ? [] : [url])
    const link = await cluster.join(
      { node: this.name, url: canonical },
      {
        onMessage: (text) => this.#receive(text),
        onConnected: () => {
          this.#isConnected = true
          void this.#beat()
        },
        onDisconnected: (reason) => {
          this.#isConnected = false
          this.#leave(reason)
        },
      },
    )
    if (this.#isClosed) return link.close()
    this.#link = link
    log.info(`this hub is node ${this.name} of its cluster`)
    if (this.#isConnected) void this.#beat()
    this.#timers = [
      setInterval(() => void this.#beat(), this.#times.beatMs),
      setInterval(() => this.#renew(), this.#times.claimMs / shards),
    ]
  }

  do(effect: ClusterEffect): void {
    switch (effect.kind) {
      case 'announce':
        this.#announcements.announce(effect.key, performance.now())
        return this.#announceSoon()
      case 'withdraw':
        this.#announcements.withdraw(effect.key)
        return this.#announceSoon()
      case 'share':
        this.#sharing.add(effect.shared)
        return this.#announceSoon()
      case 'locate':
        return void this.#locate(effect.key)
      case 'tell':
        return void this.#send(effect.node, effect.message)
    }
  }

  /** The newest record of `key` in the cluster. Undefined also when that can't be found out. */
  async findRecord(key: string): Promise<Bytes | undefined> {
    return this.#askIfJoined((link) => link.record(key))
  }

  /** A page of those that are listed; undefined when the cluster is away. */
  async listRecords(after: string, count: number): Promise<Bytes[] | undefined> {
    return this.#askIfJoined((link) => link.listed(after, count, Date.now()))
  }

  /** Gives up the keys that were withdrawn, and leaves. Resolves within two deadlines. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const timer of this.#timers) clearInterval(timer)
    try {
      if (this.#isJoined) await this.#ask(() => this.#announced())
      if (this.#isJoined) await this.#ask((link) => link.leave())
    } catch (error) {
      this.#options.log.warn(`this hub left its cluster in a hurry: ${String(error)}`)
    }
    this.#isJoined = false
    this.#link?.close()
    this.#link = undefined
  }

  /** The register knows this node, and somebody passes on what is said to it: that is what joined means. */
  async #beat(): Promise<void> {
    const link = this.#link
    if (link === undefined || !this.#isConnected || this.#isBeating || this.#isClosed) return
    this.#isBeating = true
    try {
      const { wasKnown, nodes } = await this.#ask(() => link.beat(this.#times.beatMs * 3))
      this.#nodes = nodes
      if (this.#isConnected) this.#enter(wasKnown)
    } catch (error) {
      this.#leave(String(error))
    } finally {
      this.#isBeating = false
    }
  }

  #enter(wasKnown: boolean): void {
    if (!this.#isJoined || !wasKnown) this.#renewAll()
    if (!this.#isJoined) {
      this.#isJoined = true
      this.#options.log.info(`this hub has joined its cluster`)
      this.#options.tell({ kind: 'joined' })
    }
    this.#sharing.resume()
    this.#announceSoon()
  }

  #renewAll(): void {
    this.#announcements.renewAll()
    for (const shared of this.#options.records?.all() ?? []) this.#sharing.add(shared)
  }

  #leave(reason: string): void {
    if (!this.#isJoined || this.#isClosed) return
    this.#isJoined = false
    this.#options.log.warn(`this hub has lost its cluster: ${reason}`)
    this.#options.tell({ kind: 'lost' })
  }

  #renew(): void {
    this.#shard = (this.#shard + 1) % shards
    this.#announcements.renew(this.#shard)
    this.#announceSoon()
  }

  #receive(text: string): void {
    const message = decodeClusterMessage(text)
    if (message === undefined || !this.#isJoined || message.from === this.name) return
    if (message.type !== 'look') return this.#options.tell({ kind: 'told', message })
    this.#announcements.look(message.key)
    this.#announceSoon()
  }

  /** What comes in one turn goes out together. */
  #announceSoon(): void {
    if (this.#isAnnouncing || !this.#isJoined) return
    this.#isAnnouncing = true
    queueMicrotask(() => void this.#announce())
  }

  /** One batch after the other, as fast as the register takes them. After a failure the next beat tries again. */
  async #announce(): Promise<void> {
    try {
      for (;;) {
        const batch = this.#nextBatch()
        const records = batch === undefined && this.#isJoined ? this.#sharing.take() : []
        if (batch !== undefined) await this.#claim(batch)
        else if (records.length > 0) await this.#share(records)
        else break
      }
    } catch (error) {
      if (this.#isJoined) this.#options.log.warn(`keys could not be announced: ${String(error)}`)
    } finally {
      this.#isAnnouncing = false
      for (const resolve of this.#idle.splice(0)) resolve()
    }
  }

  #nextBatch(): AnnouncementBatch | undefined {
    return this.#isJoined ? this.#announcements.take(performance.now()) : undefined
  }

  async #claim(batch: AnnouncementBatch): Promise<void> {
    const { claims, releases } = batch
    try {
      if (releases.length > 0) await this.#ask((link) => link.release(releases))
      const { lifeMs } = this.#times
      const claimed = claims.length > 0 ? await this.#ask((link) => link.claim(claims, lifeMs)) : []
      const { lost, beaten } = this.#announcements.settle(claimed)
      for (const key of lost) this.#options.tell({ kind: 'superseded', key })
      for (const { node, key } of beaten) void this.#send(node, { type: 'look', key })
    } catch (error) {
      this.#announcements.fail(batch)
      throw error
    }
  }

  /** Keys do not wait for records that are not taken. */
  async #share(records: readonly SharedRecord[]): Promise<void> {
    try {
      const newer = await this.#ask((link) => link.keep(records), sizeOf(records))
      for (const [index, bytes] of newer.entries()) {
        const key = records[index]?.key
        if (key !== undefined && bytes !== undefined) this.#options.tell({ kind: 'outdated', key, bytes })
      }
    } catch (error) {
      this.#sharing.fail(records)
      this.#options.log.warn(`records could not be shared: ${String(error)}`)
    }
  }

  #announced(): Promise<void> {
    this.#announceSoon()
    return this.#isAnnouncing ? new Promise((resolve) => this.#idle.push(resolve)) : Promise.resolve()
  }

  async #askIfJoined<T>(question: (link: ClusterLink) => Promise<T>): Promise<T | undefined> {
    try {
      return this.#isJoined ? await this.#ask(question) : undefined
    } catch {
      return undefined
    }
  }

  async #locate(key: string): Promise<void> {
    try {
      const node = await this.#ask((link) => link.locate(key))
      this.#options.tell({ kind: 'located', key, node })
    } catch {
      this.#options.tell({ kind: 'unlocated', key })
    }
  }

  async #send(node: string, message: ClusterRequest): Promise<void> {
    const text = encodeClusterMessage(this.name, message)
    try {
      const isHeard = await this.#ask((link) => link.tell(node, text), text.length)
      if (!isHeard) this.#options.tell({ kind: 'deaf', node })
    } catch {
      this.#options.tell({ kind: 'untold', node, message })
    }
  }

  /** See Questions. */
  async #ask<T>(question: (link: ClusterLink) => Promise<T>, bytes = 0): Promise<T> {
    const link = this.#link
    if (link === undefined) throw new MultiserverError('HUB_LOST', 'the cluster is away')
    return this.#questions.ask(() => question(link), bytes)
  }
}

function sizeOf(records: readonly SharedRecord[]): number {
  return records.reduce((sum, { bytes }) => sum + bytes.length, 0)
}
