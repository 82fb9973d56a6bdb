import { type KnownRecord, RecordMemory } from '../core/record-memory.ts'
import { limits } from '../core/limits.ts'
import type { PeerRecord } from '../core/record.ts'
import type { Bytes } from '../core/types.ts'

/** What became of a record: it is kept (or was already), or a newer one is there. */
export type Kept = { kind: 'kept' } | { kind: 'stale'; stored: Bytes }

/** The records of a hub by their keys as base64url. They have been checked; times are Unix times. */
export interface RecordStore extends RecordReader {
  put(key: string, bytes: Bytes, record: PeerRecord, nowMs: number): Kept
  /** Whether or not it is in force: none that is older will be. */
  newest(key: string, nowMs: number): KnownRecord | undefined
}

/** What is shown of them, which may be asked for elsewhere first. */
export interface RecordReader {
  /** The record that is in force: neither expired nor withdrawn. */
  find(key: string, nowMs: number): Bytes | undefined | Promise<Bytes | undefined>
  /** Of those in force with the listed flag, the next after a key, in the order of the keys: a page at most. */
  list(after: string, nowMs: number): readonly Bytes[] | Promise<readonly Bytes[]>
}

export interface RecordsOptions {
  /** How many keys are remembered. */
  keys: number
  /** Whether the peer with a key is here: its record does not make room for another. */
  isHere: (key: string) => boolean
}

/** The records of one process, in memory. */
export class Records implements RecordStore {
  readonly #memory: RecordMemory
  /** The keys of all records in order, until one is added. */
  #sorted: string[] | undefined

  constructor({ keys, isHere }: RecordsOptions) {
    this.#memory = new RecordMemory({ keys, isInUse: isHere })
  }

  /** How many keys are remembered, those of expired and withdrawn records among them. */
  get size(): number {
    return this.#memory.size
  }

  put(key: string, bytes: Bytes, record: PeerRecord, nowMs: number): Kept {
    if (this.#memory.get(key, nowMs) === undefined) this.#sorted = undefined
    if (this.#memory.take(key, { bytes, record }, nowMs)) return { kind: 'kept' }
    return { kind: 'stale', stored: this.#memory.get(key, nowMs)?.bytes ?? bytes }
  }

  /** All that are known, whether or not in force. */
  *all(nowMs: number): Generator<{ key: string } & KnownRecord> {
    for (const key of this.#memory.names()) {
      const known = this.newest(key, nowMs)
      if (known !== undefined) yield { key, ...known }
    }
  }

  newest(key: string, nowMs: number): KnownRecord | undefined {
    return this.#memory.get(key, nowMs)
  }

  find(key: string, nowMs: number): Bytes | undefined {
    return this.#inForce(key, nowMs)?.bytes
  }

  list(after: string, nowMs: number): Bytes[] {
    this.#sorted ??= [...this.#memory.names()].toSorted()
    const page: Bytes[] = []
    for (let at = firstAfter(this.#sorted, after); at < this.#sorted.length; at += 1) {
      const known = this.#inForce(this.#sorted[at] ?? '', nowMs)
      if (known?.record.listed === true) page.push(known.bytes)
      if (page.length === limits.record.perPage) break
    }
    return page
  }

  #inForce(key: string, nowMs: number): KnownRecord | undefined {
    const known = this.newest(key, nowMs)
    return known !== undefined && isInForce(known.record, nowMs) ? known : undefined
  }
}

/** Neither expired nor withdrawn. */
export function isInForce({ expiresAtMs, addresses }: PeerRecord, nowMs: number): boolean {
  return expiresAtMs > nowMs && addresses.length > 0
}

/** The index of the first of `sorted` that is greater than `after`. */
function firstAfter(sorted: readonly string[], after: string): number {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((sorted[middle] ?? '') > after) high = middle
    else low = middle + 1
  }
  return low
}
