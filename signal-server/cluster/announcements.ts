import { type Claim, type Claimed, shardOf, shards } from './cluster.ts'

interface Announcement {
  readonly key: string
  readonly provedAtMs: number
  epoch: number
  isFirst: boolean
}

/** Some claims, and what to give up with them; to be settled or failed before the next are taken. */
export interface AnnouncementBatch {
  readonly claims: readonly Claim[]
  readonly releases: readonly string[]
}

/** As many in one batch as the register does in a millisecond or two: others wait for it meanwhile. */
const batchKeys = 200

/** While the register is away, no more keys are remembered to be given up: their life there ends by itself. */
const maxWithdrawn = 10_000

/** What is claimed and given up together. */
interface Shard {
  readonly announcements: Map<string, Announcement>
  readonly due: Set<Announcement>
  readonly withdrawn: Set<string>
}

/**
 * The keys of this node, and which of them the register is to be told about: new ones at once, all of them again
 * before their life there ends. Pure; who owns it does the asking, one batch after the other.
 */
export class Announcements {
  readonly #shards: readonly Shard[] = Array.from({ length: shards }, () => {
    return { announcements: new Map(), due: new Set(), withdrawn: new Set() }
  })
  /** Where the next batch is looked for first, so that no shard waits for another. */
  #next = 0
  #withdrawn = 0
  #taken: readonly Announcement[] = []

  get size(): number {
    return this.#shards.reduce((sum, { announcements }) => sum + announcements.size, 0)
  }

  has(key: string): boolean {
    return this.#of(key).announcements.has(key)
  }

  /** A peer has just proved `key`. One that had it before counts no more. */
  announce(key: string, nowMs: number): void {
    const { announcements, due, withdrawn } = this.#of(key)
    const announcement = { key, provedAtMs: nowMs, epoch: 0, isFirst: true }
    this.#forget(key)
    if (withdrawn.delete(key)) this.#withdrawn -= 1
    announcements.set(key, announcement)
    due.add(announcement)
  }

  /** Its peer is gone. */
  withdraw(key: string): void {
    if (this.#forget(key)) this.#giveUp(key)
  }

  /** Somebody says that `key` is elsewhere. */
  look(key: string): void {
    const { announcements, due } = this.#of(key)
    const announcement = announcements.get(key)
    if (announcement !== undefined) due.add(announcement)
  }

  /** The turn of one shard to be claimed again. */
  renew(shard: number): void {
    const { announcements, due } = this.#shardAt(shard)
    for (const announcement of announcements.values()) due.add(announcement)
  }

  /** The register may know nothing any more. */
  renewAll(): void {
    for (const shard of this.#shards.keys()) this.renew(shard)
  }

  /** The next to ask the register, from one shard, undefined when nothing is due. */
  take(nowMs: number): AnnouncementBatch | undefined {
    for (let tried = 0; tried < shards; tried += 1) {
      const { due, withdrawn } = this.#shardAt(this.#next)
      this.#next += 1
      if (due.size === 0 && withdrawn.size === 0) continue
      const releases = takeFrom(withdrawn)
      this.#withdrawn -= releases.length
      this.#taken = takeFrom(due)
      const claims = this.#taken.map(({ key, epoch, provedAtMs, isFirst }) => {
        return { key, epoch, ageMs: Math.max(0, nowMs - provedAtMs), isFirst }
      })
      for (const announcement of this.#taken) announcement.isFirst = false
      return { claims, releases }
    }
    return undefined
  }

  /** The register has answered the claims of the last batch. The keys that were lost, and who is to look. */
  settle(claimed: readonly Claimed[]): { lost: string[]; beaten: { node: string; key: string }[] } {
    const lost: string[] = []
    const beaten: { node: string; key: string }[] = []
    for (const [index, announcement] of this.#taken.entries()) {
      const result = claimed[index]
      const { key } = announcement
      if (result === undefined) continue
      if (result.kind === 'held' && result.before !== undefined) beaten.push({ node: result.before, key })
      // One that was withdrawn meanwhile is given up in a later batch; a newer one is claimed in it.
      if (!this.#isCurrent(announcement)) continue
      if (result.kind === 'held') announcement.epoch = result.epoch
      else {
        this.#forget(key)
        lost.push(key)
      }
    }
    this.#taken = []
    return { lost, beaten }
  }

  /** The last batch may or may not have been heard: all of it is due again. */
  fail({ releases }: AnnouncementBatch): void {
    for (const announcement of this.#taken) {
      if (this.#isCurrent(announcement)) this.#of(announcement.key).due.add(announcement)
    }
    for (const key of releases) if (!this.has(key)) this.#giveUp(key)
    this.#taken = []
  }

  #isCurrent(announcement: Announcement): boolean {
    return this.#of(announcement.key).announcements.get(announcement.key) === announcement
  }

  #forget(key: string): boolean {
    const { announcements, due } = this.#of(key)
    const announcement = announcements.get(key)
    if (announcement === undefined) return false
    due.delete(announcement)
    return announcements.delete(key)
  }

  #giveUp(key: string): void {
    const { withdrawn } = this.#of(key)
    if (withdrawn.has(key) || this.#withdrawn >= maxWithdrawn) return
    withdrawn.add(key)
    this.#withdrawn += 1
  }

  #of(key: string): Shard {
    return this.#shardAt(shardOf(key))
  }

  #shardAt(number: number): Shard {
    const shard = this.#shards[number % shards]
    if (shard === undefined) throw new RangeError(`there is no shard ${number}`)
    return shard
  }
}

function takeFrom<T>(set: Set<T>): T[] {
  const taken: T[] = []
  for (const item of set) {
    if (taken.length >= batchKeys) break
    taken.push(item)
    set.delete(item)
  }
  return taken
}
