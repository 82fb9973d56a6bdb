import { BufferPool } from './buffer-pool.ts'
import { concat, copy } from './bytes.ts'
import { MultiserverError } from './errors.ts'
import { limits } from './limits.ts'
import type { Bytes, ByteStream } from './types.ts'

const { joinBytes, smallBytes, unsentBytes, writeCostBytes } = limits.connection

const settled = Promise.resolve()
const ignore = () => undefined

/** While no more than this waits, small writes settle at once: a whole block. */
const littleCost = joinBytes + writeCostBytes

/** Of this turn and of the time of a write of the stream below; few streams are busy at once. */
const blocks = new BufferPool(joinBytes, 16)

interface Write {
  /** The writer's chunk; or ours, a copy of one write or a block with several, whose first `length` bytes count. */
  memory: Uint8Array
  length: number
  cost: number
  /** Absent where the writes have settled. */
  settle?: { readonly resolve: () => void; readonly reject: (error: Error) => void } | undefined
}

/**
 * Writes to a stream one at a time and joins the small ones. A small one is copied and settles at once while little
 * waits, so that a writer who awaits each of them still fills whole frames.
 */
export class WriteQueue {
  readonly #stream: ByteStream
  readonly #onError: (thrown: unknown) => MultiserverError
  #waiting: Write[] = []
  #waitingCost = 0
  #running: Promise<void> | undefined
  #error: MultiserverError | undefined

  constructor(stream: ByteStream, onError: (thrown: unknown) => MultiserverError) {
    this.#stream = stream
    this.#onError = onError
  }

  /** What it rejects with may go unheard. */
  write(chunk: Uint8Array): Promise<void> {
    if (this.#error !== undefined) return rejectQuietly(this.#error)
    const cost = costOf(chunk)
    if (this.#waitingCost > 0 && this.#waitingCost + cost > unsentBytes) {
      const error = this.#onError(new MultiserverError('SEND_OVERFLOW'))
      this.fail(error)
      this.#stream.abort(error)
      return rejectQuietly(error)
    }
    if (chunk.length <= smallBytes && this.#waitingCost + chunk.length <= littleCost) {
      this.#join(chunk)
      this.#running ??= this.#run()
      return settled
    }
    this.#waitingCost += cost
    const writing = new Promise<void>((resolve, reject) => {
      this.#waiting.push({ memory: chunk, length: chunk.length, cost, settle: { resolve, reject } })
      this.#running ??= this.#run()
    })
    writing.catch(ignore)
    return writing
  }

  /** Resolves when everything is written. */
  async finish(): Promise<void> {
    await this.#running
    if (this.#error !== undefined) throw this.#error
  }

  /** Rejects what waits and all that comes. */
  fail(error: MultiserverError): void {
    this.#error ??= error
    for (const write of this.#waiting.splice(0)) write.settle?.reject(this.#error)
    this.#waitingCost = 0
  }

  async #run(): Promise<void> {
    // The rest of this turn's writes come before the first is sent.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const batch = this.#takeBatch()
      try {
        const chunk = joinWrites(batch)
        this.#settleSmall(batch)
        if (chunk.length > 0) await this.#stream.write(chunk)
        if (this.#error !== undefined) throw this.#error
        for (const write of batch) releaseWrite(write)
      } catch (thrown) {
        const error = this.#onError(thrown)
        for (const write of batch) write.settle?.reject(error)
        this.fail(error)
      }
    }
    this.#running = undefined
  }

  #join(chunk: Uint8Array): void {
    const last = this.#waiting.at(-1)
    if (last === undefined || last.settle !== undefined || last.length + chunk.length > joinBytes) {
      const cost = costOf(chunk)
      this.#waiting.push({ memory: copy(chunk), length: chunk.length, cost })
      this.#waitingCost += cost
      return
    }
    if (last.memory.length < joinBytes) {
      const block = blocks.take()
      block.set(last.memory)
      last.memory = block
    }
    last.memory.set(chunk, last.length)
    last.length += chunk.length
    last.cost += chunk.length
    this.#waitingCost += chunk.length
  }

  /** There is room again: the small ones that waited for it settle as those do that come now. */
  #settleSmall(batch: readonly Write[]): void {
    // What was joined is copied already.
    if (batch.length > 1) for (const write of batch) if (write.length <= smallBytes) settleEarly(write)
    let cost = 0
    for (const write of this.#waiting) {
      cost += write.cost
      if (cost > littleCost || write.length > smallBytes) return
      if (write.settle !== undefined) write.memory = copy(write.memory)
      settleEarly(write)
    }
  }

  #takeBatch(): Write[] {
    let bytes = 0
    let count = 0
    for (const { length } of this.#waiting) {
      if (count > 0 && bytes + length > joinBytes) break
      bytes += length
      count += 1
    }
    const batch = this.#waiting.splice(0, count)
    for (const { cost } of batch) this.#waitingCost -= cost
    return batch
  }
}

function rejectQuietly(error: MultiserverError): Promise<never> {
  const rejected = Promise.reject(error)
  rejected.catch(ignore)
  return rejected
}

function joinWrites(batch: readonly Write[]): Uint8Array {
  const [first] = batch
  if (first !== undefined && batch.length === 1 && first.length === first.memory.length) return first.memory
  const chunks = batch.map(({ memory, length }) => memory.subarray(0, length))
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : concat(...chunks)
}

function settleEarly(write: Write): void {
  write.settle?.resolve()
  write.settle = undefined
}

/** The stream has taken it: a block of ours is free again. */
function releaseWrite({ memory, settle }: Write): void {
  if (settle !== undefined) settle.resolve()
  else if (memory.length === joinBytes) blocks.give(memory as Bytes)
}

function costOf(chunk: Uint8Array): number {
  return chunk.length + writeCostBytes
}
