import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { loadNoiseCrypto } from '#noise-crypto'
import { fromText } from '../../core/bytes.ts'
import { CipherState, TAG_BYTES } from '../../core/noise.ts'
import type { Bytes } from '../../core/types.ts'

type Side = 'client' | 'server'

/**
 * Seals the frames of a relayed path, so that the relay can neither read, change, repeat nor reorder them: each message is
 * ChaCha20-Poly1305 of one frame, with a key for each direction and a nonce that counts from 0 and is not sent.
 */
export class RelayCipher {
  readonly #send: CipherState
  readonly #receive: CipherState

  /** `relayKey` has 32 bytes, of the answer. Sodium must be ready. */
  constructor(relayKey: Uint8Array, role: Side) {
    this.#send = keyedCipher(relayKey, role)
    this.#receive = keyedCipher(relayKey, role === 'client' ? 'server' : 'client')
  }

  seal(frame: Uint8Array): Bytes {
    const message = new Uint8Array(frame.length + TAG_BYTES)
    this.#send.encryptInto(message, frame)
    return message
  }

  /** Null when it is not the next message of the far side. */
  open(message: Uint8Array): Bytes | null {
    if (message.length < TAG_BYTES) return null
    const frame = new Uint8Array(message.length - TAG_BYTES)
    return this.#receive.decryptInto(frame, message) ? frame : null
  }
}

/** Keys are named after who sends. */
function keyedCipher(relayKey: Uint8Array, sender: Side): CipherState {
  const cipher = new CipherState(loadNoiseCrypto())
  cipher.initializeKey(hkdf(sha256, relayKey, undefined, fromText(`multiserver relay ${sender}`), 32))
  return cipher
}
