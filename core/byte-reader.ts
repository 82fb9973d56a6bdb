import { MultiserverError } from './errors.ts'
import type { Bytes, ByteStream } from './types.ts'

/** Reads a stream by exact numbers of bytes, and keeps what came with them for the next read. */
export class ByteReader {
  readonly #stream: Pick<ByteStream, 'read'>
  #chunks: Bytes[] = []
  #length = 0

  constructor(stream: Pick<ByteStream, 'read'>) {
    this.#stream = stream
  }

  /** Bytes that are here already. */
  get available(): number {
    return this.#length
  }

  /** Exactly `length` bytes, or null when the stream ended before the first of them. TRUNCATED when it ended among them. */
  async read(length: number): Promise<Bytes | null> {
    while (this.#length < length) {
      const chunk = await this.#stream.read()
      if (chunk === null) {
        if (this.#length === 0) return null
        throw new MultiserverError('TRUNCATED', `the stream ended after ${this.#length} of ${length} bytes`)
      }
      this.#chunks.push(chunk)
      this.#length += chunk.length
    }
    return this.#take(length)
  }

  #take(length: number): Bytes {
    const first = this.#chunks[0]
    if (first !== undefined && first.length > length) {
      this.#chunks[0] = first.subarray(length)
      this.#length -= length
      return first.subarray(0, length)
    }
    if (first !== undefined && first.length === length) {
      this.#chunks.shift()
      this.#length -= length
      return first
    }
    return this.#join(length)
  }

  #join(length: number): Bytes {
    const joined = new Uint8Array(length)
    let filled = 0
    let used = 0
    for (const chunk of this.#chunks) {
      const part = chunk.subarray(0, length - filled)
      joined.set(part, filled)
      filled += part.length
      if (part.length < chunk.length) {
        this.#chunks[used] = chunk.subarray(part.length)
        break
      }
      used += 1
    }
    this.#chunks.splice(0, used)
    this.#length -= length
    return joined
  }
}
