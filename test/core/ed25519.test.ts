import sodium from 'libsodium-wrappers'
import { beforeAll, describe, expect, it } from 'vitest'
import { fromHex, toHex } from '../../core/bytes.ts'
import { checkPublicKey, createIdentity, ready, toX25519PublicKey } from '../../core/ed25519.ts'
import { lowOrderKeys } from '../support/low-order.ts'

beforeAll(ready)

type Point = readonly [x: bigint, y: bigint]

const P = 2n ** 255n - 19n
const D = mod(-121665n * power(121666n, P - 2n))
const SQRT_MINUS_1 = power(2n, (P - 1n) / 4n)
/** Generates the eight points of small order (its order is 8). */
const TORSION = 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'

describe('the check of an Ed25519 public key', () => {
  it('accepts what libsodium generates, and converts it as libsodium does', () => {
    for (let count = 0; count < 50; count += 1) {
      const { publicKey } = sodium.crypto_sign_keypair()
      expect(checkPublicKey(publicKey)).toBe(true)
      expect(toX25519PublicKey(publicKey)).toEqual(sodium.crypto_sign_ed25519_pk_to_curve25519(publicKey))
    }
  })

  it('refuses all eight points of small order', () => {
    const encodings = new Set<string>()
    for (let n = 0n; n < 8n; n += 1n) encodings.add(encodePoint(multiplyPoint(n, torsion())))
    expect(encodings.size).toBe(8)
    for (const encoding of encodings) expect(checkPublicKey(fromHex(encoding))).toBe(false)
  })

  it('refuses a key with a part of small order', () => {
    const key = decode(toHex(sodium.crypto_sign_keypair().publicKey))
    for (let n = 1n; n < 8n; n += 1n) {
      const mixed = addPoints(key, multiplyPoint(n, torsion()))
      expect(checkPublicKey(fromHex(encodePoint(mixed)))).toBe(false)
    }
    expect(checkPublicKey(fromHex(encodePoint(key)))).toBe(true)
  })

  it('refuses every encoding of y = p and above, with either sign', () => {
    for (const y of range(P, 2n ** 255n)) {
      for (const sign of [0n, 1n]) expect(checkPublicKey(encodeNumber(y | (sign << 255n)))).toBe(false)
    }
  })

  it('refuses what is not on the curve', () => {
    const outside = range(2n, 200n).filter((y) => decodePoint(toHex(encodeNumber(y))) === null)
    expect(outside.length).toBeGreaterThan(50)
    for (const y of outside) expect(checkPublicKey(encodeNumber(y))).toBe(false)
  })

  it.each([0, 31, 33, 64])('refuses %i bytes', (length) => {
    const { publicKey } = sodium.crypto_sign_keypair()
    const bytes = new Uint8Array(length)
    bytes.set(publicKey.subarray(0, length))
    expect(checkPublicKey(bytes)).toBe(false)
  })
})

describe('an identity', () => {
  it('signs as libsodium does', () => {
    const keys = createKeys()
    const message = Uint8Array.of(1, 2, 3)
    const signature = createIdentity(keys).sign(message) as Uint8Array
    expect(sodium.crypto_sign_verify_detached(signature, message, keys.publicKey)).toBe(true)
  })

  it('shares a secret with another through the converted keys', () => {
    const [alice, bob] = [createIdentity(createKeys()), createIdentity(createKeys())]
    const secret = alice.dh(convert(bob.publicKey))
    expect(secret).toEqual(bob.dh(convert(alice.publicKey)))
    expect(secret).toHaveLength(32)
  })

  it.each(lowOrderKeys)('gives no secret for the X25519 key %s of small order', (key) => {
    const identity = createIdentity(createKeys())
    expect(() => identity.dh(fromHex(key))).toThrow()
  })

  it('refuses keys that do not belong together', () => {
    const [keys, other] = [sodium.crypto_sign_keypair(), sodium.crypto_sign_keypair()]
    const invalid = [
      { publicKey: other.publicKey, secretKey: keys.privateKey },
      { publicKey: keys.publicKey, secretKey: keys.privateKey.subarray(0, 32) },
      { publicKey: keys.publicKey.subarray(1), secretKey: keys.privateKey },
    ]
    for (const pair of invalid)
      expect(() => createIdentity(pair)).toThrow(expect.objectContaining({ code: 'KEYS_INVALID' }))
  })

  it('does not follow later changes of the arrays it was made of', () => {
    const keys = sodium.crypto_sign_keypair()
    const identity = createIdentity({ publicKey: keys.publicKey, secretKey: keys.privateKey })
    const before = identity.sign(Uint8Array.of(1))
    keys.privateKey.fill(0)
    keys.publicKey.fill(0)
    expect(identity.sign(Uint8Array.of(1))).toEqual(before)
  })
})

function torsion(): Point {
  return decode(TORSION)
}

function decode(hex: string): Point {
  const point = decodePoint(hex)
  if (point === null) throw new Error(`${hex} is not on the curve`)
  return point
}

function convert(key: Uint8Array): Uint8Array {
  const converted = toX25519PublicKey(key)
  if (converted === null) throw new Error('a generated key was refused')
  return converted
}

function range(from: bigint, to: bigint): bigint[] {
  return Array.from({ length: Number(to - from) }, (_, index) => from + BigInt(index))
}

function encodeNumber(number: bigint): Uint8Array {
  return fromHex(number.toString(16).padStart(64, '0')).toReversed()
}

function createKeys(): { publicKey: Uint8Array; secretKey: Uint8Array } {
  const { publicKey, privateKey } = sodium.crypto_sign_keypair()
  return { publicKey, secretKey: privateKey }
}

/** RFC 8032, section 5.1.3. */
function decodePoint(hex: string): Point | null {
  const number = BigInt(`0x${toHex(fromHex(hex).toReversed())}`)
  const y = number & (2n ** 255n - 1n)
  const square = mod((y * y - 1n) * power(D * y * y + 1n, P - 2n))
  let x = power(square, (P + 3n) / 8n)
  if (mod(x * x - square) !== 0n) x = mod(x * SQRT_MINUS_1)
  if (mod(x * x - square) !== 0n) return null
  return [(x & 1n) === number >> 255n ? x : mod(-x), mod(y)]
}

function encodePoint([x, y]: Point): string {
  return toHex(encodeNumber(y | ((x & 1n) << 255n)))
}

function multiplyPoint(scalar: bigint, point: Point): Point {
  let sum: Point = [0n, 1n]
  for (const bit of scalar.toString(2)) {
    sum = addPoints(sum, sum)
    if (bit === '1') sum = addPoints(sum, point)
  }
  return sum
}

function addPoints([x1, y1]: Point, [x2, y2]: Point): Point {
  const product = D * mod(x1 * x2) * mod(y1 * y2)
  const x = (x1 * y2 + x2 * y1) * power(1n + product, P - 2n)
  const y = (y1 * y2 + x1 * x2) * power(1n - product, P - 2n)
  return [mod(x), mod(y)]
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  for (const bit of exponent.toString(2)) {
    result = mod(result * result)
    if (bit === '1') result = mod(result * base)
  }
  return result
}

function mod(number: bigint): bigint {
  const rest = number % P
  return rest < 0n ? rest + P : rest
}
