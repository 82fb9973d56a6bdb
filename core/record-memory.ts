import { copy, equalBytes } from './bytes.ts'
import { limits } from './limits.ts'
import type { PeerRecord } from './record.ts'
import type { Bytes } from './types.ts'

/** A record as it was signed, and what it says. */
export interface KnownRecord {
  readonly bytes: Bytes
  readonly record: PeerRecord
}

export interface RecordMemoryOptions {
  /** How many are remembered. @default 10000 */
  keys?: number | undefined
  /** Whether the record of a name must not be forgotten to make room for another. @default none is */
  isInUse?: ((name: string) => boolean) | undefined
}

/**
 * The newest record of each key that was seen, so that none is taken back: whoever carries records could otherwise
 * show an older one, which is signed as well. For records that were checked already (`readRecord`).
 *
 * One is forgotten when neither it nor an older one of its key would pass that check any more, or when there is no
 * room; then the one that came longest ago goes. Times are Unix times.
 */
export class RecordMemory {
  readonly #keys: number
  readonly #isInUse: (name: string) => boolean
  /** The one that came longest ago first. */
  readonly #known = new Map<string, KnownRecord & { readonly untilMs: number }>()
  /** Before it nothing has expired: to look for that costs a look at all of them. */
  #nextExpiryMs = Infinity

  constructor(options: RecordMemoryOptions = {}) {
    this.#keys = options.keys ?? limits.record.keys
    this.#isInUse = options.isInUse ?? (() => false)
  }

  get size(): number {
    return this.#known.size
  }

  /**
   * Remembers a record under `name`, which stands for its key. False when a newer one, or another with the same
   * sequence, is known; `get` gives that. The same bytes may come again.
   */
  take(name: string, { bytes, record }: KnownRecord, nowMs: number): boolean {
    const known = this.get(name, nowMs)
    if (known !== undefined && record.sequence <= known.record.sequence) return equalBytes(bytes, known.bytes)
    if (known === undefined && this.#known.size >= this.#keys) this.#makeRoom(nowMs)
    const expiredAtMs = record.expiresAtMs + limits.record.skewMs
    const untilMs = Math.max(expiredAtMs, this.#known.get(name)?.untilMs ?? 0)
    this.#known.delete(name)
    this.#known.set(name, { bytes: copy(bytes), record, untilMs })
    this.#nextExpiryMs = Math.min(this.#nextExpiryMs, untilMs)
    return true
  }

  /** The newest record under `name`, as long as one of its key could still be taken back. */
  get(name: string, nowMs: number): KnownRecord | undefined {
    const known = this.#known.get(name)
    if (known === undefined || nowMs <= known.untilMs) return known
    this.#known.delete(name)
    return undefined
  }

  names(): IterableIterator<string> {
    return this.#known.keys()
  }

  #makeRoom(nowMs: number): void {
    if (nowMs > this.#nextExpiryMs) this.#forgetExpired(nowMs)
    if (this.#known.size < this.#keys) return
    const oldest = this.#oldestNotInUse() ?? this.names().next().value
    if (oldest !== undefined) this.#known.delete(oldest)
  }

  #forgetExpired(nowMs: number): void {
    this.#nextExpiryMs = Infinity
    for (const [name, { untilMs }] of this.#known) {
      if (nowMs > untilMs) this.#known.delete(name)
      else this.#nextExpiryMs = Math.min(this.#nextExpiryMs, untilMs)
    }
  }

  #oldestNotInUse(): string | undefined {
    for (const name of this.names()) if (!this.#isInUse(name)) return name
    return undefined
  }
}
