import type { Claim, Claimed } from './cluster.ts'

interface Entry {
  readonly node: string
  readonly epoch: number
  readonly untilMs: number
}

/**
 * Who has which key, within one process. The rules are those of cluster.ts; the scripts in redis-scripts.ts are
 * the same rules again, and a test holds them to this.
 */
export class Register {
  readonly #entries = new Map<string, Entry>()

  /** `nowMs` is of a clock that all nodes share, and may have fractions. */
  claim(node: string, claim: Claim, lifeMs: number, nowMs: number): Claimed {
    const entry = this.#entry(claim.key, nowMs)
    const held = entry?.epoch ?? 0
    const isOthers = entry !== undefined && entry.node !== node
    const nowUs = Math.floor(nowMs * 1000)
    let { epoch } = claim
    if (epoch === 0) {
      // The clock was set back: what is known to be new may not lose to it.
      const isBehind = claim.isFirst && held > nowUs
      epoch = isBehind ? held + 1 : nowUs - Math.floor(claim.ageMs * 1000)
    }
    if (isOthers && epoch <= held) return { kind: 'lost', to: entry.node }
    // What this node holds already may be of a claim whose answer was lost.
    if (!isOthers) epoch = Math.max(epoch, held)
    this.#entries.set(claim.key, { node, epoch, untilMs: nowMs + lifeMs })
    return { kind: 'held', epoch, before: isOthers ? entry.node : undefined }
  }

  release(node: string, key: string, nowMs: number): void {
    if (this.#entry(key, nowMs)?.node === node) this.#entries.delete(key)
  }

  locate(key: string, nowMs: number): string | undefined {
    return this.#entry(key, nowMs)?.node
  }

  clear(): void {
    this.#entries.clear()
  }

  #entry(key: string, nowMs: number): Entry | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined || entry.untilMs > nowMs) return entry
    this.#entries.delete(key)
    return undefined
  }
}
