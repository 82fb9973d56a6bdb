import { loadNative } from '#sodium-native'
import { ready } from '../../core/ed25519.ts'
import type { Bytes } from '../../core/types.ts'
import { createNativeCrypto } from './crypto-native.ts'
import { createWasmCrypto } from './crypto-wasm.ts'

export interface DhKeys {
  /** X25519, 32 bytes. */
  readonly publicKey: Bytes
  readonly secretKey: Bytes
}

/** All the cryptography of shs but the long-term key's, which is an Identity. An output is an input only where it says so. */
export interface ShsCrypto {
  readonly backend: 'sodium-native' | 'libsodium-wrappers'
  /** HMAC-SHA-512 cut to its first 32 bytes. */
  hmac(key: Uint8Array, message: Uint8Array): Bytes
  /** Constant in time. */
  verifyHmac(mac: Uint8Array, key: Uint8Array, message: Uint8Array): boolean
  sha256(message: Uint8Array): Bytes
  /** X25519 keys of 32 random bytes. */
  createDhKeys(secretKey: Bytes): DhKeys
  /** X25519; null when the result is all zeros, as it is for a public key of small order. */
  dh(secretKey: Uint8Array, publicKey: Uint8Array): Bytes | null
  /** Ed25519 by libsodium's strict rules. */
  verify(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean
  /** XSalsa20-Poly1305: fills `cipher`, as long as `plain`, and `mac`, 16 bytes. */
  seal(cipher: Uint8Array, mac: Uint8Array, plain: Uint8Array, nonce: Uint8Array, key: Uint8Array): void
  /** Fills `plain`, as long as `cipher` and maybe the same, or answers false and gives nothing away. */
  open(plain: Uint8Array, cipher: Uint8Array, mac: Uint8Array, nonce: Uint8Array, key: Uint8Array): boolean
}

let loaded: ShsCrypto | undefined

/** The native backend where it loads, else WebAssembly. Waits for libsodium, which identities need in any case. */
export async function loadCrypto(): Promise<ShsCrypto> {
  await ready()
  loaded ??= createCrypto()
  return loaded
}

function createCrypto(): ShsCrypto {
  const native = loadNative()
  return native === undefined ? createWasmCrypto() : createNativeCrypto(native)
}
