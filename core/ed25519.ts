import sodium from 'libsodium-wrappers'
import { copy, equalBytes } from './bytes.ts'
import { MultiserverError } from './errors.ts'
import type { Identity } from './types.ts'

/** Resolves once everything else in this file may be used. */
export function ready(): Promise<void> {
  return sodium.ready
}

/** Whether `key` is an Ed25519 public key that may be talked to: see {@link toX25519PublicKey}. */
export function checkPublicKey(key: Uint8Array): boolean {
  return toX25519PublicKey(key) !== null
}

/**
 * Whether `signature` over `message` is by `publicKey`; never throws once {@link ready}. Strict: libsodium refuses a
 * signature whose second half is not canonical; keys are checked beforehand, so that nothing depends on how a build of
 * it is configured.
 */
export function verifySignature(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean {
  return (
    signature.length === 64 &&
    checkPublicKey(publicKey) &&
    sodium.crypto_sign_verify_detached(signature, message, publicKey)
  )
}

/**
 * The X25519 form of an Ed25519 public key, 32 bytes; null when the key is not 32 bytes, not canonical, not on the
 * curve, of small order or outside the prime-order subgroup. libsodium makes the last three checks itself and
 * reduces y modulo p before them.
 */
export function toX25519PublicKey(key: Uint8Array): Uint8Array | null {
  if (key.length !== 32 || !isCanonical(key)) return null
  try {
    return sodium.crypto_sign_ed25519_pk_to_curve25519(key)
  } catch (error) {
    // Not a refusal: libsodium is not ready yet.
    if (error instanceof TypeError) throw error
    return null
  }
}

/**
 * An identity whose secret is here. `publicKey` has 32 bytes, `secretKey` the 64 of libsodium (the seed, then the
 * public key); both are copied. KEYS_INVALID when they do not belong together. Can be made before {@link ready}.
 */
export function createIdentity(keys: { publicKey: Uint8Array; secretKey: Uint8Array }): Identity {
  const publicKey = copy(keys.publicKey)
  const secretKey = copy(keys.secretKey)
  // Signing mixes in the second half: with a foreign one there, signatures would give the secret away.
  if (publicKey.length !== 32 || secretKey.length !== 64 || !equalBytes(secretKey.subarray(32), publicKey)) {
    throw new MultiserverError('KEYS_INVALID')
  }
  let x25519Secret: Uint8Array | undefined
  return {
    publicKey,
    sign: (message) => sodium.crypto_sign_detached(message, secretKey),
    dh: (x25519PublicKey) => {
      x25519Secret ??= sodium.crypto_sign_ed25519_sk_to_curve25519(secretKey)
      return multiply(x25519Secret, x25519PublicKey)
    },
  }
}

/** y, the low 255 bits, little-endian, is below p = 2^255 - 19. */
function isCanonical(key: Uint8Array): boolean {
  const [first = 0, ...rest] = key
  const top = rest.pop() ?? 0
  const atLeastP = first >= 0xed && (top & 0x7f) === 0x7f && rest.every((byte) => byte === 0xff)
  return !atLeastP
}

function multiply(secret: Uint8Array, publicKey: Uint8Array): Uint8Array {
  const shared = sodium.crypto_scalarmult(secret, publicKey)
  if (sodium.is_zero(shared)) throw new Error('an X25519 key of small order gives no secret')
  return shared
}
