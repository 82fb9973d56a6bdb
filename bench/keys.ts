import { generateKeys } from '../plugs/keys.ts'

/** Fresh keys as the old package takes them: Buffers under other names. */
export async function createKeys(): Promise<{ publicKey: Buffer; secretKey: Buffer }> {
  const { publicKey, secretKey } = await generateKeys()
  return { publicKey: Buffer.from(publicKey), secretKey: Buffer.from(secretKey) }
}
