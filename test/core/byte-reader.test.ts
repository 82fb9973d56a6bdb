import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteReader } from '../../core/byte-reader.ts'
import { concat } from '../../core/bytes.ts'
import type { Bytes } from '../../core/types.ts'
import { failure } from '../support/failure.ts'

describe('ByteReader', () => {
  it('joins one-byte chunks', async () => {
    const reader = readerOf(...Array.from({ length: 100 }, (_, at) => [at]))
    expect(await reader.read(64)).toEqual(Uint8Array.from({ length: 64 }, (_, at) => at))
    expect(await reader.read(36)).toEqual(Uint8Array.from({ length: 36 }, (_, at) => at + 64))
    expect(await reader.read(1)).toBeNull()
  })

  it('keeps what came with the bytes that were asked for', async () => {
    const reader = readerOf([1, 2, 3, 4, 5])
    expect(await reader.read(2)).toEqual(Uint8Array.of(1, 2))
    expect(reader.available).toBe(3)
    expect(await reader.read(3)).toEqual(Uint8Array.of(3, 4, 5))
    expect(reader.available).toBe(0)
  })

  it('gives a chunk of the right length as it is', async () => {
    const chunk = new Uint8Array(16)
    expect(await new ByteReader(streamOf([chunk])).read(16)).toBe(chunk)
  })

  it('reads nothing from the stream for nothing', async () => {
    const reader = new ByteReader({ read: () => Promise.reject(new Error('it was read')) })
    expect(await reader.read(0)).toHaveLength(0)
  })

  it('gives null at a clean end, again and again', async () => {
    const reader = readerOf([1])
    await reader.read(1)
    expect(await reader.read(1)).toBeNull()
    expect(await reader.read(5)).toBeNull()
  })

  it('throws TRUNCATED when the stream ends among the bytes', async () => {
    const error = await failure(readerOf([1, 2], [3]).read(4))
    expect(error).toMatchObject({ code: 'TRUNCATED', message: expect.stringContaining('3 of 4') })
  })

  it('passes on the error of the stream', async () => {
    const lost = new Error('lost')
    await expect(new ByteReader({ read: () => Promise.reject(lost) }).read(1)).rejects.toBe(lost)
  })

  it('reads the same bytes however they are cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 20 }), { maxLength: 20 }),
        fc.array(fc.nat(25), { maxLength: 30 }),
        async (chunks, lengths) => {
          const all = concat(...chunks)
          const reader = new ByteReader(streamOf(chunks.map((chunk) => chunk.slice())))
          let at = 0
          for (const length of lengths) {
            const left = all.length - at
            const result = await reader.read(length).catch((error: { code: string }) => error.code)
            if (length <= left) {
              expect(result).toEqual(all.slice(at, at + length))
              at += length
            } else {
              expect(result).toBe(left === 0 ? null : 'TRUNCATED')
              break
            }
          }
        },
      ),
      { numRuns: 2000 },
    )
  })
})

function readerOf(...chunks: number[][]): ByteReader {
  return new ByteReader(streamOf(chunks.map((bytes) => Uint8Array.from(bytes))))
}

function streamOf(chunks: readonly Uint8Array[]): { read(): Promise<Bytes | null> } {
  const waiting = [...chunks]
  return { read: () => Promise.resolve((waiting.shift() as Bytes | undefined) ?? null) }
}
