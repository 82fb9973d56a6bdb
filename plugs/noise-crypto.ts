import { createCipheriv, createDecipheriv, createHmac, getCiphers, hash } from 'node:crypto'
import { loadNative } from '#sodium-native'
import { wasmNoiseCrypto, type NoiseCrypto } from '../core/noise.ts'
import type { NativeSodium } from './secret/native.ts'

const tagBytes = 16
const cipherName = 'chacha20-poly1305'
/** Below this, making a cipher object of Node costs more than WebAssembly needs for the work. */
const worthwhileBytes = 1024

let fastest: NoiseCrypto | undefined

/** The fastest that this process has; libsodium must be ready. */
export function loadNoiseCrypto(): NoiseCrypto {
  fastest ??= chooseFastest()
  return fastest
}

function chooseFastest(): NoiseCrypto {
  const native = loadNative()
  if (native !== undefined) return createNativeNoiseCrypto(native)
  // Node on BoringSSL, as in Electron, has no such cipher.
  return getCiphers().includes(cipherName) ? nodeNoiseCrypto : { ...wasmNoiseCrypto, ...nodeHashes }
}

const nodeHashes: Pick<NoiseCrypto, 'sha256' | 'hmac'> = {
  sha256: (data) => hash('sha256', data, 'buffer'),
  hmac: (key, data) => createHmac('sha256', key).update(data).digest(),
}

/** By OpenSSL where that is quicker, else as in browsers. */
export const nodeNoiseCrypto: NoiseCrypto = {
  ...wasmNoiseCrypto,
  ...nodeHashes,
  backend: 'node:crypto',
  seal(out, plaintext, ad, nonce, key) {
    if (plaintext.length < worthwhileBytes) return wasmNoiseCrypto.seal(out, plaintext, ad, nonce, key)
    const cipher = createCipheriv(cipherName, key, nonce, { authTagLength: tagBytes })
    cipher.setAAD(ad, { plaintextLength: plaintext.length })
    out.set(cipher.update(plaintext))
    cipher.final()
    out.set(cipher.getAuthTag(), plaintext.length)
  },
  open(out, ciphertext, ad, nonce, key) {
    if (ciphertext.length < worthwhileBytes) return wasmNoiseCrypto.open(out, ciphertext, ad, nonce, key)
    const decipher = createDecipheriv(cipherName, key, nonce, { authTagLength: tagBytes })
    decipher.setAAD(ad, { plaintextLength: out.length })
    decipher.setAuthTag(ciphertext.subarray(out.length))
    const plaintext = decipher.update(ciphertext.subarray(0, out.length))
    try {
      decipher.final()
    } catch {
      return false
    }
    out.set(plaintext)
    return true
  },
}

/** By sodium-native: as fast as OpenSSL on what is large, and much faster on what is small. */
export function createNativeNoiseCrypto(sodium: NativeSodium): NoiseCrypto {
  return {
    ...nodeNoiseCrypto,
    backend: 'sodium-native',
    dhPublicKey(secretKey) {
      const publicKey = new Uint8Array(32)
      sodium.crypto_scalarmult_base(publicKey, secretKey)
      return publicKey
    },
    dh(secretKey, publicKey) {
      const secret = new Uint8Array(32)
      sodium.crypto_scalarmult(secret, secretKey, publicKey)
      return secret
    },
    seal(out, plaintext, ad, nonce, key) {
      sodium.crypto_aead_chacha20poly1305_ietf_encrypt(out, plaintext, ad, null, nonce, key)
    },
    open(out, ciphertext, ad, nonce, key) {
      try {
        sodium.crypto_aead_chacha20poly1305_ietf_decrypt(out, null, ciphertext, ad, nonce, key)
        return true
      } catch {
        return false
      }
    },
  }
}
