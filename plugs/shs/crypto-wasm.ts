import { sha256 } from '@noble/hashes/sha2.js'
import sodium from 'libsodium-wrappers'
import type { Bytes } from '../../core/types.ts'
import type { ShsCrypto } from './crypto.ts'

/** By libsodium-wrappers, once it is ready, and SHA-256 by noble, since the standard build of the first has none. */
export function createWasmCrypto(): ShsCrypto {
  return {
    backend: 'libsodium-wrappers',
    hmac: (key, message) => sodium.crypto_auth(message, key) as Bytes,
    verifyHmac: (mac, key, message) => sodium.crypto_auth_verify(mac, message, key),
    sha256: (message) => sha256(message),
    createDhKeys: (secretKey) => ({
      publicKey: sodium.crypto_scalarmult_base(secretKey) as Bytes,
      secretKey,
    }),
    dh(secretKey, publicKey) {
      try {
        return sodium.crypto_scalarmult(secretKey, publicKey) as Bytes
      } catch {
        return null
      }
    },
    verify(signature, message, publicKey) {
      try {
        return sodium.crypto_sign_verify_detached(signature, message, publicKey)
      } catch {
        return false
      }
    },
    seal(cipher, mac, plain, nonce, key) {
      const sealed = sodium.crypto_secretbox_detached(plain, nonce, key)
      cipher.set(sealed.cipher)
      mac.set(sealed.mac)
    },
    open(plain, cipher, mac, nonce, key) {
      try {
        plain.set(sodium.crypto_secretbox_open_detached(cipher, mac, nonce, key))
        return true
      } catch {
        return false
      }
    },
  }
}
