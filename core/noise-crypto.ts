import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import sodium from 'libsodium-wrappers'

/** Bytes that a Poly1305 tag adds to a plaintext. */
export const TAG_BYTES = 16

/**
 * The functions of Noise (revision 34, section 4) for 25519, ChaChaPoly and SHA256. Backends differ in speed and in
 * nothing else. Arguments are left as they are, but for what is named `out`; results are fresh.
 */
export interface NoiseCrypto {
  /** For people and for tests. */
  readonly backend: string
  /** X25519 public key of a secret of 32 bytes. */
  dhPublicKey(secretKey: Uint8Array): Uint8Array
  /** X25519. Throws, or gives zeros, where the result is all zeros. */
  dh(secretKey: Uint8Array, publicKey: Uint8Array): Uint8Array
  /** HASH(data). */
  sha256(data: Uint8Array): Uint8Array
  /** HMAC-HASH(key, data). */
  hmac(key: Uint8Array, data: Uint8Array): Uint8Array
  /** ENCRYPT into `out`, which has 16 bytes more than `plaintext`. `nonce` has 12 bytes, `key` 32. */
  seal(out: Uint8Array, plaintext: Uint8Array, ad: Uint8Array, nonce: Uint8Array, key: Uint8Array): void
  /**
   * DECRYPT into `out`, which has 16 bytes less than `ciphertext` and may be its beginning; false, and nothing given
   * away, when it does not open.
   */
  open(out: Uint8Array, ciphertext: Uint8Array, ad: Uint8Array, nonce: Uint8Array, key: Uint8Array): boolean
}

/** By libsodium-wrappers, once it is ready, and hashes by noble, since the standard build of the first has none. */
export const wasmNoiseCrypto: NoiseCrypto = {
  backend: 'libsodium-wrappers',
  dhPublicKey: (secretKey) => sodium.crypto_scalarmult_base(secretKey),
  dh: (secretKey, publicKey) => sodium.crypto_scalarmult(secretKey, publicKey),
  sha256: (data) => sha256(data),
  hmac: (key, data) => hmac(sha256, key, data),
  seal(out, plaintext, ad, nonce, key) {
    out.set(sodium.crypto_aead_chacha20poly1305_ietf_encrypt(plaintext, ad, null, nonce, key))
  },
  open(out, ciphertext, ad, nonce, key) {
    try {
      out.set(sodium.crypto_aead_chacha20poly1305_ietf_decrypt(null, ciphertext, ad, nonce, key))
      return true
    } catch {
      return false
    }
  },
}

/**
 * ML-KEM-768 (FIPS 203), the KEM of the hfs modifier. What it draws is drawn here in one go: libsodium asks for every
 * four bytes anew, which took as long as the rest.
 */
export const mlKem = {
  publicKeyBytes: 1184,
  ciphertextBytes: 1088,
  /** @param seed d and z of section 7.1, 64 bytes; given for known answers only */
  createKeys(seed: Uint8Array = randomBytes(64)): KemKeys {
    const { publicKey, privateKey } = sodium.crypto_kem_mlkem768_seed_keypair(seed)
    seed.fill(0)
    return { publicKey, secretKey: privateKey }
  },
  /**
   * Throws for a key that fails the modulus check of section 7.2.
   * @param seed m of that section, 32 bytes; given for known answers only
   */
  encapsulate(
    publicKey: Uint8Array,
    seed: Uint8Array = randomBytes(32),
  ): { ciphertext: Uint8Array; sharedSecret: Uint8Array } {
    const encapsulated = sodium.crypto_kem_mlkem768_enc_deterministic(publicKey, seed)
    seed.fill(0)
    return encapsulated
  },
  /** A ciphertext that is not for this key gives a secret that nobody else has. */
  decapsulate: (ciphertext: Uint8Array, secretKey: Uint8Array): Uint8Array =>
    sodium.crypto_kem_mlkem768_dec(ciphertext, secretKey),
}

export interface KemKeys {
  readonly publicKey: Uint8Array
  readonly secretKey: Uint8Array
}

/** From the platform, which every place that runs this has. */
export function randomBytes(length: number): Uint8Array {
  return globalThis.crypto.getRandomValues(new Uint8Array(length))
}
