import { TAG_BYTES, wasmNoiseCrypto, type NoiseCrypto } from './noise-crypto.ts'
import type { Bytes } from './types.ts'

export { TAG_BYTES } from './noise-crypto.ts'

/** Something about the Noise conversation is wrong; whoever runs it wraps this under the code that fits. */
export class NoiseError extends Error {
  override readonly name = 'NoiseError'
}

/**
 * The CipherState of Noise (revision 34, section 5.1) with ChaCha20-Poly1305 (section 12.3).
 * Without a key it passes bytes as they are.
 */
export class CipherState {
  readonly #crypto: NoiseCrypto
  #key: Uint8Array | null = null
  #nonce = 0
  readonly #nonceBytes = new Uint8Array(12)
  readonly #nonceView = new DataView(this.#nonceBytes.buffer)

  constructor(crypto: NoiseCrypto = wasmNoiseCrypto) {
    this.#crypto = crypto
  }

  /** InitializeKey(key): 32 bytes, which belong to the cipher state from then on. */
  initializeKey(key: Uint8Array): void {
    this.#key?.fill(0)
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
    const sealed = new Uint8Array(plaintext.length + TAG_BYTES)
    this.#seal(sealed, plaintext, ad, this.#key)
    return sealed
  }

  /** EncryptWithAd without associated data, into `out`, which has 16 bytes more than `plaintext`. */
  encryptInto(out: Uint8Array, plaintext: Uint8Array): void {
    if (this.#key === null) throw new NoiseError('a cipher state without a key has no tag to write')
    this.#seal(out, plaintext, NOTHING, this.#key)
  }

  /** DecryptWithAd(ad, ciphertext). When it does not open the nonce stays, as the specification has it. */
  decrypt(ciphertext: Uint8Array, ad: Uint8Array = NOTHING): Bytes {
    if (this.#key === null) return new Uint8Array(ciphertext)
    if (ciphertext.length < TAG_BYTES) throw new NoiseError('a ciphertext is shorter than its tag')
    const opened = new Uint8Array(ciphertext.length - TAG_BYTES)
    if (!this.#open(opened, ciphertext, ad, this.#key)) throw new NoiseError('a ciphertext did not open')
    return opened
  }

  /** DecryptWithAd without associated data, into `out`, which has 16 bytes less; false when it does not open. */
  decryptInto(out: Uint8Array, ciphertext: Uint8Array): boolean {
    if (this.#key === null) throw new NoiseError('a cipher state without a key has no tag to check')
    return this.#open(out, ciphertext, NOTHING, this.#key)
  }

  /** Rekey(): the first 32 bytes of ENCRYPT(k, 2^64-1, empty, 32 zero bytes) (section 4.2). The nonce goes on. */
  rekey(): void {
    if (this.#key === null) throw new NoiseError('a cipher state without a key cannot rekey')
    const sealed = new Uint8Array(KEY_BYTES + TAG_BYTES)
    this.#crypto.seal(sealed, new Uint8Array(KEY_BYTES), NOTHING, REKEY_NONCE, this.#key)
    this.#key.fill(0)
    this.#key = sealed.slice(0, KEY_BYTES)
    sealed.fill(0)
  }

  /** Overwrites the key; nothing can be done with this cipher state afterwards. */
  wipe(): void {
    this.#key?.fill(0)
    this.#nonce = MAX_NONCE
  }

  #seal(out: Uint8Array, plaintext: Uint8Array, ad: Uint8Array, key: Uint8Array): void {
    this.#encodeNonce()
    this.#crypto.seal(out, plaintext, ad, this.#nonceBytes, key)
    this.#nonce += 1
  }

  #open(out: Uint8Array, ciphertext: Uint8Array, ad: Uint8Array, key: Uint8Array): boolean {
    this.#encodeNonce()
    if (!this.#crypto.open(out, ciphertext, ad, this.#nonceBytes, key)) return false
    this.#nonce += 1
    return true
  }

  /**
   * Section 12.3: 32 bits of zeros, then n in 64 bits, little-endian. The specification stops at 2^64-1; numbers
   * are exact up to 2^53-1, which nobody reaches either.
   */
  #encodeNonce(): void {
    const n = this.#nonce
    if (n >= MAX_NONCE) throw new NoiseError('the nonces of this cipher state are used up')
    this.#nonceView.setUint32(4, n >>> 0, true)
    this.#nonceView.setUint32(8, Math.floor(n / 2 ** 32), true)
  }

  /** @internal Skips ahead, for tests of what happens late. */
  setNonce(nonce: number): void {
    this.#nonce = nonce
  }
}

const NOTHING = new Uint8Array(0)
const KEY_BYTES = 32
const MAX_NONCE = Number.MAX_SAFE_INTEGER
const REKEY_NONCE = Uint8Array.of(0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255)
