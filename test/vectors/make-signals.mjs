/**
 * Writes signals.json: known answers for the signals of an introduction, by a second implementation that shares
 * nothing with the first, on node:crypto and big integers alone. Straight down, for Noise_NK and nothing else.
 * Run it with `node test/vectors/make-signals.mjs`; the output must not change.
 */
import {
  createCipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
} from 'node:crypto'
import { writeFileSync } from 'node:fs'

const sdp = 'v=0\r\n'
const cases = [
  {
    name: 'an answered offer and a candidate each way',
    serverSeed: fill(1),
    id: fill(3, 16),
    clientEphemeralSecret: fill(4),
    serverEphemeralSecret: fill(5),
    signals: [
      [
        'client',
        {
          kind: 'offer',
          session: b64u(fill(6, 16)),
          resume: false,
          transforms: ['shs2'],
          relay: 'first',
          sdp,
        },
      ],
      ['server', { kind: 'answer', sdp, relayKey: b64u(fill(7)) }],
      ['client', candidate('candidate:1 1 udp 2122260223 192.0.2.1 50000 typ host')],
      ['server', candidate('candidate:1 1 udp 2122260223 192.0.2.1 50000 typ host')],
    ],
  },
  {
    name: 'a refused offer',
    serverSeed: count(32),
    id: count(16, 100),
    clientEphemeralSecret: count(32, 50),
    serverEphemeralSecret: count(32, 90),
    signals: [
      [
        'client',
        { kind: 'offer', session: b64u(count(16)), resume: true, transforms: [], relay: 'never', sdp: '' },
      ],
      ['server', { kind: 'refused', code: 'NO_SESSION' }],
    ],
  },
  {
    name: 'several later signals each way, as they interleave',
    serverSeed: fill(255),
    id: fill(0, 16),
    clientEphemeralSecret: fill(254),
    serverEphemeralSecret: fill(253),
    signals: [
      [
        'client',
        {
          kind: 'offer',
          session: b64u(fill(252, 16)),
          resume: false,
          transforms: ['shs', 'tunnel'],
          relay: 'fallback',
          sdp,
        },
      ],
      ['server', { kind: 'answer', sdp: `a=é☃😀 "\\\r\n${'x'.repeat(8000)}`, relayKey: b64u(count(32)) }],
      ['server', candidate('candidate:0 1 UDP 2122252543 fd00::1 9 typ host', 'sdparta_0')],
      ['server', candidate('')],
      ['client', { kind: 'relay' }],
      ['client', candidate('')],
      ['server', { kind: 'refused', code: 'RELAY_OFF' }],
    ],
  },
]

const out = { source: 'test/vectors/make-signals.mjs', cases: cases.map(converse) }
writeFileSync(new URL('signals.json', import.meta.url), `${JSON.stringify(out, null, 2)}\n`)

function converse({ name, serverSeed, id, clientEphemeralSecret, serverEphemeralSecret, signals }) {
  const serverKey = ed25519PublicKey(serverSeed)
  const serverStatic = { secret: sha512(serverSeed).subarray(0, 32), publicKey: toMontgomery(serverKey) }
  const client = { secret: clientEphemeralSecret, publicKey: x25519PublicKey(clientEphemeralSecret) }
  const server = { secret: serverEphemeralSecret, publicKey: x25519PublicKey(serverEphemeralSecret) }

  const messages = signals.map(([from, signal]) => ({ from, signal: JSON.stringify(signal) }))
  const [offer, reply, ...later] = messages

  // Exactly 32 bytes long, so it is its own hash; the chaining key starts as the same.
  let h = Buffer.concat([Buffer.from('Noise_NK_25519_ChaChaPoly_SHA256')])
  let ck = h
  h = sha256(h, lp(Buffer.from('multiserver/signal/1')), lp(id), lp(serverKey))
  h = sha256(h, serverStatic.publicKey)

  // -> e, es
  h = sha256(h, client.publicKey)
  let k
  ;[ck, k] = kdf(ck, x25519(client.secret, serverStatic.publicKey))
  const sealedOffer = seal(k, 0, h, offer.signal)
  h = sha256(h, sealedOffer)
  offer.data = b64u(Buffer.concat([client.publicKey, sealedOffer]))

  // <- e, ee
  h = sha256(h, server.publicKey)
  ;[ck, k] = kdf(ck, x25519(server.secret, client.publicKey))
  const sealedReply = seal(k, 0, h, reply.signal)
  h = sha256(h, sealedReply)
  reply.data = b64u(Buffer.concat([server.publicKey, sealedReply]))

  const [clientSends, serverSends] = kdf(ck, Buffer.alloc(0))
  const counts = { client: 0, server: 0 }
  for (const message of later) {
    const key = message.from === 'client' ? clientSends : serverSends
    message.data = b64u(seal(key, counts[message.from]++, Buffer.alloc(0), message.signal))
  }
  return {
    name,
    serverSeed: serverSeed.toString('hex'),
    serverKey: serverKey.toString('hex'),
    id: id.toString('hex'),
    clientEphemeralSecret: clientEphemeralSecret.toString('hex'),
    serverEphemeralSecret: serverEphemeralSecret.toString('hex'),
    handshakeHash: h.toString('hex'),
    messages,
  }
}

function kdf(ck, material) {
  const temporary = hmac(ck, material)
  const first = hmac(temporary, Buffer.of(1))
  return [first, hmac(temporary, first, Buffer.of(2))]
}

function seal(key, n, ad, text) {
  const nonce = Buffer.alloc(12)
  nonce.writeBigUInt64LE(BigInt(n), 4)
  const plaintext = Buffer.from(text, 'utf8')
  const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 })
  cipher.setAAD(ad, { plaintextLength: plaintext.length })
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

function x25519(secret, publicKey) {
  return diffieHellman({ privateKey: x25519PrivateKey(secret), publicKey: importKey(spki('6e'), publicKey) })
}

function x25519PublicKey(secret) {
  return createPublicKey(x25519PrivateKey(secret)).export({ type: 'spki', format: 'der' }).subarray(-32)
}

function x25519PrivateKey(secret) {
  return createPrivateKey({ key: Buffer.concat([pkcs8('6e'), secret]), format: 'der', type: 'pkcs8' })
}

function ed25519PublicKey(seed) {
  const key = createPrivateKey({ key: Buffer.concat([pkcs8('70'), seed]), format: 'der', type: 'pkcs8' })
  return createPublicKey(key).export({ type: 'spki', format: 'der' }).subarray(-32)
}

function importKey(prefix, publicKey) {
  return createPublicKey({ key: Buffer.concat([prefix, publicKey]), format: 'der', type: 'spki' })
}

/** RFC 8410: 6e is X25519, 70 is Ed25519. */
function pkcs8(algorithm) {
  return Buffer.from(`302e020100300506032b65${algorithm}04220420`, 'hex')
}

function spki(algorithm) {
  return Buffer.from(`302a300506032b65${algorithm}032100`, 'hex')
}

/** RFC 7748, section 4.1: u = (1 + y) / (1 - y). */
function toMontgomery(edwardsKey) {
  const p = 2n ** 255n - 19n
  const y = fromLittleEndian(edwardsKey) & (2n ** 255n - 1n)
  const u = ((1n + y) * inverse(1n - y + p, p)) % p
  return Buffer.from(Buffer.from(u.toString(16).padStart(64, '0'), 'hex').toReversed())
}

function fromLittleEndian(bytes) {
  return BigInt(`0x${Buffer.from(bytes.toReversed()).toString('hex')}`)
}

function inverse(number, p) {
  let result = 1n
  for (const bit of (p - 2n).toString(2)) {
    result = (result * result) % p
    if (bit === '1') result = (result * number) % p
  }
  return result
}

function sha256(...parts) {
  return createHash('sha256').update(Buffer.concat(parts)).digest()
}

function sha512(...parts) {
  return createHash('sha512').update(Buffer.concat(parts)).digest()
}

function hmac(key, ...parts) {
  return createHmac('sha256', key).update(Buffer.concat(parts)).digest()
}

function lp(bytes) {
  return Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 255), bytes])
}

function b64u(bytes) {
  return Buffer.from(bytes).toString('base64url')
}

function fill(byte, length = 32) {
  return Buffer.alloc(length, byte)
}

function count(length, from = 0) {
  return Buffer.from(Array.from({ length }, (_, index) => from + index))
}

function candidate(text, mid = '0') {
  return { kind: 'candidate', candidate: text, mid }
}
