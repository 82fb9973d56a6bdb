import type { Bytes } from '../../core/types.ts'

const noBytes: Bytes = new Uint8Array(0)

/** Cuts chunks, which come as the transport gives them, into units of known sizes. */
export class UnitCutter {
  /** A unit that lies across chunks, in memory of its own; most connections are idle and have none. */
  #cut: Bytes | undefined
  /** How much of it is here. */
  #cutBytes = 0
  #chunk: Bytes = noBytes
  #at = 0

  /** The next chunk; to be given when `take` has answered null. */
  push(chunk: Bytes): void {
    this.#chunk = chunk
    this.#at = 0
  }

  /**
   * The next `bytes` in one piece: a part of the chunk, or memory that belongs to the caller where it was cut. Null, and all
   * that is here kept, without them; the same number is to be asked for again then.
   */
  take(bytes: number): Bytes | null {
    if (this.#cut === undefined) {
      const end = this.#at + bytes
      if (end > this.#chunk.length) return this.#keepRest(bytes)
      const unit = this.#chunk.subarray(this.#at, end)
      this.#at = end
      return unit
    }
    const cut = this.#cut
    const rest = this.#chunk.subarray(this.#at, this.#at + bytes - this.#cutBytes)
    cut.set(rest, this.#cutBytes)
    this.#cutBytes += rest.length
    this.#at += rest.length
    if (this.#cutBytes < bytes) {
      this.push(noBytes)
      return null
    }
    this.#cut = undefined
    return cut
  }

  /** Moves what is left of the chunk to where the rest of its unit will join it. */
  #keepRest(bytes: number): null {
    const rest = this.#chunk.subarray(this.#at)
    this.push(noBytes)
    if (rest.length === 0) return null
    this.#cut = new Uint8Array(bytes)
    this.#cut.set(rest)
    this.#cutBytes = rest.length
    return null
  }
}
