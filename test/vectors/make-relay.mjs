/**
 * Writes relay.json: known answers for the frames of a relayed path, by a second implementation that shares nothing with
 * the first, on node:crypto alone. Run it with `node test/vectors/make-relay.mjs`; the output must not change.
 */
import { createCipheriv, createHmac } from 'node:crypto'
import { writeFileSync } from 'node:fs'

const relayKey = Buffer.alloc(32, 7)
const keys = { client: deriveKey('client'), server: deriveKey('server') }
const hello = Buffer.from(`0001${'06'.repeat(16)}000000000000000000010000`, 'hex')
const frames = [
  hello,
  Buffer.from('0500000001', 'hex'),
  Buffer.from(`01000000000000${'61'.repeat(2000)}`, 'hex'),
]

const answers = {
  relayKey: relayKey.toString('hex'),
  clientKey: keys.client.toString('hex'),
  serverKey: keys.server.toString('hex'),
  frames: frames.map((frame, n) => ({
    frame: frame.toString('hex'),
    client: seal(keys.client, n, frame).toString('hex'),
    server: seal(keys.server, n, frame).toString('hex'),
  })),
}
writeFileSync(new URL('relay.json', import.meta.url), `${JSON.stringify(answers, null, 2)}\n`)

/** RFC 5869 with an empty salt, which stands for 32 zero bytes; 32 bytes are one block. */
function deriveKey(side) {
  const extracted = createHmac('sha256', Buffer.alloc(32)).update(relayKey).digest()
  return createHmac('sha256', extracted).update(`multiserver relay ${side}`).update(Buffer.of(1)).digest()
}

/** RFC 8439: four zero bytes, then n as eight bytes, little-endian; the tag is behind the ciphertext. */
function seal(key, n, frame) {
  const nonce = Buffer.alloc(12)
  nonce.writeBigUInt64LE(BigInt(n), 4)
  const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 })
  return Buffer.concat([cipher.update(frame), cipher.final(), cipher.getAuthTag()])
}
