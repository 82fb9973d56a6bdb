import { parseKeyText } from '../core/address.ts'
import { equalBytes, fromBase64, toBase64 } from '../core/bytes.ts'
import { MultiserverError } from '../core/errors.ts'
import type { Bytes } from '../core/types.ts'
import sodium from 'libsodium-wrappers'

/** An Ed25519 key pair as bytes. */
export interface Keys {
  /** 32 bytes. */
  readonly publicKey: Bytes
  /** 64 bytes: the seed, then the public key. Guard them. */
  readonly secretKey: Bytes
}

/** The JSON of ssb-keys. */
export interface SsbKeys {
  readonly curve?: string | undefined
  /** `….ed25519` */
  readonly public: string
  /** `….ed25519` */
  readonly private: string
  /** `@….ed25519` */
  readonly id?: string | undefined
}

/** What the options called `keys` take. */
export type KeysInput = { readonly publicKey: Uint8Array; readonly secretKey: Uint8Array } | SsbKeys

export async function generateKeys(): Promise<Keys> {
  return keysFromSeed(globalThis.crypto.getRandomValues(new Uint8Array(32)))
}

/** The keys that 32 secret bytes stand for. @throws KEYS_INVALID for another length */
export async function keysFromSeed(seed: Uint8Array): Promise<Keys> {
  if (!(seed instanceof Uint8Array) || seed.length !== 32) {
    throw new MultiserverError('KEYS_INVALID', 'a seed is 32 bytes')
  }
  await sodium.ready
  const { publicKey, privateKey } = sodium.crypto_sign_seed_keypair(seed)
  return { publicKey: Uint8Array.from(publicKey), secretKey: Uint8Array.from(privateKey) }
}

/** A key as text: standard base64 with padding, 44 characters for a public key. */
export function keyToString(key: Uint8Array): string {
  return toBase64(key)
}

/** Keys of either kind as a copy of their bytes. @throws KEYS_INVALID also where the halves do not match */
export function parseKeys(input: KeysInput): Keys {
  if (typeof input !== 'object' || input === null) throw new MultiserverError('KEYS_INVALID')
  const { publicKey, secretKey } = 'secretKey' in input ? input : parseSsbKeys(input)
  if (!isBytes(publicKey, 32) || !isBytes(secretKey, 64)) throw new MultiserverError('KEYS_INVALID')
  if (!equalBytes(secretKey.subarray(32), publicKey)) {
    throw new MultiserverError('KEYS_INVALID', 'the public key does not belong to the secret key')
  }
  return { publicKey: Uint8Array.from(publicKey), secretKey: Uint8Array.from(secretKey) }
}

/** The other way round, for files that ssb-keys can read too. */
export function toSsbKeys({ publicKey, secretKey }: Keys): Required<SsbKeys> {
  const text = `${toBase64(publicKey)}.ed25519`
  return { curve: 'ed25519', public: text, private: `${toBase64(secretKey)}.ed25519`, id: `@${text}` }
}

function parseSsbKeys(keys: SsbKeys): { publicKey: unknown; secretKey: unknown } {
  if (typeof keys.public !== 'string' || typeof keys.private !== 'string') {
    throw new MultiserverError('KEYS_INVALID')
  }
  return {
    publicKey: parseKeyText(keys.public),
    secretKey: fromBase64(keys.private.replace(/\.ed25519$/, '')),
  }
}

function isBytes(value: unknown, length: number): value is Uint8Array {
  return value instanceof Uint8Array && value.length === length
}
