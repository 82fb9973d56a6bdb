import type { Bytes } from './types.ts'

/**
 * Buffers of one size to be used again. V8 counts what it has outside of its heap: who makes one for each batch of a
 * fast stream has it collecting all the time.
 */
export class BufferPool {
  readonly bufferBytes: number
  readonly #keptBuffers: number
  readonly #free: Bytes[] = []

  /** Keeps at most `keptBuffers` that nobody uses. */
  constructor(bufferBytes: number, keptBuffers: number) {
    this.bufferBytes = bufferBytes
    this.#keptBuffers = keptBuffers
  }

  /** One that belongs to the caller, with anything in it. */
  take(): Bytes {
    return this.#free.pop() ?? new Uint8Array(this.bufferBytes)
  }

  /** Gives one back that nobody else has any more. */
  give(buffer: Bytes): void {
    if (this.#free.length < this.#keptBuffers) this.#free.push(buffer)
  }
}
