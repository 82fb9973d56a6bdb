import { createRequire } from 'node:module'

/** The part of sodium-native that is used here; outputs are filled in place. */
export interface NativeSodium {
  crypto_auth(out: Uint8Array, message: Uint8Array, key: Uint8Array): void
  crypto_auth_verify(mac: Uint8Array, message: Uint8Array, key: Uint8Array): boolean
  crypto_hash_sha256(out: Uint8Array, message: Uint8Array): void
  crypto_scalarmult_base(out: Uint8Array, secretKey: Uint8Array): void
  /** Throws on an all-zero result. */
  crypto_scalarmult(out: Uint8Array, secretKey: Uint8Array, publicKey: Uint8Array): void
  crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean
  crypto_secretbox_detached(
    cipher: Uint8Array,
    mac: Uint8Array,
    plain: Uint8Array,
    nonce: Uint8Array,
    key: Uint8Array,
  ): void
  crypto_aead_chacha20poly1305_ietf_encrypt(
    cipher: Uint8Array,
    plain: Uint8Array,
    ad: Uint8Array | null,
    secretNonce: null,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number
  /** Throws when it does not open. */
  crypto_aead_chacha20poly1305_ietf_decrypt(
    plain: Uint8Array,
    secretNonce: null,
    cipher: Uint8Array,
    ad: Uint8Array | null,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number
  crypto_secretbox_open_detached(
    plain: Uint8Array,
    cipher: Uint8Array,
    mac: Uint8Array,
    nonce: Uint8Array,
    key: Uint8Array,
  ): boolean
}

let loaded: { sodium: NativeSodium | undefined } | undefined

/** sodium-native where it is installed and loads; it is optional. Tried once, at the first use. */
export function loadNative(): NativeSodium | undefined {
  loaded ??= { sodium: tryToLoad() }
  return loaded.sodium
}

function tryToLoad(): NativeSodium | undefined {
  try {
    return createRequire(import.meta.url)('sodium-native') as NativeSodium
  } catch {
    return undefined
  }
}
