import sodium from 'libsodium-wrappers'
import type { Bytes } from './types.ts'

/** Bytes that a Poly1305 tag adds to a plaintext. */
export const TAG_BYTES = 16

/** Something about the Noise conversation is wrong; whoever runs it wraps this under the code that fits. */
export class NoiseError extends Error {
  override readonly name = 'NoiseError'
}

/**
 * The CipherState of Noise (revision 34, section 5.1) with ChaCha20-Poly1305 (section 12.3).
 * Without a key it passes bytes as they are. Needs `sodium.ready` to have been awaited.
 */
export class CipherState {
  #key: Uint8Array | null = null
  #nonce = 0

  /** InitializeKey(key): 32 bytes, which belong to the cipher state from then on. */
  initializeKey(key: Uint8Array): void {
    this.#key = key
    this.#nonce = 0
  }

  /** HasKey(). */
  get hasKey(): boolean {
    return this.#key !== null
  }

  /** The number of the next operation. */
  get nonce(): number {
    return this.#nonce
  }

  /** EncryptWithAd(ad, plaintext): 16 bytes more than the plaintext. */
  encrypt(plaintext: Uint8Array, ad: Uint8Array = NOTHING): Bytes {
    if (this.#key === null) return new Uint8Array(plaintext)
    const nonce = encodeNonce(this.#takeableNonce())
    const sealed = sodium.crypto_aead_chacha20poly1305_ietf_encrypt(plaintext, ad, null, nonce, this.#key)
    this.#nonce += 1
    return sealed as Bytes
  }

  /** DecryptWithAd(ad, ciphertext). When it does not open the nonce stays, as the specification has it. */
  decrypt(ciphertext: Uint8Array, ad: Uint8Array = NOTHING): Bytes {
    if (this.#key === null) return new Uint8Array(ciphertext)
    const nonce = encodeNonce(this.#takeableNonce())
    const opened = open(ciphertext, ad, nonce, this.#key)
    this.#nonce += 1
    return opened
  }

  /** Rekey(): the first 32 bytes of ENCRYPT(k, 2^64-1, empty, 32 zero bytes) (section 4.2). The nonce goes on. */
  rekey(): void {
    if (this.#key === null) throw new NoiseError('a cipher state without a key cannot rekey')
    const zeros = new Uint8Array(32)
    const sealed = sodium.crypto_aead_chacha20poly1305_ietf_encrypt(
      zeros,
      NOTHING,
      null,
      REKEY_NONCE,
      this.#key,
    )
    sodium.memzero(this.#key)
    this.#key = sealed.slice(0, 32)
  }

  /** Overwrites the key; nothing can be done with this cipher state afterwards. */
  wipe(): void {
    if (this.#key !== null) sodium.memzero(this.#key)
    this.#nonce = MAX_NONCE
  }

  /** The specification stops at 2^64-1; numbers are exact up to 2^53-1, which nobody reaches either. */
  #takeableNonce(): number {
    if (this.#nonce >= MAX_NONCE) throw new NoiseError('the nonces of this cipher state are used up')
    return this.#nonce
  }

  /** @internal Skips ahead, for tests of what happens late. */
  setNonce(nonce: number): void {
    this.#nonce = nonce
  }
}

const NOTHING = new Uint8Array(0)
const MAX_NONCE = Number.MAX_SAFE_INTEGER
const REKEY_NONCE = Uint8Array.of(0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255)

/** Section 12.3: 32 bits of zeros, then n in 64 bits, little-endian. */
function encodeNonce(n: number): Uint8Array {
  const nonce = new Uint8Array(12)
  const view = new DataView(nonce.buffer)
  view.setUint32(4, n >>> 0, true)
  view.setUint32(8, Math.floor(n / 2 ** 32), true)
  return nonce
}

function open(ciphertext: Uint8Array, ad: Uint8Array, nonce: Uint8Array, key: Uint8Array): Bytes {
  if (ciphertext.length < TAG_BYTES) throw new NoiseError('a ciphertext is shorter than its tag')
  try {
    return sodium.crypto_aead_chacha20poly1305_ietf_decrypt(null, ciphertext, ad, nonce, key) as Bytes
  } catch (error) {
    throw new NoiseError('a ciphertext did not open', { cause: error })
  }
}
