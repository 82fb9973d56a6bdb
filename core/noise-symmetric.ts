import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import sodium from 'libsodium-wrappers'
import { concat, fromText } from './bytes.ts'
import { CipherState } from './noise-cipher.ts'
import type { Bytes } from './types.ts'

/** The SymmetricState of Noise (revision 34, section 5.2) with SHA-256: the chaining key and the transcript. */
export class SymmetricState {
  readonly #cipher = new CipherState()
  #chainingKey: Uint8Array
  #hash: Uint8Array

  /** InitializeSymmetric(protocol_name): a name of up to 32 bytes is padded, a longer one hashed. */
  constructor(protocolName: string) {
    const name = fromText(protocolName)
    this.#hash =
      name.length <= HASH_BYTES ? concat(name, new Uint8Array(HASH_BYTES - name.length)) : sha256(name)
    this.#chainingKey = this.#hash.slice()
  }

  get hasKey(): boolean {
    return this.#cipher.hasKey
  }

  /** MixKey(input_key_material). */
  mixKey(material: Uint8Array): void {
    const [chainingKey, key] = this.#derive(material, 2)
    this.#chainingKey = chainingKey
    this.#cipher.initializeKey(key)
  }

  /** MixHash(data). */
  mixHash(data: Uint8Array): void {
    this.#hash = sha256(concat(this.#hash, data))
  }

  /** MixKeyAndHash(input_key_material), for pre-shared keys. */
  mixKeyAndHash(material: Uint8Array): void {
    const [chainingKey, hash, key] = this.#derive(material, 3)
    this.#chainingKey = chainingKey
    this.mixHash(hash)
    this.#cipher.initializeKey(key)
  }

  /** EncryptAndHash(plaintext). */
  encryptAndHash(plaintext: Uint8Array): Bytes {
    const ciphertext = this.#cipher.encrypt(plaintext, this.#hash)
    this.mixHash(ciphertext)
    return ciphertext
  }

  /** DecryptAndHash(ciphertext). */
  decryptAndHash(ciphertext: Uint8Array): Bytes {
    const plaintext = this.#cipher.decrypt(ciphertext, this.#hash)
    this.mixHash(ciphertext)
    return plaintext
  }

  /** GetHandshakeHash(): 32 bytes. */
  handshakeHash(): Uint8Array {
    return this.#hash.slice()
  }

  /** Split(): the first cipher state is the initiator's to send with, the second the responder's. */
  split(): [CipherState, CipherState] {
    const [key1, key2] = this.#derive(new Uint8Array(0), 2)
    const first = new CipherState()
    const second = new CipherState()
    first.initializeKey(key1)
    second.initializeKey(key2)
    this.wipe()
    return [first, second]
  }

  wipe(): void {
    sodium.memzero(this.#chainingKey)
    this.#cipher.wipe()
  }

  /**
   * HKDF(chaining_key, input_key_material, num_outputs), section 4.3: RFC 5869 with the chaining key
   * as salt and empty info.
   */
  #derive(material: Uint8Array, outputs: 2 | 3): [Uint8Array, Uint8Array, Uint8Array] {
    const bytes = hkdf(sha256, material, this.#chainingKey, undefined, outputs * HASH_BYTES)
    return [bytes.slice(0, 32), bytes.slice(32, 64), bytes.slice(64)]
  }
}

const HASH_BYTES = 32
