import type { Bytes } from './types.ts'

export interface ByteQueueOptions {
  /** Above this many waiting bytes `push` answers false and the source is to pause. */
  highWaterBytes: number
  /** What a waiting chunk costs beside its bytes, so that many tiny ones are not free. @default 256 */
  chunkCostBytes?: number | undefined
  /** Called when so much was read that a paused source may go on. */
  onDrain?: (() => void) | undefined
  /** Called with the size of each chunk that a reader took. */
  onRead?: ((bytes: number) => void) | undefined
}

/** Chunks below this are copied together, so that a sender of single bytes can't fill the memory with objects. */
const smallBytes = 1024
const joinedBytes = 16 * 1024

type Waiting = { resolve: (chunk: Bytes | null) => void; reject: (error: Error) => void }

/**
 * What has arrived and was not read yet, in order, and then how it ended.
 * An end lets the reader have what came before it; a failure too, unless it discards.
 */
export class ByteQueue {
  readonly #options: ByteQueueOptions
  readonly #chunkCost: number
  /** Those before `#head` are taken. */
  #chunks: Bytes[] = []
  #head = 0
  #cost = 0
  #readers: Waiting[] = []
  #ending: { error?: Error } | undefined
  #full = false
  /** Room behind the last chunk, where that is one of ours. */
  #tail: { block: Bytes; used: number } | undefined

  constructor(options: ByteQueueOptions) {
    this.#options = options
    this.#chunkCost = options.chunkCostBytes ?? 256
  }

  /** Bytes that wait, the cost of their chunks included. */
  get costBytes(): number {
    return this.#cost
  }

  get ended(): boolean {
    return this.#ending !== undefined
  }

  /** False when the source is to pause until `onDrain`. What comes after the end is dropped. */
  push(chunk: Bytes): boolean {
    if (this.#ending !== undefined || chunk.length === 0) return !this.#full
    const reader = this.#readers.shift()
    if (reader !== undefined) {
      this.#options.onRead?.(chunk.length)
      reader.resolve(chunk)
      return true
    }
    if (chunk.length < smallBytes) this.#join(chunk)
    else this.#append(chunk)
    if (this.#cost >= this.#options.highWaterBytes) this.#full = true
    return !this.#full
  }

  end(): void {
    this.#finish({})
  }

  /** Readers get what has come in order, then the error. */
  fail(error: Error): void {
    this.#finish({ error })
  }

  /** Drops what waits; readers get the error, or the end, at once. */
  discard(error?: Error): void {
    this.#chunks = []
    this.#head = 0
    this.#cost = 0
    this.#tail = undefined
    this.#ending = error === undefined ? {} : { error }
    this.#settleReaders()
  }

  read(): Promise<Bytes | null> {
    const chunk = this.#chunks[this.#head]
    if (chunk !== undefined) {
      this.#take(chunk)
      return Promise.resolve(chunk)
    }
    if (this.#ending?.error !== undefined) return Promise.reject(this.#ending.error)
    if (this.#ending !== undefined) return Promise.resolve(null)
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }))
  }

  #append(chunk: Bytes): void {
    this.#shrinkTail()
    this.#chunks.push(chunk)
    this.#cost += chunk.length + this.#chunkCost
  }

  /** A block that nothing more is joined to must not keep its empty half. */
  #shrinkTail(): void {
    if (this.#tail === undefined) return
    this.#chunks[this.#chunks.length - 1] = this.#tail.block.slice(0, this.#tail.used)
    this.#tail = undefined
  }

  #join(chunk: Bytes): void {
    const last = this.#chunks.at(-1)
    if (last === undefined || last.length + chunk.length > joinedBytes) return this.#append(chunk)
    if (this.#tail === undefined && last.length >= smallBytes) return this.#append(chunk)
    const tail = (this.#tail ??= startBlock(last))
    tail.block.set(chunk, tail.used)
    tail.used += chunk.length
    this.#cost += chunk.length
    this.#chunks[this.#chunks.length - 1] = tail.block.subarray(0, tail.used)
  }

  #take(chunk: Bytes): void {
    this.#head += 1
    if (this.#head === this.#chunks.length) {
      this.#chunks = []
      this.#head = 0
      this.#tail = undefined
    } else if (this.#head === 1024) {
      this.#chunks = this.#chunks.slice(this.#head)
      this.#head = 0
    }
    this.#cost -= chunk.length + this.#chunkCost
    this.#options.onRead?.(chunk.length)
    if (this.#full && this.#cost < this.#options.highWaterBytes / 2) {
      this.#full = false
      this.#options.onDrain?.()
    }
  }

  #finish(ending: { error?: Error }): void {
    if (this.#ending !== undefined) return
    this.#ending = ending
    this.#settleReaders()
  }

  #settleReaders(): void {
    const { error } = this.#ending ?? {}
    for (const reader of this.#readers.splice(0)) {
      if (error === undefined) reader.resolve(null)
      else reader.reject(error)
    }
  }
}

function startBlock(chunk: Bytes): { block: Bytes; used: number } {
  const block = new Uint8Array(joinedBytes)
  block.set(chunk)
  return { block, used: chunk.length }
}
