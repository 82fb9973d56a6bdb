import { createHmac } from 'node:crypto'

/** X25519 points, by their first byte, whose product with any secret is zero. */
export const lowOrderPoints = [0, 1] as const

/** The first message of secret-handshake 1 with such a point. Whoever knows the app key can send it. */
export function lowOrderChallenge(appKey: Uint8Array, point: number): Buffer {
  const key = Buffer.alloc(32)
  key[0] = point
  return Buffer.concat([createHmac('sha512', appKey).update(key).digest().subarray(0, 32), key])
}
