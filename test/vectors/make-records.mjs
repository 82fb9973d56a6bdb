/**
 * Writes records.json: known answers for directory records, by a second implementation that shares nothing with the
 * first, on node:crypto and Buffers alone. Run it with `node test/vectors/make-records.mjs`; the output must not change.
 */
import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { writeFileSync } from 'node:fs'

const start = 1763888400000
const usual = { sequence: start, expiresAtMs: start + 3_600_000, listed: false }

const contents = [
  {
    name: 'two addresses, listed',
    seed: seed(1),
    listed: true,
    addresses: (key) => [`net:203.0.113.7:8008~shs2:${key}`, `rtc:hub.example.com~shs2:${key}`],
  },
  {
    name: 'one address of the weaker protocol, not listed',
    seed: seed(2),
    addresses: (key) => [`net:192.0.2.1:8008~shs:${key}`],
  },
  { name: 'withdrawn', seed: seed(3), addresses: () => [] },
  {
    name: 'as many addresses as there may be',
    seed: seed(4),
    addresses: (key) => Array.from({ length: 16 }, (_, index) => `net:192.0.2.${index}:8008~shs2:${key}`),
  },
  {
    name: 'the largest numbers',
    seed: seed(5),
    sequence: 2 ** 53 - 1,
    expiresAtMs: 2 ** 53 - 1,
    addresses: (key) => [`ws://[2001:db8::1]:8989/path~shs:${key}`],
  },
  {
    name: 'numbers of one byte',
    seed: seed(6),
    sequence: 0,
    expiresAtMs: 255,
    addresses: (key) => [`net:a:1~shs:${key}`],
  },
  {
    name: 'letters of two, three and four bytes, and an escape',
    seed: seed(7),
    addresses: (key) => [`net:bücher.例え.😀.example:8008~shs2:${key}`, `onion:a!;b:8008~shs:${key}`],
  },
  {
    name: 'a bridge before the key',
    seed: seed(8),
    addresses: (key) => [`rtc:hub.example.com~shs2:${keyText(seed(9))}~tunnel:${key}~shs:${key}`],
  },
  { name: 'the longest', seed: seed(10), addresses: (key) => [longest(key)] },
].map((each) => ({ ...usual, ...each, addresses: each.addresses(keyText(each.seed)) }))

const records = contents.map((each) => ({
  name: each.name,
  seed: each.seed.toString('hex'),
  key: publicKey(each.seed).toString('hex'),
  sequence: each.sequence,
  expiresAtMs: each.expiresAtMs,
  listed: each.listed,
  addresses: each.addresses,
  record: encode(each.seed, each).toString('hex'),
}))

const about = 'Directory records and what they say; made with node:crypto alone.'
writeFileSync(new URL('records.json', import.meta.url), `${JSON.stringify({ about, records }, null, 2)}\n`)

function encode(secret, { sequence, expiresAtMs, listed, addresses }) {
  const body = Buffer.concat([
    Buffer.of(1),
    publicKey(secret),
    uint64(sequence),
    uint64(expiresAtMs),
    Buffer.of(listed ? 1 : 0, addresses.length),
    ...addresses.map((address) => lp(Buffer.from(address))),
  ])
  const signed = Buffer.concat([lp(Buffer.from('multiserver/record/1')), lp(body)])
  return Buffer.concat([body, sign(null, signed, privateKey(secret))])
}

/** One address that fills the 4,096 bytes of a record. */
function longest(key) {
  const tail = `:8008~shs:${key}`
  const room = 4096 - 64 - 51 - 2 - 'net:'.length - tail.length
  return `net:${'a'.repeat(room)}${tail}`
}

function lp(bytes) {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(bytes.length)
  return Buffer.concat([length, bytes])
}

function uint64(number) {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(number))
  return bytes
}

function seed(number) {
  return number === 1 ? Buffer.alloc(32, 1) : createHash('sha256').update(`record ${number}`).digest()
}

function keyText(secret) {
  return publicKey(secret).toString('base64')
}

function publicKey(secret) {
  return createPublicKey(privateKey(secret)).export({ type: 'spki', format: 'der' }).subarray(-32)
}

function privateKey(secret) {
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), secret])
  return createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
}
