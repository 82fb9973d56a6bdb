import { BufferPool } from '../../core/buffer-pool.ts'
import type { Bytes } from '../../core/types.ts'

const blockBytes = 64 * 1024
/** Of all sessions; half of what one fast one has unacknowledged at most. */
const blocks = new BufferPool(blockBytes, 32)

/**
 * The bytes of one direction from the first unacknowledged one on, by their offset in the stream.
 * Kept in blocks, so that appending, reading anywhere and forgetting cost no more than the bytes they touch.
 */
export class SendBuffer {
  readonly #blocks: Bytes[] = []
  /** Offset of the first byte of the first block. */
  #origin = 0
  #start = 0
  #end = 0

  /** Offset of the first byte that is still kept. */
  get start(): number {
    return this.#start
  }

  /** Offset behind the last byte: how many were ever appended. */
  get end(): number {
    return this.#end
  }

  get bytes(): number {
    return this.#end - this.#start
  }

  append(chunk: Uint8Array): void {
    let rest = chunk
    while (rest.length > 0) {
      const at = this.#end - this.#origin - (this.#blocks.length - 1) * blockBytes
      const last = this.#blocks.at(-1)
      if (last === undefined || at === blockBytes) {
        if (last === undefined) this.#origin = this.#end
        this.#blocks.push(blocks.take())
        continue
      }
      const part = rest.subarray(0, blockBytes - at)
      last.set(part, at)
      this.#end += part.length
      rest = rest.subarray(part.length)
    }
  }

  /** Copies the bytes from `offset` on into `target`, all of it; they must be kept still. */
  copy(offset: number, target: Uint8Array): void {
    // What else is in a block may be of another session.
    const isKept = offset >= this.#start && offset + target.length <= this.#end
    let filled = 0
    while (filled < target.length) {
      const from = offset + filled - this.#origin
      const block = this.#blocks[Math.floor(from / blockBytes)]
      if (!isKept || block === undefined) throw new RangeError('the bytes are not in the buffer')
      const at = from % blockBytes
      const part = block.subarray(at, at + target.length - filled)
      target.set(part, filled)
      filled += part.length
    }
  }

  /** Forgets everything before `offset`. */
  release(offset: number): void {
    this.#start = Math.max(this.#start, offset)
    const isEmpty = this.#start === this.#end
    const free = isEmpty ? this.#blocks.length : Math.floor((this.#start - this.#origin) / blockBytes)
    for (const block of this.#blocks.splice(0, free)) blocks.give(block)
    this.#origin += free * blockBytes
  }
}
