import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import fc from 'fast-check'
import sodium from 'libsodium-wrappers'
import { beforeAll, describe, expect, it } from 'vitest'
import { ByteReader } from '../../../core/byte-reader.ts'
import { concat, fromHex, toHex } from '../../../core/bytes.ts'
import { createIdentity } from '../../../core/ed25519.ts'
import { createPair } from '../../../core/pair.ts'
import type { ByteStream } from '../../../core/types.ts'
import { keysFromSeed } from '../../../plugs/keys.ts'
import { createNativeCrypto } from '../../../plugs/shs/crypto-native.ts'
import { createWasmCrypto } from '../../../plugs/shs/crypto-wasm.ts'
import type { ShsCrypto } from '../../../plugs/shs/crypto.ts'
import { FrameOpener, FrameSealer } from '../../../plugs/shs/frames.ts'
import { shakeAsClient, shakeAsServer } from '../../../plugs/shs/handshake.ts'
import { loadNative } from '../../../plugs/secret/native.ts'
import vectors from '../../vectors/shs.json' with { type: 'json' }

const native = loadNative()
const backends: ShsCrypto[] = [createWasmCrypto(), ...(native ? [createNativeCrypto(native)] : [])]

beforeAll(() => sodium.ready)

describe.each(backends)('shs with $backend', (crypto) => {
  it.each(vectors.handshakes)('gives the known bytes of the handshake "$name"', async (vector) => {
    const appKey = fromHex(vector.appKey)
    const client = await keysFromSeed(fromHex(vector.clientSeed))
    const server = await keysFromSeed(fromHex(vector.serverSeed))
    expect(toHex(client.publicKey)).toBe(vector.clientPublicKey)
    const [a, b] = createPair()
    const clientWire = record(a)
    const serverWire = record(b)
    const [fromClient, fromServer] = await Promise.all([
      shakeAsClient(clientWire, server.publicKey, {
        crypto,
        appKey,
        identity: createIdentity(client),
        ephemeral: fromHex(vector.clientEphemeral),
      }),
      shakeAsServer(serverWire, {
        crypto,
        appKey,
        identity: createIdentity(server),
        ephemeral: fromHex(vector.serverEphemeral),
        authorize: () => Promise.resolve('welcome'),
      }),
    ])
    expect(clientWire.written).toEqual([vector.clientChallenge, vector.clientHello])
    expect(serverWire.written).toEqual([vector.serverChallenge, vector.serverAccept])
    expect(toHex(fromClient.remote)).toBe(vector.serverPublicKey)
    expect(toHex(fromServer.remote)).toBe(vector.clientPublicKey)
    expect(fromServer.auth).toBe('welcome')
    expect(hexed(fromClient.send)).toEqual(vector.clientToServer)
    expect(hexed(fromServer.receive)).toEqual(vector.clientToServer)
    expect(hexed(fromServer.send)).toEqual(vector.serverToClient)
    expect(hexed(fromClient.receive)).toEqual(vector.serverToClient)
  })

  it.each(vectors.streams)('gives the known frames of "$name", and opens them', (vector) => {
    const keys = () => ({ key: fromHex(vector.key).slice(), nonce: fromHex(vector.nonce).slice() }) as never
    const chunks = vector.lengths.map(makePattern)
    const sealer = new FrameSealer(crypto, keys())
    const frames = concat(...chunks.map((chunk) => sealAll(sealer, chunk)), sealer.sealGoodbye())
    expect(createHash('sha256').update(frames).digest('hex')).toBe(vector.framesSha256)
    if ('frames' in vector) expect(toHex(frames)).toBe(vector.frames)

    const opener = new FrameOpener(crypto, keys())
    opener.push(frames)
    expect(concat(...openAll(opener))).toEqual(concat(...chunks))
    expect(opener.ending).toBe('goodbye')
  })
})

describe('the two backends', () => {
  it.runIf(native)('give equal bytes', () => {
    const [wasm, fast] = backends
    if (wasm === undefined || fast === undefined) throw new Error('both backends are needed')
    const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
    const message = fc.uint8Array({ maxLength: 300 })
    fc.assert(
      fc.property(bytes(32), bytes(24), message, bytes(32), (key, nonce, plain, other) => {
        expect(fast.sha256(plain)).toEqual(wasm.sha256(plain))
        const mac = wasm.hmac(key, plain)
        expect(fast.hmac(key, plain)).toEqual(mac)
        for (const crypto of [wasm, fast]) {
          expect(crypto.verifyHmac(mac, key, plain)).toBe(true)
          expect(crypto.verifyHmac(mac, other, plain)).toBe(false)
        }
        const dhKeys = wasm.createDhKeys(Uint8Array.from(key))
        expect(fast.createDhKeys(Uint8Array.from(key))).toEqual(dhKeys)
        expect(fast.dh(Uint8Array.from(other), dhKeys.publicKey)).toEqual(
          wasm.dh(Uint8Array.from(other), dhKeys.publicKey),
        )
        const sealed = [wasm, fast].map((crypto) => {
          const cipher = new Uint8Array(plain.length)
          const tag = new Uint8Array(16)
          crypto.seal(cipher, tag, plain, nonce, key)
          return concat(tag, cipher)
        })
        expect(sealed[1]).toEqual(sealed[0])
        for (const crypto of [wasm, fast]) {
          const boxed = sealed[0] ?? new Uint8Array(16)
          const opened = new Uint8Array(plain.length)
          expect(crypto.open(opened, boxed.subarray(16), boxed.subarray(0, 16), nonce, key)).toBe(true)
          expect(opened).toEqual(Uint8Array.from(plain))
          expect(crypto.open(opened, boxed.subarray(16), mac.subarray(0, 16), nonce, key)).toBe(false)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('refuse keys of small order and the signature that fits everything', () => {
    const smallOrder = [new Uint8Array(32), Uint8Array.of(1, ...new Uint8Array(31))]
    // R and the key are the neutral element and s is zero: lax rules accept this for every message.
    const neutral = Uint8Array.of(1, ...new Uint8Array(31))
    const universal = concat(neutral, new Uint8Array(32))
    for (const crypto of backends) {
      for (const key of smallOrder) expect(crypto.dh(new Uint8Array(32).fill(9), key)).toBeNull()
      expect(crypto.verify(universal, Uint8Array.of(1, 2, 3), neutral)).toBe(false)
    }
  })
})

it('loads the reference to compare with', () => {
  expect(createRequire(import.meta.url)('multiserver-3.8.2/plugins/shs')).toBeTypeOf('function')
})

function record(stream: ByteStream) {
  const written: string[] = []
  const write = (chunk: Uint8Array) => {
    written.push(toHex(chunk))
    return stream.write(chunk)
  }
  return { reader: new ByteReader(stream), write, written }
}

function hexed({ key, nonce }: { key: Uint8Array; nonce: Uint8Array }) {
  return { key: toHex(key), nonce: toHex(nonce) }
}

function makePattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 7 + 1) & 0xff)
}

function sealAll(sealer: FrameSealer, plain: Uint8Array): Uint8Array {
  const batches: Uint8Array[] = []
  for (let next = 0; next < plain.length;) {
    const batch = sealer.seal(plain, next)
    batches.push(batch.frames)
    next = batch.next
  }
  return concat(...batches)
}

function openAll(opener: FrameOpener): Uint8Array[] {
  const opened: Uint8Array[] = []
  for (let chunk = opener.open(); chunk !== null; chunk = opener.open()) opened.push(chunk)
  return opened
}
