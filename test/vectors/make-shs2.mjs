// Makes shs2.json: known answers of shs2, all secrets given, by a second implementation that is written down straight
// from the protocol, message by message, and shares nothing with the engine in core/noise.ts but libsodium's
// primitives: hashes and AEAD are of node:crypto.
// Run it from the repository: node test/vectors/make-shs2.mjs
import { createCipheriv, createHash, createHmac, hkdfSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const sodium = createRequire(import.meta.url)('libsodium-wrappers')
await sodium.ready

const suite = 'Noise_XKhfs+psk0_25519+MLKEM768_ChaChaPoly_SHA256'
const hex = (bytes) => Buffer.from(bytes).toString('hex')
const hash = (...parts) =>
  createHash('sha256')
    .update(Buffer.concat(parts.map(toBuffer)))
    .digest()
const toBuffer = (part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))
const concat = (...parts) => Buffer.concat(parts.map(toBuffer))

function nonceOf(n) {
  const nonce = Buffer.alloc(12)
  nonce.writeBigUInt64LE(BigInt.asUintN(64, BigInt(n)), 4)
  return nonce
}

function seal(key, n, ad, plaintext) {
  const cipher = createCipheriv('chacha20-poly1305', key, nonceOf(n), { authTagLength: 16 })
  cipher.setAAD(ad, { plaintextLength: plaintext.length })
  return concat(cipher.update(plaintext), cipher.final(), cipher.getAuthTag())
}

/** HKDF of Noise by the HKDF of node: the chaining key is the salt. */
function derive(chainingKey, material, outputs) {
  const bytes = Buffer.from(hkdfSync('sha256', material, chainingKey, Buffer.alloc(0), 32 * outputs))
  return Array.from({ length: outputs }, (_, index) => bytes.subarray(32 * index, 32 * index + 32))
}

/** `length` bytes that any language can make again: sha256(label), then always sha256 of all before. */
function chain(label, length) {
  let bytes = hash(label)
  while (bytes.length < length) bytes = concat(bytes, hash(bytes))
  return bytes.subarray(0, length)
}

function makeVector(name) {
  const secret = (what, length = 32) => chain(`${name} ${what}`, length)
  const [clientSeed, serverSeed, appKey] = [secret('client'), secret('server'), secret('app key')]
  const [a, b] = [secret('client ephemeral'), secret('server ephemeral')]
  const [kemKeySeed, kemSeed] = [secret('kem keys', 64), secret('kem secret')]
  const client = sodium.crypto_sign_seed_keypair(clientSeed)
  const server = sodium.crypto_sign_seed_keypair(serverSeed)
  const A = sodium.crypto_sign_ed25519_sk_to_curve25519(client.privateKey)
  const B = sodium.crypto_sign_ed25519_sk_to_curve25519(server.privateKey)
  const point = (scalar) => sodium.crypto_scalarmult_base(scalar)
  const psk = Buffer.from(hkdfSync('sha256', appKey, Buffer.alloc(0), 'multiserver shs2 psk', 32))

  let h = hash(suite)
  let ck = h
  let k
  let n = 0
  const mixHash = (data) => (h = hash(h, data))
  const mixKey = (material) => {
    ;[ck, k] = derive(ck, material, 2)
    n = 0
  }
  const encryptAndHash = (plaintext) => {
    const sealed = seal(k, n++, h, Buffer.from(plaintext))
    mixHash(sealed)
    return sealed
  }

  mixHash(concat('multiserver/shs2/1', server.publicKey))
  mixHash(point(B))

  // -> psk, e, es, e1
  const [afterPsk, pskHash, pskKey] = derive(ck, psk, 3)
  ck = afterPsk
  mixHash(pskHash)
  k = pskKey
  mixHash(point(a))
  mixKey(point(a))
  mixKey(sodium.crypto_scalarmult(a, point(B)))
  const kem = sodium.crypto_kem_mlkem768_seed_keypair(kemKeySeed)
  const message1 = concat(point(a), encryptAndHash(kem.publicKey), encryptAndHash(''))

  // <- e, ee, ekem1
  mixHash(point(b))
  mixKey(point(b))
  mixKey(sodium.crypto_scalarmult(b, point(a)))
  const { ciphertext, sharedSecret } = sodium.crypto_kem_mlkem768_enc_deterministic(kem.publicKey, kemSeed)
  const sealedCiphertext = encryptAndHash(ciphertext)
  mixKey(sharedSecret)
  const message2 = concat(point(b), sealedCiphertext, encryptAndHash(''))

  // -> s, se
  const sealedStatic = encryptAndHash(point(A))
  mixKey(sodium.crypto_scalarmult(A, point(b)))
  const message3 = concat(sealedStatic, encryptAndHash(client.publicKey))

  const [clientToServerKey, serverToClientKey] = derive(ck, Buffer.alloc(0), 2)
  const accept = seal(serverToClientKey, 0, Buffer.alloc(0), Buffer.of(0, 1))
  const bigLabel = `${name} big body`
  const big = chain(bigLabel, 65_519)
  const sender = frames(clientToServerKey, 0)
  const answerer = frames(serverToClientKey, 1)
  return {
    name,
    ...hexed({ clientSeed, serverSeed, appKey, psk }),
    clientPublicKey: hex(client.publicKey),
    serverPublicKey: hex(server.publicKey),
    clientEphemeralSecret: hex(a),
    serverEphemeralSecret: hex(b),
    mlkemKeypairSeed: hex(kemKeySeed),
    mlkemEncapsulationSeed: hex(kemSeed),
    ...hexed({
      message1,
      message2,
      message3,
      accept,
      handshakeHash: h,
      clientToServerKey,
      serverToClientKey,
    }),
    clientFrames: [
      { body: hex(toBuffer('hello')), wire: hex(sender.frame('hello')) },
      { bodySha256: hex(hash(big)), bodyLabel: bigLabel, wireSha256: hex(hash(sender.frame(big))) },
      { goodbye: true, wire: hex(sender.goodbye()) },
    ],
    serverFrames: [
      { body: hex(toBuffer('world')), wire: hex(answerer.frame('world')) },
      { goodbye: true, wire: hex(answerer.goodbye()) },
    ],
    rekey: makeRekey(clientToServerKey, serverToClientKey),
  }
}

function hexed(values) {
  return Object.fromEntries(Object.entries(values).map(([name, bytes]) => [name, hex(bytes)]))
}

/** One direction: `n` counts every operation, and the key changes before each multiple of 65,536. */
function frames(firstKey, firstN) {
  let key = firstKey
  let n = firstN
  const operate = (plaintext) => {
    if (n > 0 && n % 65_536 === 0) key = seal(key, -1, Buffer.alloc(0), Buffer.alloc(32)).subarray(0, 32)
    return seal(key, n++, Buffer.alloc(0), plaintext)
  }
  return {
    frame(body) {
      const bytes = toBuffer(body)
      return concat(operate(Buffer.of(bytes.length >> 8, bytes.length & 255)), operate(bytes))
    },
    goodbye: () => operate(Buffer.of(0, 0)),
    key: () => key,
  }
}

/** Frames that cross the first change of the key; on the way back, between a length and its body. */
function makeRekey(clientToServerKey, serverToClientKey) {
  const [fromClient, fromServer] = [frames(clientToServerKey, 0), frames(serverToClientKey, 1)]
  const [clientFramesBefore, serverFramesBefore] = [32_768, 32_767]
  for (let count = 0; count < clientFramesBefore; count++) fromClient.frame('x')
  for (let count = 0; count < serverFramesBefore; count++) fromServer.frame('x')
  return {
    bodyBefore: 'x',
    body: 'across',
    clientFramesBefore,
    clientFrame: hex(fromClient.frame('across')),
    clientToServerKeyAfter: hex(fromClient.key()),
    serverFramesBefore,
    serverFrame: hex(fromServer.frame('across')),
  }
}

/** HMAC as a check of the checks: what hkdfSync gives is what section 4.3 of Noise writes. */
function checkDerive() {
  const [ck, material] = [hash('a'), hash('b')]
  const hmac = (key, ...parts) =>
    createHmac('sha256', key)
      .update(concat(...parts))
      .digest()
  const temporary = hmac(ck, material)
  const first = hmac(temporary, Buffer.of(1))
  const second = hmac(temporary, first, Buffer.of(2))
  if (hex(concat(...derive(ck, material, 2))) !== hex(concat(first, second))) throw new Error('HKDF differs')
}

checkDerive()
const vectors = ['shs2 one', 'shs2 two', 'shs2 three'].map(makeVector)
const file = new URL('shs2.json', import.meta.url)
writeFileSync(file, `${JSON.stringify({ suite, vectors }, null, 2)}\n`)
