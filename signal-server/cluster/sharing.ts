import type { PeerRecord } from '../../core/record.ts'
import type { Bytes } from '../../core/types.ts'

/** A record that was checked, as hubs that are one keep it together. */
export interface SharedRecord {
  readonly key: string
  readonly bytes: Bytes
  readonly record: PeerRecord
}

/** A quarter of a megabyte at most: claims wait for it meanwhile. */
const batchRecords = 50

/** The records of this node that the cluster is to be told: the newest of each key. Pure, as announcements.ts is. */
export class Sharing {
  readonly #maxWaiting: number
  readonly #waiting = new Map<string, SharedRecord>()
  #isHeldUp = false

  /** `maxWaiting` is how many this node keeps itself; what is over it is told when it is published anew. */
  constructor(maxWaiting: number) {
    this.#maxWaiting = maxWaiting
  }

  add(shared: SharedRecord): void {
    if (this.#waiting.size < this.#maxWaiting || this.#waiting.has(shared.key))
      this.#waiting.set(shared.key, shared)
  }

  take(): SharedRecord[] {
    if (this.#isHeldUp) return []
    const taken = [...this.#waiting.values()].slice(0, batchRecords)
    for (const { key } of taken) this.#waiting.delete(key)
    return taken
  }

  /** They may not have been heard; one that was published meanwhile is newer. Nothing more is taken until `resume`. */
  fail(taken: readonly SharedRecord[]): void {
    this.#isHeldUp = true
    for (const shared of taken) if (!this.#waiting.has(shared.key)) this.add(shared)
  }

  resume(): void {
    this.#isHeldUp = false
  }
}
