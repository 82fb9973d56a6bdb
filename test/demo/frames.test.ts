import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chunkFrame, messageFrame, readFrame, type DemoFrame } from '../../cli/demo/frames.ts'
import { demoLimits } from '../../cli/demo/protocol.ts'
import { ByteReader } from '../../core/byte-reader.ts'
import { concat } from '../../core/bytes.ts'
import type { Bytes } from '../../core/types.ts'

const frame: fc.Arbitrary<DemoFrame> = fc.oneof(
  fc
    .string({ unit: 'grapheme-ascii', maxLength: 50 })
    .map((text): DemoFrame => ({ kind: 'message', message: { type: 'chat', text, room: true } })),
  fc
    .tuple(fc.integer({ min: 0, max: 0xffff_ffff }), fc.uint8Array({ minLength: 1, maxLength: 200 }))
    .map(([id, bytes]): DemoFrame => ({ kind: 'chunk', id, bytes: Uint8Array.from(bytes) })),
)

describe('frames of the demo', () => {
  it('come back however their bytes are cut', async () => {
    const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 })
    await fc.assert(
      fc.asyncProperty(fc.array(frame, { maxLength: 8 }), cuts, async (frames, sizes) => {
        const bytes = concat(...frames.map(encode))
        expect(await readAll(readerOf(bytes, sizes))).toEqual(frames)
      }),
      { numRuns: 2_000 },
    )
  })

  it('end in TRUNCATED when the stream ends among them', async () => {
    const bytes = encode({ kind: 'message', message: { type: 'chat', text: 'hello', room: false } })
    for (let length = 1; length < bytes.length; length++) {
      await expect(readAll(readerOf(bytes.slice(0, length), [3]))).rejects.toMatchObject({
        code: 'TRUNCATED',
      })
    }
  })

  it.each([
    ['an unknown kind', Uint8Array.of(0, 0, 0, 2, 2, 0)],
    ['no length', Uint8Array.of(0, 0, 0, 0, 0)],
    ['an empty chunk', Uint8Array.of(0, 0, 0, 5, 1, 0, 0, 0, 1)],
    ['a message that is too long', Uint8Array.of(0, 8, 0, 2, 0)],
    ['a chunk that is too long', Uint8Array.of(0, 0, 0x80, 6, 1)],
    ['what is no message', Uint8Array.of(0, 0, 0, 3, 0, 0x7b, 0x7d)],
  ])('are refused: %s', async (_what, bytes) => {
    await expect(readAll(readerOf(bytes, [bytes.length]))).rejects.toMatchObject({ code: 'PROTOCOL' })
  })

  it('carry the largest chunk', async () => {
    const bytes = new Uint8Array(demoLimits.chunkBytes).fill(7)
    expect(await readAll(readerOf(chunkFrame(9, bytes), [1000]))).toEqual([{ kind: 'chunk', id: 9, bytes }])
  })
})

function encode(sent: DemoFrame): Bytes {
  return sent.kind === 'message' ? messageFrame(sent.message) : chunkFrame(sent.id, sent.bytes)
}

function readerOf(bytes: Uint8Array, sizes: readonly number[]): ByteReader {
  let at = 0
  let turn = 0
  return new ByteReader({
    async read() {
      if (at >= bytes.length) return null
      const chunk = Uint8Array.from(bytes.subarray(at, at + (sizes[turn++ % sizes.length] ?? 1)))
      at += chunk.length
      return chunk
    },
  })
}

async function readAll(reader: ByteReader): Promise<DemoFrame[]> {
  const frames: DemoFrame[] = []
  for (let next = await readFrame(reader); next !== null; next = await readFrame(reader)) frames.push(next)
  return frames
}
