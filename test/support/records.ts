import { createIdentity, ready } from '../../core/ed25519.ts'
import { registerBytes } from '../../core/hub-protocol.ts'
import { signRecord, type PeerRecord } from '../../core/record.ts'
import { keysFromSeed, keyToString, type Keys } from '../../plugs/keys.ts'
import type { Bytes } from '../../core/types.ts'
import type { HubClient } from '../signal-server/hub-client.ts'

/** The same keys each time for a number. */
export function keysOf(number: number): Promise<Keys> {
  return keysFromSeed(new Uint8Array(32).fill(number))
}

/** An address that ends in the key. */
export function addressOf({ publicKey }: Keys, host = '203.0.113.7'): string {
  return `net:${host}:8008~shs:${keyToString(publicKey)}`
}

/** A record of `keys`, by default with one address, for an hour from `sequence` on. */
export async function recordOf(
  keys: Keys,
  contents: Partial<Omit<PeerRecord, 'key'>> & { sequence: number },
): Promise<Bytes> {
  await ready()
  const { sequence } = contents
  const rest = { expiresAtMs: sequence + 3_600_000, listed: false, addresses: [addressOf(keys)] }
  return signRecord(createIdentity(keys), { ...rest, ...contents })
}

/** Registers `keys` at a hub and shows it `record`. */
export async function registerWith(
  client: HubClient,
  { hubName }: { hubName: string },
  keys: Keys,
  record: Bytes,
): Promise<void> {
  const { challenge } = await client.next('welcome')
  const { publicKey: key } = keys
  const signature = await createIdentity(keys).sign(registerBytes(hubName, challenge, key))
  client.send({ type: 'register', key, signature: Uint8Array.from(signature), record })
  await client.next('registered')
}

/** The record with one bit of its signature flipped. */
export function forge(record: Bytes): Bytes {
  const at = record.length - 40
  return record.with(at, (record[at] ?? 0) ^ 1)
}
