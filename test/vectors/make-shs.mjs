// Makes shs.json: known answers of secret-handshake and box-stream, all secrets given, from the reference
// implementation (`secret-handshake` and `pull-box-stream` of npm, which multiserver 3.8.2 depends on).
// Run it from the repository: node test/vectors/make-shs.mjs
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const fromHere = createRequire(import.meta.url)
const fromReference = createRequire(fromHere.resolve('multiserver-3.8.2/package.json'))
const shake = fromReference('secret-handshake/crypto')
const fromShake = createRequire(fromReference.resolve('secret-handshake'))
const boxes = fromShake('pull-box-stream')
const pull = fromReference('pull-stream')

const hash = (text) => createHash('sha256').update(text).digest()
const hex = (bytes) => Buffer.from(bytes).toString('hex')
/** Bytes that any language can make again: byte i is i * 7 + 1 modulo 256. */
const pattern = (length) => Buffer.from(Array.from({ length }, (_, index) => (index * 7 + 1) & 0xff))

function makeHandshake(name, { sameKeys = false } = {}) {
  const appKey = hash(`${name} app key`)
  const clientSeed = hash(`${name} client`)
  const serverSeed = sameKeys ? clientSeed : hash(`${name} server`)
  const client = shake.toKeys(clientSeed)
  const server = shake.toKeys(serverSeed)
  const a = shake.initialize({
    app_key: appKey,
    local: client,
    remote: { publicKey: server.publicKey },
    random: hash(`${name} a`),
  })
  const b = shake.initialize({ app_key: appKey, local: server, random: hash(`${name} b`) })
  const secrets = { clientEphemeral: hex(a.local.kx_sk), serverEphemeral: hex(b.local.kx_sk) }

  const clientChallenge = shake.createChallenge(a)
  shake.verifyChallenge(b, clientChallenge)
  const serverChallenge = shake.createChallenge(b)
  shake.clientVerifyChallenge(a, serverChallenge)
  const clientHello = shake.clientCreateAuth(a)
  shake.serverVerifyAuth(b, clientHello)
  const serverAccept = shake.serverCreateAccept(b)
  shake.clientVerifyAccept(a, serverAccept)
  shake.clean(a)
  shake.clean(b)
  return {
    name,
    appKey: hex(appKey),
    clientSeed: hex(clientSeed),
    serverSeed: hex(serverSeed),
    clientPublicKey: hex(client.publicKey),
    serverPublicKey: hex(server.publicKey),
    ...secrets,
    clientChallenge: hex(clientChallenge),
    serverChallenge: hex(serverChallenge),
    clientHello: hex(clientHello),
    serverAccept: hex(serverAccept),
    clientToServer: { key: hex(a.encryptKey), nonce: hex(a.remote.app_mac.slice(0, 24)) },
    serverToClient: { key: hex(b.encryptKey), nonce: hex(b.remote.app_mac.slice(0, 24)) },
  }
}

async function makeStream(name, nonceHex, lengths) {
  const key = hash(`${name} key`)
  const nonce = nonceHex === undefined ? hash(`${name} nonce`).subarray(0, 24) : Buffer.from(nonceHex, 'hex')
  const frames = await new Promise((resolve, reject) => {
    const chunks = lengths.map(pattern)
    pull(
      pull.values(chunks),
      boxes.createBoxStream(key, nonce),
      pull.collect((error, out) => (error ? reject(error) : resolve(Buffer.concat(out)))),
    )
  })
  const short = frames.length <= 512 ? { frames: hex(frames) } : {}
  return { name, key: hex(key), nonce: hex(nonce), lengths, framesSha256: hex(hash(frames)), ...short }
}

const vectors = {
  handshakes: [
    makeHandshake('one'),
    makeHandshake('two'),
    makeHandshake('three'),
    makeHandshake('to oneself', { sameKeys: true }),
  ],
  streams: [
    await makeStream('only goodbye', undefined, []),
    await makeStream('a few bytes', undefined, [1, 16, 100]),
    await makeStream('more than a frame', undefined, [10_000]),
    await makeStream('exact frames', undefined, [4096, 8192, 4097]),
    await makeStream('the nonce carries', '00112233445566778899aabbccddeeff00ffffffffffffff', [3, 5000]),
    await makeStream('the nonce wraps', 'ff'.repeat(24), [3, 5000]),
  ],
}
writeFileSync(new URL('shs.json', import.meta.url), `${JSON.stringify(vectors, null, 2)}\n`)
