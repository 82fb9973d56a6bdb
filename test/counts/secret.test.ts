import { beforeAll, describe, expect, it } from 'vitest'
import { ready } from '../../core/ed25519.ts'
import { CipherState } from '../../core/noise.ts'
import { Connection } from '../../core/connection.ts'
import { loadNoiseCrypto } from '../../plugs/noise-crypto.ts'
import { FrameStream, type FrameOpener, type FrameSealer } from '../../plugs/secret/frame-stream.ts'
import { loadCrypto, type ShsCrypto } from '../../plugs/shs/crypto.ts'
import { FrameOpener as ShsOpener, FrameSealer as ShsSealer } from '../../plugs/shs/frames.ts'
import { Shs2Opener, Shs2Sealer } from '../../plugs/shs2/frames.ts'
import type { NoiseCrypto } from '../../core/noise-crypto.ts'
import type { Bytes, ByteStream } from '../../core/types.ts'
import { countMemory } from './count-memory.ts'

/*
 * What a mebibyte costs, counted: a regression of the fast paths shows here on any machine. Whoever makes one of these
 * numbers smaller lowers it here.
 */
const MiB = 1024 * 1024
const chunkBytes = 64 * 1024
const shsFrameBytes = 4096
const shs2FrameBytes = 16 * 1024
const boxedHeadBytes = 34
const frameOverheadBytes = 34
const tagBytes = 16

let shsCrypto: ShsCrypto
let noiseCrypto: NoiseCrypto

beforeAll(async () => {
  await ready()
  ;[shsCrypto, noiseCrypto] = [await loadCrypto(), loadNoiseCrypto()]
})

describe('a mebibyte through shs', () => {
  it('is two boxes and 34 bytes for each 4 KiB, written 64 KiB at a time into memory that is used again', async () => {
    const counted = countedShs()
    const { stream, wire } = recorded(new ShsSealer(counted.crypto, frameKey()), noOpener)
    await write(stream, MiB)
    expect(counted.calls.seal).toBe((2 * MiB) / shsFrameBytes)
    expect(wire.writes).toBe(MiB / chunkBytes)
    expect(wire.bytes).toBe(MiB + (boxedHeadBytes * MiB) / shsFrameBytes)
    expect(await countMemory(() => write(stream, MiB))).toBe(0)
  })

  it('is opened by as many boxes, where it lies', async () => {
    const chunks = await sealed(new ShsSealer(shsCrypto, frameKey()))
    const counted = countedShs()
    const opener = new ShsOpener(counted.crypto, frameKey())
    const bytes = await countMemory(() => readAll(opener, chunks))
    expect(counted.calls.open).toBe((2 * MiB) / shsFrameBytes)
    // One frame in each chunk of 64 KiB lies across its border, and is put together in memory that its reader gets.
    expect(bytes).toBe((MiB / chunkBytes) * shsFrameBytes)
  })
})

describe('a mebibyte through shs2', () => {
  it('is two seals and 34 bytes for each 16 KiB, written 64 KiB at a time into memory that is used again', async () => {
    const counted = countedNoise()
    const { stream, wire } = recorded(new Shs2Sealer(cipherOf(counted.crypto)), noOpener)
    await write(stream, MiB)
    expect(counted.calls.seal).toBe((2 * MiB) / shs2FrameBytes)
    expect(wire.writes).toBe(MiB / chunkBytes)
    expect(wire.bytes).toBe(MiB + (frameOverheadBytes * MiB) / shs2FrameBytes)
    expect(await countMemory(() => write(stream, MiB))).toBeLessThan(MiB / 1000)
  })

  it('is opened by as many, most of it where it lies', async () => {
    const chunks = await sealed(new Shs2Sealer(cipherOf(noiseCrypto)))
    const counted = countedNoise()
    const opener = new Shs2Opener(cipherOf(counted.crypto))
    const bytes = await countMemory(() => readAll(opener, chunks))
    expect(counted.calls.open).toBe((2 * MiB) / shs2FrameBytes)
    // One frame in four lies across the border of two chunks, and is put together in memory that its reader gets.
    expect(bytes).toBe((MiB / chunkBytes) * (shs2FrameBytes + tagBytes))
  })
})

describe('a mebibyte in pieces of 1 KiB, each awaited', () => {
  it('is written to the layer below as few times as large pieces are, but for the first', async () => {
    const { stream, wire } = recorded(new ShsSealer(shsCrypto, frameKey()), noOpener)
    const connection = new Connection(stream, { address: 'memory', role: 'client', strength: 1 })
    for (let sent = 0; sent < MiB; sent += 1024) await connection.write(new Uint8Array(1024))
    await connection.end()
    // The goodbye is the last.
    expect(wire.writes).toBeLessThanOrEqual(MiB / chunkBytes + 3)
    expect(wire.bytes).toBeLessThan(MiB + (boxedHeadBytes * (MiB + 4 * chunkBytes)) / shsFrameBytes)
  })
})

const noOpener: FrameOpener = {
  ending: undefined,
  push: () => undefined,
  open: () => null,
  wipe: () => undefined,
}

/** A stream over one that counts, and takes a turn of the event loop for each write as a socket does. */
function recorded(sealer: FrameSealer, opener: FrameOpener) {
  const wire = { writes: 0, bytes: 0 }
  const inner: ByteStream = {
    closed: new Promise(() => undefined),
    read: () => new Promise(() => undefined),
    end: () => Promise.resolve(),
    abort: () => undefined,
    async write(chunk) {
      wire.writes += 1
      wire.bytes += chunk.length
      await new Promise((resolve) => setImmediate(resolve))
    },
  }
  return { stream: new FrameStream(inner, { sealer, opener, received: null }), wire }
}

async function write(stream: ByteStream, bytes: number): Promise<void> {
  const chunk = Buffer.alloc(chunkBytes)
  for (let sent = 0; sent < bytes; sent += chunkBytes) await stream.write(chunk)
}

/** A mebibyte of frames, cut as a socket cuts them. */
async function sealed(sealer: FrameSealer): Promise<Bytes[]> {
  const frames: Buffer[] = []
  const plain = new Uint8Array(MiB)
  for (let next = 0; next < MiB;) {
    const batch = sealer.seal(plain, next)
    next = batch.next
    frames.push(Buffer.from(batch.frames))
    sealer.reuse(batch.frames)
  }
  const wire = Buffer.concat(frames)
  const chunks: Bytes[] = []
  for (let at = 0; at < wire.length; at += chunkBytes) {
    chunks.push(Uint8Array.from(wire.subarray(at, at + chunkBytes)))
  }
  return await Promise.resolve(chunks)
}

function readAll(opener: FrameOpener, chunks: readonly Bytes[]): Promise<void> {
  let opened = 0
  for (const chunk of chunks) {
    opener.push(chunk)
    for (let plain = opener.open(); plain !== null; plain = opener.open()) opened += plain.length
  }
  expect(opener.ending).toBeUndefined()
  expect(opened).toBe(MiB)
  return Promise.resolve()
}

function countedShs() {
  const calls = { seal: 0, open: 0 }
  const crypto: ShsCrypto = {
    ...shsCrypto,
    seal(...parts) {
      calls.seal += 1
      shsCrypto.seal(...parts)
    },
    open(...parts) {
      calls.open += 1
      return shsCrypto.open(...parts)
    },
  }
  return { calls, crypto }
}

function countedNoise() {
  const calls = { seal: 0, open: 0 }
  const crypto: NoiseCrypto = {
    ...noiseCrypto,
    seal(...parts) {
      calls.seal += 1
      noiseCrypto.seal(...parts)
    },
    open(...parts) {
      calls.open += 1
      return noiseCrypto.open(...parts)
    },
  }
  return { calls, crypto }
}

function frameKey() {
  return { key: new Uint8Array(32).fill(7), nonce: new Uint8Array(24).fill(1) }
}

function cipherOf(crypto: NoiseCrypto): CipherState {
  const cipher = new CipherState(crypto)
  cipher.initializeKey(new Uint8Array(32).fill(7))
  return cipher
}
