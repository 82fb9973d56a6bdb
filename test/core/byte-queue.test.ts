import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { ByteQueue } from '../../core/byte-queue.ts'
import { concat, fromText } from '../../core/bytes.ts'
import type { Bytes } from '../../core/types.ts'
import { settle } from './staged.ts'

const lost = new Error('lost')

describe('ByteQueue', () => {
  it('gives chunks in order, then null for ever', async () => {
    const queue = new ByteQueue({ highWaterBytes: 1 << 20 })
    const chunks = [new Uint8Array(2000).fill(1), new Uint8Array(3000).fill(2)]
    for (const chunk of chunks) queue.push(chunk)
    queue.end()
    expect([await queue.read(), await queue.read()]).toEqual(chunks)
    expect([await queue.read(), await queue.read()]).toEqual([null, null])
  })

  it('serves waiting readers in the order in which they asked', async () => {
    const queue = new ByteQueue({ highWaterBytes: 100 })
    const reads = [queue.read(), queue.read(), queue.read()]
    queue.push(Uint8Array.of(1))
    queue.push(Uint8Array.of(2))
    queue.end()
    expect(await Promise.all(reads)).toEqual([Uint8Array.of(1), Uint8Array.of(2), null])
  })

  it('never gives an empty chunk', async () => {
    const queue = new ByteQueue({ highWaterBytes: 100 })
    const reading = queue.read()
    queue.push(new Uint8Array(0))
    queue.push(Uint8Array.of(7))
    expect(await reading).toEqual(Uint8Array.of(7))
  })

  it('drops what comes after the end', async () => {
    const queue = new ByteQueue({ highWaterBytes: 100 })
    queue.end()
    queue.push(Uint8Array.of(1))
    expect(await queue.read()).toBeNull()
    expect(queue.costBytes).toBe(0)
  })

  it('gives what came in order before it fails', async () => {
    const queue = new ByteQueue({ highWaterBytes: 100 })
    queue.push(fromText('before'))
    queue.fail(lost)
    expect(await queue.read()).toEqual(fromText('before'))
    await expect(queue.read()).rejects.toBe(lost)
    await expect(queue.read()).rejects.toBe(lost)
  })

  it('keeps its first ending', async () => {
    const queue = new ByteQueue({ highWaterBytes: 100 })
    queue.end()
    queue.fail(lost)
    expect(await queue.read()).toBeNull()
  })

  it('rejects readers that wait when it fails, and resolves them when it ends', async () => {
    const failing = new ByteQueue({ highWaterBytes: 100 })
    const [one, two] = [failing.read(), failing.read()]
    failing.fail(lost)
    await expect(one).rejects.toBe(lost)
    await expect(two).rejects.toBe(lost)
  })

  it('drops what waits when it discards', async () => {
    const queue = new ByteQueue({ highWaterBytes: 100 })
    queue.push(fromText('unread'))
    queue.discard(lost)
    expect(queue.costBytes).toBe(0)
    await expect(queue.read()).rejects.toBe(lost)
  })

  it('asks the source to pause at its mark and to go on at half of it', async () => {
    const onDrain = vi.fn()
    const queue = new ByteQueue({ highWaterBytes: 8000, chunkCostBytes: 0, onDrain })
    expect(queue.push(new Uint8Array(2000))).toBe(true)
    expect(queue.push(new Uint8Array(2000))).toBe(true)
    expect(queue.push(new Uint8Array(2000))).toBe(true)
    expect(queue.push(new Uint8Array(2000))).toBe(false)
    await queue.read()
    await queue.read()
    expect(onDrain).not.toHaveBeenCalled()
    await queue.read()
    expect(onDrain).toHaveBeenCalledOnce()
    expect(queue.push(new Uint8Array(10))).toBe(true)
  })

  it('holds a million single bytes in little more memory than they have', async () => {
    const queue = new ByteQueue({ highWaterBytes: 1 << 24 })
    for (let count = 0; count < 1_000_000; count++) queue.push(Uint8Array.of(count & 0xff))
    queue.end()
    expect(queue.costBytes).toBeLessThan(1_100_000)
    let reads = 0
    let bytes = 0
    for (let chunk = await queue.read(); chunk !== null; chunk = await queue.read()) {
      reads += 1
      bytes += chunk.length
    }
    expect(bytes).toBe(1_000_000)
    expect(reads).toBeLessThan(100)
    expect(queue.costBytes).toBe(0)
  })

  it.each([
    ['one large, two small', [1024, 1, 1]],
    ['one large, one small', [1024, 1]],
    ['large ones between three small', [1023, 1, 2000]],
    ['two small that do not fit one block', [1023, 16_000]],
  ])('keeps no more than twice the memory of %s, over and over', async (_what, lengths) => {
    const queue = new ByteQueue({ highWaterBytes: 1 << 24 })
    let pushed = 0
    while (pushed < 4 * 1024 * 1024) {
      for (const length of lengths) queue.push(new Uint8Array(length))
      pushed += lengths.reduce((sum, length) => sum + length)
    }
    queue.end()
    const kept = new Set<ArrayBuffer>()
    let read = 0
    for (let chunk = await queue.read(); chunk !== null; chunk = await queue.read()) {
      kept.add(chunk.buffer)
      read += chunk.length
    }
    expect(read).toBe(pushed)
    expect([...kept].reduce((sum, buffer) => sum + buffer.byteLength, 0)).toBeLessThanOrEqual(2 * pushed)
  })

  it('does not change a chunk that a reader has', async () => {
    const queue = new ByteQueue({ highWaterBytes: 1 << 20 })
    queue.push(Uint8Array.of(1))
    queue.push(Uint8Array.of(2))
    const read = await queue.read()
    queue.push(Uint8Array.of(3))
    queue.push(Uint8Array.of(4))
    expect(read).toEqual(Uint8Array.of(1, 2))
    expect(await queue.read()).toEqual(Uint8Array.of(3, 4))
  })

  it('does not join into a large chunk, which belongs to the source', async () => {
    const queue = new ByteQueue({ highWaterBytes: 1 << 20 })
    const large = new Uint8Array(new ArrayBuffer(4096), 0, 2000).fill(1)
    queue.push(large)
    queue.push(Uint8Array.of(9))
    expect(await queue.read()).toBe(large)
    expect(new Uint8Array(large.buffer)[2000]).toBe(0)
  })

  it('tells the size of each chunk that was taken', async () => {
    const onRead = vi.fn()
    const queue = new ByteQueue({ highWaterBytes: 1 << 20, onRead })
    const waiting = queue.read()
    queue.push(new Uint8Array(5))
    await waiting
    queue.push(new Uint8Array(7))
    expect(onRead.mock.calls).toEqual([[5]])
    await queue.read()
    expect(onRead.mock.calls).toEqual([[5], [7]])
  })

  it('loses, doubles and moves nothing, whatever is pushed and read in which order', async () => {
    const step = fc.oneof(
      { weight: 2, arbitrary: fc.record({ push: fc.oneof(fc.nat(5), fc.nat(3000), fc.nat(40_000)) }) },
      { weight: 2, arbitrary: fc.constant('read' as const) },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.boolean(), async (steps, fails) => {
        let paused = false
        const queue = new ByteQueue({ highWaterBytes: 10_000, onDrain: () => (paused = false) })
        const sent: Bytes[] = []
        const got: (Bytes | null)[] = []
        const reads: Promise<unknown>[] = []
        const read = () =>
          reads.push(
            queue
              .read()
              .then((chunk) => got.push(chunk))
              .catch(() => got.push(null)),
          )
        let next = 0
        for (const one of steps) {
          if (one === 'read') read()
          else {
            const chunk = Uint8Array.from({ length: one.push }, () => next++ & 0xff)
            sent.push(chunk.slice())
            paused = !queue.push(chunk)
          }
          await settle()
          // Paused means that bytes wait: a source that pauses is always woken again.
          if (paused) expect(queue.costBytes).toBeGreaterThanOrEqual(5000)
        }
        if (fails) queue.fail(lost)
        else queue.end()
        for (let more = 0; more <= sent.length; more++) read()
        await Promise.all(reads)
        expect(got.at(-1)).toBeNull()
        const bytes = got.filter((chunk) => chunk !== null)
        expect(Buffer.compare(concat(...bytes), concat(...sent))).toBe(0)
        expect(queue.costBytes).toBe(0)
      }),
      { numRuns: 1000 },
    )
  })
})
