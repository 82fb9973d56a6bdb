import fc from 'fast-check'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { Connection } from '../../core/connection.ts'
import { createPair } from '../../core/pair.ts'
import type { Bytes } from '../../core/types.ts'
import {
  dataFrame,
  frameHeaderBytes,
  FrameReader,
  messageFrame,
  type Frame,
} from '../../cli/transfer/frames.ts'
import { transferLimits } from '../../cli/transfer/limits.ts'
import {
  goneCodes,
  receiverCodec,
  refusalCodes,
  senderCodec,
  skipCodes,
  type ReceiverMessage,
  type SenderMessage,
} from '../../cli/transfer/messages.ts'
import { Outbox } from '../../cli/transfer/outbox.ts'
import { failure } from '../support/failure.ts'

const file = fc.nat(transferLimits.files - 1)
const size = fc.maxSafeNat().map((number) => number % transferLimits.fileBytes)
const why = fc.stringMatching(/^[a-z ]{0,100}$/)
const sha256 = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Uint8Array.from(bytes))
const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 200 })
const plain = { noNullPrototype: true } as const

const senderMessage: fc.Arbitrary<SenderMessage> = fc.oneof(
  fc.record(
    {
      type: fc.constant('offer' as const),
      version: fc.nat(),
      files: fc.nat(),
      bytes: fc.maxSafeNat(),
      folders: fc.nat(),
    },
    { ...plain, requiredKeys: ['type', 'version', 'files', 'bytes'] },
  ),
  fc.record(
    { type: fc.constant('file' as const), name, size, modified: size, executable: fc.boolean() },
    { ...plain, requiredKeys: ['type', 'name', 'size', 'modified'] },
  ),
  fc.record({ type: fc.constant('folder' as const), name }, plain),
  fc.record({ type: fc.constantFrom('prefix' as const, 'end' as const), file, sha256 }, plain),
  fc.record({ type: fc.constant('gone' as const), file, code: fc.constantFrom(...goneCodes), why }, plain),
  fc.constant({ type: 'alive' as const }),
)

const receiverMessage: fc.Arbitrary<ReceiverMessage> = fc.oneof(
  fc.constantFrom(
    { type: 'accept' as const },
    { type: 'accept' as const, folders: true },
    { type: 'alive' as const },
  ),
  fc.record({ type: fc.constant('refuse' as const), code: fc.constantFrom(...refusalCodes), why }, plain),
  fc.record({ type: fc.constantFrom('want' as const, 'go' as const), file, offset: size }, plain),
  fc.record({ type: fc.constant('skip' as const), file, code: fc.constantFrom(...skipCodes), why }, plain),
  fc.record({ type: fc.constant('done' as const), file }, plain),
)

describe('the messages of a transfer', () => {
  it('are read as they were written', () => {
    fc.assert(
      fc.property(senderMessage, (message) => {
        expect(senderCodec.decode(senderCodec.encode(message))).toEqual(message)
      }),
    )
    fc.assert(
      fc.property(receiverMessage, (message) => {
        expect(receiverCodec.decode(receiverCodec.encode(message))).toEqual(message)
      }),
    )
  })

  it('are fresh objects of known fields, or nothing, whatever comes', () => {
    const damaged = fc
      .tuple(
        fc.oneof(
          senderMessage.map((message) => senderCodec.encode(message)),
          receiverMessage.map((message) => receiverCodec.encode(message)),
        ),
        fc.nat(),
        fc.nat(4),
        fc.constantFrom('', '"', '{', '}', '[', '-', '9', '1e999', '\\u0000', '__proto__', 'null', '../'),
      )
      .map(([json, at, cut, put]) => {
        const index = at % (json.length + 1)
        return json.slice(0, index) + put + json.slice(index + cut)
      })
    fc.assert(
      fc.property(fc.oneof(damaged, fc.json(), fc.string()), (json) => {
        for (const codec of [senderCodec, receiverCodec]) {
          const message = codec.decode(json)
          if (message !== null) expect(codec.decode(codec.encode(message as never))).toEqual(message)
        }
      }),
      { numRuns: 5_000 },
    )
  })

  it.each([
    ['a file behind the last', '{"type":"done","file":10000}'],
    ['a negative offset', '{"type":"want","file":0,"offset":-1}'],
    ['half a byte', '{"type":"want","file":0,"offset":0.5}'],
    ['more than a file can have', '{"type":"want","file":0,"offset":1e17}'],
  ])('do not name %s', (_what, json) => {
    expect(receiverCodec.decode(json)).toBeNull()
  })

  it.each([
    ['a folder without a name', '{"type":"folder","name":""}'],
    ['a mode in place of a yes or no', '{"type":"file","name":"x","size":0,"modified":0,"executable":2541}'],
    ['no name', '{"type":"file","name":"","size":0,"modified":0}'],
    ['too long a name', JSON.stringify({ type: 'file', name: 'x'.repeat(1025), size: 0, modified: 0 })],
    ['a time that no Date can hold', '{"type":"file","name":"x","size":0,"modified":8640000000000001}'],
    ['a short hash', '{"type":"end","file":0,"sha256":"AAAA"}'],
  ])('do not have %s', (_what, json) => {
    expect(senderCodec.decode(json)).toBeNull()
  })
})

describe('the frames of a transfer', () => {
  it('arrive as they were written, however they are cut', async () => {
    const data = fc
      .uint8Array({ minLength: 1, maxLength: 2000 })
      .map((bytes) => ({ kind: 'data' as const, bytes: Uint8Array.from(bytes) }))
    const message = senderMessage
      .filter(({ type }) => type !== 'alive')
      .map((content) => ({ kind: 'message' as const, message: content }))
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(data, message), { maxLength: 8 }),
        fc.integer({ min: 1, max: 700 }),
        async (frames, chunkBytes) => {
          const bytes = Buffer.concat(frames.map(frameOf))
          const chunks = Array.from({ length: Math.ceil(bytes.length / chunkBytes) }, (_, index) =>
            bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes),
          )
          const reader = new FrameReader(streamOf(chunks), senderCodec)
          const read: Frame<SenderMessage>[] = []
          for (let frame = await reader.next(); frame !== null; frame = await reader.next()) read.push(frame)
          expect(
            read.map((frame) =>
              frame.kind === 'data' ? { ...frame, bytes: Uint8Array.from(frame.bytes) } : frame,
            ),
          ).toEqual(frames)
        },
      ),
    )
  })

  it('are read, ended or refused with a code, whatever comes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 10 }),
        async (chunks) => {
          const reader = new FrameReader(streamOf(chunks.map((chunk) => Buffer.from(chunk))), senderCodec)
          const read = async () => {
            while ((await reader.next()) !== null);
            throw new Error('it has ended')
          }
          await expect(read()).rejects.toThrow(/ended|sent/)
        },
      ),
      { numRuns: 1_000 },
    )
  })

  it.each([
    ['of another kind', [0, 0, 0, 2, 2, 0], 'PROTOCOL'],
    ['without content', [0, 0, 0, 1, 1], 'PROTOCOL'],
    ['of no length at all', [0, 0, 0, 0, 1], 'PROTOCOL'],
    ['of too much data', [0, 4, 0, 2, 1], 'PROTOCOL'],
    ['of too long a message', [0, 0, 0x40, 2, 0], 'PROTOCOL'],
    ['with a message that is none', [0, 0, 0, 3, 0, 0x7b, 0x7d], 'PROTOCOL'],
    ['cut in its header', [0, 0, 0], 'TRUNCATED'],
    ['cut in its content', [0, 0, 0, 9, 1, 1], 'TRUNCATED'],
  ])('are refused when they are %s', async (_what, bytes, code) => {
    const reader = new FrameReader(streamOf([Buffer.from(bytes)]), senderCodec)
    expect((await failure(reader.next())).code).toBe(code)
  })

  it('are sent now and then, when there is nothing to say', async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const [near, far] = createPair()
    const connection = new Connection(near, { address: 'memory:test', role: 'client', strength: 2 })
    const outbox = new Outbox<ReceiverMessage>(connection, receiverCodec, { type: 'alive' })
    await outbox.post({ type: 'accept' })
    await vi.advanceTimersByTimeAsync(4 * transferLimits.aliveAfterMs)
    outbox.stop()
    expect(vi.getTimerCount()).toBe(0)
    await connection.end()
    let said = ''
    for (let chunk = await far.read(); chunk !== null; chunk = await far.read())
      said += Buffer.from(chunk).toString('latin1')
    expect(said.match(/accept|alive/g)).toEqual(['accept', 'alive', 'alive', 'alive'])
    near.abort()
  })

  it('take their time over a slow line, of which something comes now and then', async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const frame = frameOf({ kind: 'data', bytes: Uint8Array.of(1, 2, 3) })
    const left = [...frame]
    const read = async (): Promise<Bytes | null> => {
      await new Promise((resolve) => setTimeout(resolve, transferLimits.silentMs / 2))
      const byte = left.shift()
      return byte === undefined ? null : Uint8Array.of(byte)
    }
    const reading = new FrameReader({ read }, senderCodec).next()
    const settled = Promise.allSettled([reading])
    await vi.advanceTimersByTimeAsync(frame.length * transferLimits.silentMs)
    expect(await settled).toMatchObject([{ status: 'fulfilled', value: { kind: 'data' } }])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('do not keep anybody waiting for ever', async () => {
    const [near] = createPair()
    const reader = new FrameReader(near, senderCodec, 10)
    expect((await failure(reader.next())).code).toBe('TIMEOUT')
    near.abort()
  })
})

function frameOf(frame: Frame<SenderMessage>): Uint8Array {
  if (frame.kind === 'message') return messageFrame(senderCodec.encode(frame.message))
  const memory = new Uint8Array(frameHeaderBytes + frame.bytes.length)
  memory.set(frame.bytes, frameHeaderBytes)
  return dataFrame(memory, frame.bytes.length)
}

function streamOf(chunks: readonly Buffer[]): { read(): Promise<Bytes | null> } {
  const left = chunks.map((chunk) => Uint8Array.from(chunk))
  return { read: () => Promise.resolve(left.shift() ?? null) }
}
