/** Something that is to happen at a time, unless it is cancelled first. */
export interface Alarm {
  readonly atMs: number
  cancel(): void
}

/** Alarms for a clock that is passed in: a binary heap, equal times in the order in which they were set. */
export class Alarms {
  #heap: Entry[] = []
  #set = 0
  #cancelled = 0

  set(atMs: number, ring: (nowMs: number) => void): Alarm {
    const entry = new Entry(atMs, this.#set++, ring, this)
    this.#heap.push(entry)
    this.#rise(this.#heap.length - 1)
    return entry
  }

  /** How many are held, the cancelled ones that have not been swept out among them. */
  get size(): number {
    return this.#heap.length
  }

  /** When the next one rings. */
  get nextAtMs(): number | undefined {
    while (this.#heap[0] !== undefined && this.#heap[0].ring === undefined) this.#takeFirst()
    return this.#heap[0]?.atMs
  }

  /** Rings what is due at `nowMs`, also what the rung ones set for then. */
  ring(nowMs: number): void {
    for (let next = this.nextAtMs; next !== undefined && next <= nowMs; next = this.nextAtMs) {
      const entry = this.#takeFirst()
      const ring = entry?.ring
      // From here on a cancel comes too late and must not be counted.
      if (entry !== undefined) entry.ring = undefined
      ring?.(nowMs)
    }
  }

  /** For the entry alone, which has just lost what it would ring. */
  noteCancelled(): void {
    this.#cancelled += 1
    // Cancelled entries go when they come up; when they are the most, all of them go at once.
    if (this.#cancelled < 64 || this.#cancelled * 2 < this.#heap.length) return
    this.#heap = this.#heap.filter((kept) => kept.ring !== undefined).toSorted(compare)
    this.#cancelled = 0
  }

  #takeFirst(): Entry | undefined {
    const first = this.#heap[0]
    const last = this.#heap.pop()
    if (first?.ring === undefined) this.#cancelled -= 1
    if (last !== undefined && last !== first) {
      this.#heap[0] = last
      this.#sink(0)
    }
    return first
  }

  #rise(index: number): void {
    for (let at = index; at > 0;) {
      const parent = (at - 1) >> 1
      if (!this.#isBefore(at, parent)) return
      this.#swap(at, parent)
      at = parent
    }
  }

  #sink(index: number): void {
    for (let at = index; ;) {
      let first = at
      if (this.#isBefore(2 * at + 1, first)) first = 2 * at + 1
      if (this.#isBefore(2 * at + 2, first)) first = 2 * at + 2
      if (first === at) return
      this.#swap(at, first)
      at = first
    }
  }

  #isBefore(a: number, b: number): boolean {
    const [one, other] = [this.#heap[a], this.#heap[b]]
    return one !== undefined && other !== undefined && compare(one, other) < 0
  }

  #swap(a: number, b: number): void {
    const [one, other] = [this.#heap[a], this.#heap[b]]
    if (one === undefined || other === undefined) return
    this.#heap[a] = other
    this.#heap[b] = one
  }
}

/** There are several for each peer: an object with a method costs less than one with a function of its own. */
class Entry implements Alarm {
  readonly atMs: number
  readonly order: number
  ring: ((nowMs: number) => void) | undefined
  readonly #alarms: Alarms

  constructor(atMs: number, order: number, ring: (nowMs: number) => void, alarms: Alarms) {
    this.atMs = atMs
    this.order = order
    this.ring = ring
    this.#alarms = alarms
  }

  cancel(): void {
    if (this.ring === undefined) return
    this.ring = undefined
    this.#alarms.noteCancelled()
  }
}

function compare(a: Entry, b: Entry): number {
  return a.atMs - b.atMs || a.order - b.order
}
