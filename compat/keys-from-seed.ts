import { createPrivateKey, createPublicKey } from 'node:crypto'
import { MultiserverError } from '../core/errors.ts'
import { concat, fromBase64Url, fromHex } from '../core/bytes.ts'
import type { Keys } from '../plugs/key-pair.ts'

/** What comes before the 32 bytes of a seed in the PKCS #8 form of an Ed25519 key (RFC 8410, section 7). */
const prefix = fromHex('302e020100300506032b657004220420')

/**
 * The keys of a seed at once: 3.8.2 prints the public key in the turn in which the plugin is made, and libsodium
 * is not there yet.
 *
 * @throws KEYS_INVALID
 */
export function keysFromSeedNow(seed: Uint8Array): Keys {
  if (seed.length !== 32) throw new MultiserverError('KEYS_INVALID', 'a seed is 32 bytes')
  const key = Buffer.concat([prefix, seed])
  const privateKey = createPrivateKey({ key, format: 'der', type: 'pkcs8' })
  key.fill(0)
  const publicKey = fromBase64Url(createPublicKey(privateKey).export({ format: 'jwk' }).x ?? '')
  if (publicKey === null) throw new MultiserverError('KEYS_INVALID')
  return { publicKey, secretKey: concat(seed, publicKey) }
}
