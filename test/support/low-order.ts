import { createHmac } from 'node:crypto'

/** X25519 points, by their first byte, whose product with any secret is zero. */
export const lowOrderPoints = [0, 1] as const

/** All of them in hex, from the blacklist that implementations share. */
export const lowOrderKeys = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
]

/** The first message of secret-handshake 1 with such a point. Whoever knows the app key can send it. */
export function lowOrderChallenge(appKey: Uint8Array, point: number): Buffer {
  const key = Buffer.alloc(32)
  key[0] = point
  return Buffer.concat([createHmac('sha512', appKey).update(key).digest().subarray(0, 32), key])
}
