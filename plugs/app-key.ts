import { fromBase64, fromHex } from '../core/bytes.ts'
import { MultiserverError } from '../core/errors.ts'
import type { Bytes } from '../core/types.ts'

/**
 * The app key of those who give none: SHA-256 of the ASCII text `multiserver default app key 1`.
 * An app key is public; it only keeps networks apart that have nothing to say to each other.
 */
export const defaultAppKey = '51608502d630d21ba44a03484d30ecefaa24a2ca3087e41cbba58eec713d5a49'

/**
 * An app key as a copy of its 32 bytes, from bytes or base64; the default where there is none.
 *
 * @throws KEYS_INVALID for another length, and for one that begins like a message that hubs ask to be signed
 */
export function parseAppKey(appKey: Uint8Array | string | undefined): Bytes {
  if (appKey === undefined) return Uint8Array.from(fromHex(defaultAppKey))
  const bytes = typeof appKey === 'string' ? fromBase64(appKey) : appKey
  if (!(bytes instanceof Uint8Array) || bytes.length !== 32) {
    throw new MultiserverError('KEYS_INVALID', 'an app key is 32 bytes, or the base64 of them')
  }
  if (beginsLikeOurs(bytes)) {
    throw new MultiserverError(
      'KEYS_INVALID',
      'an app key must not begin like a signed message of multiserver',
    )
  }
  return Uint8Array.from(bytes)
}

/**
 * What a shs peer signs begins with the app key. What hubs and directories have signed begins with a text
 * `multiserver/…` of 20 to 22 characters behind its length in two bytes. So that no signature of the one kind
 * passes for the other, no app key begins that way.
 */
function beginsLikeOurs(appKey: Uint8Array): boolean {
  const [high, low = 0] = appKey
  if (high !== 0 || low < 20 || low > 22) return false
  return new TextDecoder('latin1').decode(appKey.subarray(2, 14)) === 'multiserver/'
}
