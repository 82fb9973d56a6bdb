import { expect } from 'vitest'
import type { Memory } from './measure-memory.mjs'

/** By how much a process grew at most, over all that was measured of it. */
export class MemoryGrowth {
  readonly #before: Memory
  #live = 0
  #resident = 0

  constructor(before: Memory) {
    this.#before = before
  }

  note(now: Memory): void {
    this.#live = Math.max(this.#live, now.liveBytes - this.#before.liveBytes)
    this.#resident = Math.max(this.#resident, now.residentBytes - this.#before.residentBytes)
  }

  /** Whoever kept what is offered would have all of it in both. */
  expectFlat(): void {
    expect(this.#live).toBeLessThan(flatLiveBytes)
    expect(this.#resident).toBeLessThan(flatResidentBytes)
  }
}

const MiB = 1024 * 1024

/** What is offered to somebody who does not read. */
export const offeredBytes = 1024 * MiB

/** The queues and windows of a connection are a few megabytes. */
const flatLiveBytes = 16 * MiB

/**
 * A sixteenth of what is offered. Libraries in C++ show here alone; and so does what is dead and not yet collected, for
 * which V8 takes its time up to 64 MiB, and pages that the allocator keeps: those come and go.
 */
export const flatResidentBytes = offeredBytes / 16
