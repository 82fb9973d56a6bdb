import { randomBytes } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { withDeadline } from '../../core/deadline.ts'
import { MultiserverError } from '../../core/errors.ts'
import type { ClusterEffect } from '../hub-effects.ts'
import { canonicalNames } from '../names.ts'
import { type AnnouncementBatch, Announcements } from './announcements.ts'
import { type Cluster, type ClusterLink, type ClusterTimes, defaultClusterTimes, shards } from './cluster.ts'
import { type ClusterRequest, decodeClusterMessage, encodeClusterMessage } from './cluster-protocol.ts'
import type { ClusterEvent } from './crossings.ts'

export interface ClusterNodeOptions {
  /** Where peers reach this very hub. */
  url?: string | undefined
  times?: Partial<ClusterTimes> | undefined
  /** Never called from within `do`. */
  tell: (event: ClusterEvent) => void
  log: { info(message: string): void; warn(message: string): void }
}

/** What waits for the register or the bus: more than this, and the bus is too slow to be of use. */
const maxWaiting = 10_000
const maxWaitingBytes = 16 * 1024 * 1024

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
  #link: ClusterLink | undefined
  #isConnected = false
  #isJoined = false
  #isBeating = false
  #isAnnouncing = false
  #isClosed = false
  #waiting = 0
  #waitingBytes = 0
  #shard = 0
  #nodes = 1
  #timers: NodeJS.Timeout[] = []
  #idle: (() => void)[] = []

  constructor(options: ClusterNodeOptions) {
    this.#options = options
    this.#times = { ...defaultClusterTimes, ...options.times }
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
      case 'locate':
        return void this.#locate(effect.key)
      case 'tell':
        return void this.#send(effect.node, effect.message)
    }
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
    if (!this.#isJoined || !wasKnown) this.#announcements.renewAll()
    if (!this.#isJoined) {
      this.#isJoined = true
      this.#options.log.info(`this hub has joined its cluster`)
      this.#options.tell({ kind: 'joined' })
    }
    this.#announceSoon()
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
      for (let batch = this.#nextBatch(); batch !== undefined; batch = this.#nextBatch()) {
        await this.#claim(batch)
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

  #announced(): Promise<void> {
    this.#announceSoon()
    return this.#isAnnouncing ? new Promise((resolve) => this.#idle.push(resolve)) : Promise.resolve()
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

  /** Asks at once, so that order is kept; rejects when it takes too long, or when too much waits already. */
  async #ask<T>(question: (link: ClusterLink) => Promise<T>, bytes = 0): Promise<T> {
    if (this.#link === undefined) throw new MultiserverError('HUB_LOST', 'the cluster is away')
    if (this.#waiting >= maxWaiting || this.#waitingBytes + bytes > maxWaitingBytes) {
      throw new MultiserverError('BUSY', 'too much waits for the cluster')
    }
    this.#waiting += 1
    this.#waitingBytes += bytes
    const late = () => new MultiserverError('TIMEOUT', 'the cluster did not answer in time')
    try {
      return await withDeadline(question(this.#link), this.#times.deadlineMs, late)
    } finally {
      this.#waiting -= 1
      this.#waitingBytes -= bytes
    }
  }
}
