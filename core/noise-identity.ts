import { toX25519PublicKey } from './ed25519.ts'
import { MultiserverError } from './errors.ts'
import type { NoiseKey } from './noise.ts'
import type { Identity } from './types.ts'

/** Converting a key costs as much as two Diffie-Hellmans, and an identity shakes hands more than once. */
const converted = new WeakMap<Identity, NoiseKey>()

/** An identity as the static key of a Noise handshake. Sodium must be ready. @throws KEYS_INVALID for an unsafe key */
export function staticKeyOf(identity: Identity): NoiseKey {
  const known = converted.get(identity)
  if (known !== undefined) return known
  const publicKey = toX25519PublicKey(identity.publicKey)
  if (publicKey === null)
    throw new MultiserverError('KEYS_INVALID', 'nobody can prove the key of this identity')
  const key: NoiseKey = { publicKey, dh: (remoteKey) => identity.dh(remoteKey) }
  converted.set(identity, key)
  return key
}
