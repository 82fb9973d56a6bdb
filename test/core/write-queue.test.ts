import { describe, expect, it } from 'vitest'
import { MultiserverError, toError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { WriteQueue } from '../../core/write-queue.ts'
import type { ByteStream } from '../../core/types.ts'
import { failure } from '../support/failure.ts'
import { settle } from './staged.ts'

const { joinBytes, smallBytes, unsentBytes, writeCostBytes } = limits.connection

describe('WriteQueue', () => {
  it('sends the small writes of one turn together', async () => {
    const { queue, sent, go } = createQueue()
    const writes = Array.from({ length: 1000 }, (_, at) => queue.write(Uint8Array.of(at & 0xff)))
    await settle()
    go()
    await Promise.all(writes)
    expect(sent.map((chunk) => chunk.length)).toEqual([1000])
    expect(sent[0]?.[700]).toBe(700 & 0xff)
  })

  it('joins what was written while it was sending', async () => {
    const { queue, sent, go } = createQueue()
    const first = queue.write(Uint8Array.of(1))
    await settle()
    const rest = [queue.write(Uint8Array.of(2)), queue.write(Uint8Array.of(3))]
    await settle()
    expect(sent).toEqual([Uint8Array.of(1)])
    go()
    await first
    await settle()
    expect(sent).toEqual([Uint8Array.of(1), Uint8Array.of(2, 3)])
    go()
    await Promise.all(rest)
  })

  it.each([
    [joinBytes - 1, [joinBytes]],
    [joinBytes, [joinBytes, 1]],
  ])('joins %i bytes and one to %j', async (length, sizes) => {
    const { queue, sent, go } = createQueue()
    const writes = [queue.write(new Uint8Array(length)), queue.write(new Uint8Array(1))]
    for (const [index, size] of sizes.entries()) {
      await settle()
      expect(sent[index]).toHaveLength(size)
      go()
    }
    await Promise.all(writes)
    expect(sent).toHaveLength(sizes.length)
  })

  it('hands on a chunk that is alone without copying it', async () => {
    const { queue, sent, go } = createQueue()
    const chunk = new Uint8Array(joinBytes * 3)
    const writing = queue.write(chunk)
    await settle()
    go()
    await writing
    expect(sent[0]).toBe(chunk)
  })

  it('settles a write of nothing without sending anything', async () => {
    const { queue, sent } = createQueue()
    await queue.write(new Uint8Array(0))
    expect(sent).toEqual([])
  })

  it('settles a small write at once while little waits, and leaves the chunk to the writer', async () => {
    const { queue, sent, go } = createQueue()
    const chunk = Buffer.of(1)
    await queue.write(chunk)
    chunk[0] = 2
    go()
    await queue.finish()
    expect(sent).toEqual([Uint8Array.of(1)])
  })

  it('leaves what is under way alone, whatever other queues join meanwhile', async () => {
    const { queue, sent, go } = createQueue()
    const other = createQueue()
    const join = async (target: WriteQueue, byte: number) => {
      for (let count = 0; count < 4; count++) await target.write(new Uint8Array(1000).fill(byte))
    }
    for (let round = 0; round < 3; round++) {
      await Promise.all([join(queue, round), join(other.queue, 100 + round)])
      await settle()
      // The first is still being sent while the other one's is done, and its memory is used again.
      other.go()
      await settle()
      other.go()
      await other.queue.finish()
      await join(other.queue, 200)
      for (const chunk of sent) expect(new Set(chunk).size).toBe(1)
      expect(new Set(sent.at(-1))).toEqual(new Set([round]))
      go()
      await settle()
      go()
      await queue.finish()
      other.go()
      await settle()
      other.go()
      await other.queue.finish()
      sent.splice(0)
    }
  })

  it('settles small writes that waited for room as soon as there is some, and leaves their chunks to the writer', async () => {
    const { queue, sent, go } = createQueue()
    await queue.write(new Uint8Array(smallBytes))
    await settle()
    const pieces = joinBytes / smallBytes
    const chunks = Array.from({ length: 2 * pieces }, (_, at) => new Uint8Array(smallBytes).fill(at))
    let settled = 0
    for (const chunk of chunks) void queue.write(chunk).then(() => (settled += 1))
    await settle()
    const before = settled
    expect(before).toBe(pieces)
    go()
    await settle()
    expect(settled).toBeGreaterThan(before)
    for (const chunk of chunks.slice(0, settled)) chunk.fill(255)
    while (settled < chunks.length) {
      go()
      await settle()
    }
    go()
    await queue.finish()
    const bytes = Buffer.concat(sent).subarray(smallBytes)
    expect(bytes).toHaveLength(2 * joinBytes)
    expect(bytes.every((byte, at) => byte === Math.floor(at / smallBytes))).toBe(true)
  })

  it('settles a large write only when the stream has taken it', async () => {
    const { queue, go } = createQueue()
    let settled = false
    const writing = queue.write(new Uint8Array(smallBytes + 1)).then(() => (settled = true))
    await settle()
    expect(settled).toBe(false)
    go()
    await writing
  })

  it('finishes when everything is written', async () => {
    const { queue, sent, go } = createQueue()
    void queue.write(new Uint8Array(joinBytes))
    void queue.write(new Uint8Array(joinBytes))
    let finished = false
    const finishing = queue.finish().then(() => (finished = true))
    await settle()
    go()
    await settle()
    expect(finished).toBe(false)
    go()
    await finishing
    expect(sent).toHaveLength(2)
  })

  it('finishes at once when nothing waits', async () => {
    await createQueue().queue.finish()
  })

  it('rejects everything that waits, and all that comes, once the stream fails', async () => {
    const { queue, fail } = createQueue()
    const writes = [queue.write(new Uint8Array(joinBytes)), queue.write(new Uint8Array(joinBytes))]
    const failures = Promise.all(writes.map(failure))
    await settle()
    fail(new Error('broken'))
    for (const error of await failures) expect(error).toMatchObject({ code: 'CONNECTION_LOST' })
    expect(await failure(queue.write(Uint8Array.of(1)))).toMatchObject({ message: 'broken' })
    expect(await failure(queue.finish())).toMatchObject({ message: 'broken' })
  })

  it.each([
    [unsentBytes - 1, 'waits'],
    [unsentBytes, 'waits'],
    [unsentBytes + 1, 'SEND_OVERFLOW'],
  ])('with %i bytes unsent, the cost of their writes included, the last write %s', async (total, outcome) => {
    const { queue, aborts } = createQueue()
    const quietly = (chunk: Uint8Array) => queue.write(chunk).catch(() => undefined)
    void quietly(Uint8Array.of(1))
    await settle()
    void quietly(new Uint8Array(unsentBytes - 1000 - writeCostBytes))
    const last = queue.write(new Uint8Array(total - unsentBytes + 1000 - writeCostBytes))
    if (outcome === 'waits') {
      await settle()
      expect(aborts).toEqual([])
      queue.fail(new MultiserverError('ABORTED'))
    }
    expect(await failure(last)).toMatchObject({ code: outcome === 'waits' ? 'ABORTED' : outcome })
    if (outcome !== 'waits') expect(aborts).toMatchObject([{ code: 'SEND_OVERFLOW' }])
  })

  it('counts what a write costs beside its bytes, so that tiny ones are not free', async () => {
    const { queue, aborts } = createQueue()
    // Those that fit into one block cost no more than their bytes.
    const count = joinBytes + Math.ceil(unsentBytes / (1 + writeCostBytes)) + 2
    const writes = Array.from({ length: count }, () => queue.write(Uint8Array.of(1)).catch(() => undefined))
    expect(aborts).toMatchObject([{ code: 'SEND_OVERFLOW' }])
    await Promise.all(writes)
  })

  it('takes a single chunk of any size', async () => {
    const { queue, sent, go } = createQueue()
    const writing = queue.write(new Uint8Array(unsentBytes + 1))
    await settle()
    go()
    await writing
    expect(sent[0]).toHaveLength(unsentBytes + 1)
  })
})

/** A queue over a stream that takes a chunk at each `go()`. */
function createQueue() {
  const sent: Uint8Array[] = []
  const aborts: (Error | undefined)[] = []
  const waiting: { resolve: () => void; reject: (error: Error) => void }[] = []
  const stream: ByteStream = {
    read: () => Promise.resolve(null),
    write(chunk) {
      sent.push(chunk)
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }))
    },
    end: () => Promise.resolve(),
    abort: (reason) => aborts.push(reason),
    closed: Promise.resolve(),
  }
  return {
    queue: new WriteQueue(stream, (thrown) => toError(thrown, 'CONNECTION_LOST')),
    sent,
    aborts,
    go: () => waiting.shift()?.resolve(),
    fail: (error: Error) => waiting.shift()?.reject(error),
  }
}
