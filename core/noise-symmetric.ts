import { concat, copy, fromText } from './bytes.ts'
import { CipherState } from './noise-cipher.ts'
import type { NoiseCrypto } from './noise-crypto.ts'
import type { Bytes } from './types.ts'

/** The SymmetricState of Noise (revision 34, section 5.2) with SHA-256: the chaining key and the transcript. */
export class SymmetricState {
  readonly #crypto: NoiseCrypto
  readonly #cipher: CipherState
  #chainingKey: Uint8Array
  #hash: Uint8Array

  /** InitializeSymmetric(protocol_name): a name of up to 32 bytes is padded, a longer one hashed. */
  constructor(protocolName: string, crypto: NoiseCrypto) {
    this.#crypto = crypto
    this.#cipher = new CipherState(crypto)
    const name = fromText(protocolName)
    const isShort = name.length <= HASH_BYTES
    this.#hash = isShort ? concat(name, new Uint8Array(HASH_BYTES - name.length)) : crypto.sha256(name)
    this.#chainingKey = copy(this.#hash)
  }

  get hasKey(): boolean {
    return this.#cipher.hasKey
  }

  /** MixKey(input_key_material). */
  mixKey(material: Uint8Array): void {
    const [chainingKey, key] = this.#hkdf(material)
    this.#replaceChainingKey(chainingKey)
    this.#cipher.initializeKey(key)
  }

  /** MixHash(data). */
  mixHash(data: Uint8Array): void {
    this.#hash = this.#crypto.sha256(concat(this.#hash, data))
  }

  /** MixKeyAndHash(input_key_material), for pre-shared keys. */
  mixKeyAndHash(material: Uint8Array): void {
    const [chainingKey, hash, key] = this.#hkdf3(material)
    this.#replaceChainingKey(chainingKey)
    this.mixHash(hash)
    hash.fill(0)
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
    return copy(this.#hash)
  }

  /** Split(): the first cipher state is the initiator's to send with, the second the responder's. */
  split(): [CipherState, CipherState] {
    const [key1, key2] = this.#hkdf(new Uint8Array(0))
    const first = new CipherState(this.#crypto)
    const second = new CipherState(this.#crypto)
    first.initializeKey(key1)
    second.initializeKey(key2)
    this.wipe()
    return [first, second]
  }

  wipe(): void {
    this.#chainingKey.fill(0)
    this.#cipher.wipe()
  }

  #replaceChainingKey(chainingKey: Uint8Array): void {
    this.#chainingKey.fill(0)
    this.#chainingKey = chainingKey
  }

  /** HKDF(chaining_key, input_key_material, 2), section 4.3. */
  #hkdf(material: Uint8Array): [Uint8Array, Uint8Array] {
    const [first, second, third] = this.#hkdf3(material)
    third.fill(0)
    return [first, second]
  }

  /** HKDF(chaining_key, input_key_material, 3), section 4.3. */
  #hkdf3(material: Uint8Array): [Uint8Array, Uint8Array, Uint8Array] {
    const crypto = this.#crypto
    const temporaryKey = crypto.hmac(this.#chainingKey, material)
    const next = (before: Uint8Array, number: number) => {
      const input = concat(before, Uint8Array.of(number))
      const output = crypto.hmac(temporaryKey, input)
      input.fill(0)
      return output
    }
    const first = next(new Uint8Array(0), 1)
    const second = next(first, 2)
    const third = next(second, 3)
    temporaryKey.fill(0)
    return [first, second, third]
  }
}

const HASH_BYTES = 32
