import type { Bytes } from '../../core/types.ts'

const noBytes: Bytes = new Uint8Array(0)

/** Cuts chunks, which come as the transport gives them, into units of known sizes. */
export class UnitCutter {
  readonly #largestBytes: number
  /** The beginning of a unit whose rest has not come; most connections are idle and have none. */
  #partial: Bytes | undefined
  #partialBytes = 0
  #chunk: Bytes = noBytes
  #at = 0

  /** @param largestBytes of a unit */
  constructor(largestBytes: number) {
    this.#largestBytes = largestBytes
  }

  /** Bytes that are here. */
  get available(): number {
    return this.#partialBytes + this.#chunk.length - this.#at
  }

  /** The next chunk; to be given when `take` has answered null. */
  push(chunk: Bytes): void {
    this.#chunk = chunk
    this.#at = 0
  }

  /** The next `bytes` in one piece, to be used before the next call; null, and all that is here kept, without them. */
  take(bytes: number): Bytes | null {
    const missing = bytes - this.#partialBytes
    if (this.#chunk.length - this.#at < missing) {
      this.#keepRest()
      return null
    }
    const rest = this.#chunk.subarray(this.#at, this.#at + missing)
    this.#at += missing
    if (this.#partial === undefined || this.#partialBytes === 0) return rest
    this.#partial.set(rest, this.#partialBytes)
    this.#partialBytes = 0
    return this.#partial.subarray(0, bytes)
  }

  /** Moves what is left of the chunk to where the rest of its unit will join it. */
  #keepRest(): void {
    const rest = this.#chunk.subarray(this.#at)
    if (this.#partialBytes + rest.length === 0) this.#partial = undefined
    else {
      this.#partial ??= new Uint8Array(this.#largestBytes)
      this.#partial.set(rest, this.#partialBytes)
      this.#partialBytes += rest.length
    }
    this.push(noBytes)
  }
}
