import { existsSync, readFileSync } from 'node:fs'
import sodium from 'libsodium-wrappers'
import { beforeAll, describe, expect, it } from 'vitest'
import { wasmNoiseCrypto, type NoiseCrypto } from '../../../core/noise.ts'
import { createNativeNoiseCrypto, loadNoiseCrypto, nodeNoiseCrypto } from '../../../plugs/noise-crypto.ts'
import { loadNative } from '../../../plugs/secret/native.ts'
import own from '../../vectors/shs2.json' with { type: 'json' }
import { reproduce, reproduceRekey, type Shs2Vector } from './known-answer.ts'

const native = loadNative()
const backends: NoiseCrypto[] = [
  wasmNoiseCrypto,
  nodeNoiseCrypto,
  ...(native ? [createNativeNoiseCrypto(native)] : []),
]

beforeAll(() => sodium.ready)

// The protocol's own, where a checkout has them beside it.
const published = new URL('../../../../shared/vectors/shs2.json', import.meta.url)
const vectors: readonly Shs2Vector[] = [
  ...own.vectors,
  ...(existsSync(published)
    ? (JSON.parse(readFileSync(published, 'utf8')) as { vectors: Shs2Vector[] }).vectors
    : []),
]

describe.each(backends)('shs2 with $backend', (crypto) => {
  it.each(vectors)('gives the known bytes of server $serverPublicKey', async (vector) => {
    expect(vector).toMatchObject(await reproduce(vector, crypto))
  })

  it.each(vectors.filter((vector) => 'rekey' in vector))(
    'gives the known frames around the change of the key of server $serverPublicKey',
    (vector) => {
      expect(vector.rekey).toMatchObject(reproduceRekey(vector, crypto))
    },
  )

  it('gives the same bytes as WebAssembly for every length, and opens no others', () => {
    const [key, nonce, ad] = [
      sodium.randombytes_buf(32),
      sodium.randombytes_buf(12),
      sodium.randombytes_buf(7),
    ]
    for (const length of [0, 1, 15, 16, 17, 63, 64, 65, 1007, 1008, 1023, 1024, 1025, 4096, 65_519]) {
      const plaintext = sodium.randombytes_buf(length)
      const [mine, theirs] = [new Uint8Array(length + 16), new Uint8Array(length + 16)]
      crypto.seal(mine, plaintext, ad, nonce, key)
      wasmNoiseCrypto.seal(theirs, plaintext, ad, nonce, key)
      expect(mine).toEqual(theirs)
      const out = new Uint8Array(length)
      expect(crypto.open(out, mine, ad, nonce, key)).toBe(true)
      expect(out).toEqual(plaintext)
      for (const place of [0, length, length + 15]) {
        const forged = mine.slice()
        forged[place] = (forged[place] ?? 0) ^ 1
        const untouched = new Uint8Array(length)
        expect(crypto.open(untouched, forged, ad, nonce, key)).toBe(false)
        expect(untouched).toEqual(new Uint8Array(length))
      }
    }
    const [secret, data] = [sodium.randombytes_buf(32), sodium.randombytes_buf(200)]
    const publicKey = wasmNoiseCrypto.dhPublicKey(sodium.randombytes_buf(32))
    expect(plain(crypto.sha256(data))).toEqual(wasmNoiseCrypto.sha256(data))
    expect(plain(crypto.hmac(secret, data))).toEqual(wasmNoiseCrypto.hmac(secret, data))
    expect(crypto.dhPublicKey(secret)).toEqual(wasmNoiseCrypto.dhPublicKey(secret))
    expect(crypto.dh(secret, publicKey)).toEqual(wasmNoiseCrypto.dh(secret, publicKey))
  })
})

it('the fastest backend is the native one where it loads', () => {
  expect(loadNoiseCrypto().backend).toBe(native ? 'sodium-native' : 'node:crypto')
})

function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes)
}
