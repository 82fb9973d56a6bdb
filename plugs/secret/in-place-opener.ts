import type { MultiserverError } from '../../core/errors.ts'
import type { Bytes } from '../../core/types.ts'
import type { FrameOpener } from './frame-stream.ts'
import { UnitCutter } from './unit-cutter.ts'

/** How a stream of frames ended: by goodbye or by the fault. */
export type FrameEnding = 'goodbye' | MultiserverError

export interface FrameSizes {
  /** Of a sealed head, which tells how long the body behind it is. */
  readonly headBytes: number
  /** What a sealed body has behind its plaintext. */
  readonly tagBytes: number
}

/** How much plaintext is joined at a time. */
const batchBytes = 64 * 1024
const noBytes: Bytes = new Uint8Array(0)

/**
 * Turns frames of a head and a body, cut anyhow, into plaintext. Bodies are opened where they lie and moved together,
 * so plaintext takes no memory beside that of the chunks. A protocol says how a head and a body are opened.
 */
export abstract class InPlaceOpener implements FrameOpener {
  readonly #sizes: FrameSizes
  readonly #cutter = new UnitCutter()
  /** The chunk that the cutter is at, to see what lies in it. */
  #chunk: Bytes = noBytes
  /** Of the body that comes next, undefined when a head does. */
  #bodyBytes: number | undefined
  #ending: FrameEnding | undefined

  constructor(sizes: FrameSizes) {
    this.#sizes = sizes
  }

  get ending(): FrameEnding | undefined {
    return this.#ending
  }

  push(chunk: Bytes): void {
    this.#chunk = chunk
    this.#cutter.push(chunk)
  }

  open(): Bytes | null {
    const chunk = this.#chunk
    let start = 0
    let end = 0
    while (this.#ending === undefined) {
      if (this.#bodyBytes === undefined && !this.#takeHead()) break
      const bodyBytes = this.#bodyBytes ?? 0
      if (end > start && end - start + bodyBytes > batchBytes) break
      const body = this.#takeBody(bodyBytes)
      if (body === null) break
      // One that was cut lies apart from the chunk, in memory of its own, and comes before all that is in it.
      if (body.buffer !== chunk.buffer) return body
      const at = body.byteOffset - chunk.byteOffset
      if (end === start) start = end = at
      chunk.copyWithin(end, at, at + bodyBytes)
      end += bodyBytes
    }
    if (end === start) {
      this.#chunk = noBytes
      return null
    }
    // A view of a much larger buffer would keep all of it in memory.
    return end - start < chunk.buffer.byteLength / 2 ? chunk.slice(start, end) : chunk.subarray(start, end)
  }

  abstract wipe(): void

  /** How long the body behind a head is, or that it ends here. */
  protected abstract openHead(head: Bytes): number | FrameEnding

  /** Puts the plaintext in the place of the beginning of `body`; a fault when it does not open. */
  protected abstract openBody(body: Bytes): MultiserverError | undefined

  /** False without a whole head, and when it is the end. */
  #takeHead(): boolean {
    const head = this.#cutter.take(this.#sizes.headBytes)
    if (head === null) return false
    const opened = this.openHead(head)
    if (typeof opened !== 'number') return this.#end(opened)
    this.#bodyBytes = opened
    return true
  }

  /** The plaintext of the body, where it lay; null without all of it, and when it is the end. */
  #takeBody(bodyBytes: number): Bytes | null {
    const body = this.#cutter.take(bodyBytes + this.#sizes.tagBytes)
    const fault = body === null ? undefined : this.openBody(body)
    if (fault !== undefined) this.#end(fault)
    if (body === null || fault !== undefined) return null
    this.#bodyBytes = undefined
    return body.subarray(0, bodyBytes)
  }

  #end(ending: FrameEnding): false {
    this.#ending = ending
    this.wipe()
    this.push(noBytes)
    return false
  }
}
