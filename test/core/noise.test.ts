import sodium from 'libsodium-wrappers'
import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { fromHex, fromText, toHex } from '../../core/bytes.ts'
import {
  CipherState,
  Handshake,
  NoiseError,
  wasmNoiseCrypto,
  noisePatterns,
  withHfs,
  withPsk,
  type HandshakeOptions,
  type NoiseCrypto,
  type NoiseKey,
  type NoisePattern,
} from '../../core/noise.ts'

interface Vector {
  protocol_name: string
  init_prologue: string
  init_psks?: string[]
  init_static?: string
  init_ephemeral: string
  init_remote_static?: string
  resp_prologue: string
  resp_psks?: string[]
  resp_static?: string
  resp_ephemeral: string
  resp_remote_static?: string
  handshake_hash: string
  messages: { payload: string; ciphertext: string }[]
}

const vectors = readVectors()

beforeAll(() => sodium.ready)

it('overwrites the pre-shared key, and what its keys were made of', async () => {
  const psk = new Uint8Array(32).fill(7)
  const secrets: Uint8Array[] = []
  const crypto: NoiseCrypto = {
    ...wasmNoiseCrypto,
    hmac(secret, data) {
      // HKDF's own inputs have a number behind them; the other 32 bytes here are of public keys and shared secrets.
      if (data.length === 33 || toHex(data) === toHex(psk)) secrets.push(data)
      return wasmNoiseCrypto.hmac(secret, data)
    },
  }
  const options = { pattern: withPsk(noisePatterns.NN, 0), psks: [psk], crypto }
  const initiator = new Handshake({ ...options, role: 'initiator' })
  const responder = new Handshake({ ...options, role: 'responder' })
  await responder.readMessage(await initiator.writeMessage(new Uint8Array(0)))
  await initiator.readMessage(await responder.writeMessage(new Uint8Array(0)))
  expect(initiator.transport).toBeDefined()
  expect(secrets.length).toBeGreaterThan(10)
  for (const secret of secrets) expect(secret.every((byte) => byte === 0)).toBe(true)
  expect(psk[0]).toBe(7)
})

describe('published Noise vectors', () => {
  it.each(vectors.map((vector) => [vector.protocol_name, vector] as const))('%s', async (_name, vector) => {
    const sides = { initiator: createInitiator(vector), responder: createResponder(vector) }
    for (const [index, { payload, ciphertext }] of vector.messages.entries()) {
      const [writer, reader] =
        index % 2 === 0 ? [sides.initiator, sides.responder] : [sides.responder, sides.initiator]
      const message = writer.transport
        ? writer.transport.send.encrypt(fromHex(payload))
        : await writer.writeMessage(fromHex(payload))
      expect(toHex(message)).toBe(ciphertext)
      const opened = reader.transport
        ? reader.transport.receive.decrypt(message)
        : await reader.readMessage(message)
      expect(toHex(opened)).toBe(payload)
    }
    for (const { transport } of Object.values(sides)) {
      expect(transport && toHex(transport.handshakeHash)).toBe(vector.handshake_hash)
    }
  })

  it('are all of the patterns that the engine is used with', () => {
    const names = vectors.map((vector) => vector.protocol_name.split('_')[1])
    expect(names).toEqual(['NN', 'NK', 'XK', 'IK', 'XX', 'NNpsk0', 'NKpsk0', 'XKpsk3', 'XXpsk3'])
  })
})

describe('the hfs modifier', () => {
  it.each([
    [
      'NN',
      [
        ['e', 'e1'],
        ['e', 'ee', 'ekem1'],
      ],
    ],
    [
      'XX',
      [
        ['e', 'e1'],
        ['e', 'ee', 'ekem1', 's', 'es'],
        ['s', 'se'],
      ],
    ],
    [
      'XK',
      [
        ['e', 'es', 'e1'],
        ['e', 'ee', 'ekem1'],
        ['s', 'se'],
      ],
    ],
    [
      'IK',
      [
        ['e', 'es', 'e1', 's', 'ss'],
        ['e', 'ee', 'ekem1', 'se'],
      ],
    ],
  ] as const)('puts its tokens into %s where its specification does', (name, messages) => {
    const pattern = withHfs(noisePatterns[name])
    expect(pattern).toMatchObject({ name: `${name}hfs`, dh: '25519+MLKEM768' })
    expect(pattern.messages).toEqual(messages)
  })

  it('is named before those that are added after it', () => {
    expect(withPsk(withHfs(noisePatterns.XK), 0).name).toBe('XKhfs+psk0')
    expect(withPsk(withPsk(noisePatterns.NN, 0), 2).name).toBe('NNpsk0+psk2')
  })

  it.each(['NN', 'XX', 'XK', 'IK'] as const)('gives both sides of %s the same keys', async (name) => {
    const [client, server] = [createKey(), createKey()]
    const pattern = withHfs(noisePatterns[name])
    const sides = { pattern, psks: [] }
    const initiator = new Handshake({
      ...sides,
      role: 'initiator',
      static: client,
      remoteStatic: server.publicKey,
    })
    const responder = new Handshake({ ...sides, role: 'responder', static: server })
    for (let turn = 0; turn < pattern.messages.length; turn++) {
      const [writer, reader] = turn % 2 === 0 ? [initiator, responder] : [responder, initiator]
      expect(await reader.readMessage(await writer.writeMessage(fromText('payload')))).toEqual(
        fromText('payload'),
      )
    }
    expect(responder.transport?.handshakeHash).toEqual(initiator.transport?.handshakeHash)
  })

  it('shows a ciphertext that is for another key in the next thing that is to open', async () => {
    const pattern = withHfs(noisePatterns.NN)
    const initiator = new Handshake({ pattern, role: 'initiator' })
    const responder = new Handshake({ pattern, role: 'responder' })
    await responder.readMessage(await initiator.writeMessage(NOTHING))
    const answer = await responder.writeMessage(NOTHING)
    answer[40] = (answer[40] ?? 0) ^ 1
    await expect(initiator.readMessage(answer)).rejects.toThrow(NoiseError)
  })
})

describe('a handshake', () => {
  it('takes a static key whose DH is a promise', async () => {
    const server = createKey()
    const later: NoiseKey = {
      publicKey: server.publicKey,
      dh: async (publicKey) => {
        await Promise.resolve()
        return server.dh(publicKey)
      },
    }
    const initiator = new Handshake(nk({ role: 'initiator', remoteStatic: server.publicKey }))
    const responder = new Handshake(nk({ role: 'responder', static: later }))
    await responder.readMessage(await initiator.writeMessage(fromText('hello')))
    const payload = await initiator.readMessage(await responder.writeMessage(fromText('welcome')))
    expect(payload).toEqual(fromText('welcome'))
    expect(responder.transport?.handshakeHash).toEqual(initiator.transport?.handshakeHash)
  })

  it('learns the static key that the other side sends', async () => {
    const [client, server] = [createKey(), createKey()]
    const initiator = new Handshake({
      pattern: noisePatterns.XK,
      role: 'initiator',
      static: client,
      remoteStatic: server.publicKey,
    })
    const responder = new Handshake({ pattern: noisePatterns.XK, role: 'responder', static: server })
    await responder.readMessage(await initiator.writeMessage(NOTHING))
    await initiator.readMessage(await responder.writeMessage(NOTHING))
    expect(responder.remoteStatic).toBeUndefined()
    await responder.readMessage(await initiator.writeMessage(NOTHING))
    expect(responder.remoteStatic).toEqual(client.publicKey)
  })

  it.each(['prologue', 'remoteStatic', 'psks'] as const)('fails when %s differs', async (what) => {
    const server = createKey()
    const shared = { pattern: withPsk(noisePatterns.NK, 0), prologue: fromText('a'), psks: [key(1)] }
    const other = { prologue: fromText('b'), remoteStatic: createKey().publicKey, psks: [key(2)] }
    const initiator = new Handshake({
      ...shared,
      role: 'initiator',
      remoteStatic: server.publicKey,
      [what]: other[what],
    })
    const responder = new Handshake({ ...shared, role: 'responder', static: server })
    const message = await initiator.writeMessage(NOTHING)
    await expect(responder.readMessage(message)).rejects.toThrow(NoiseError)
  })

  it('refuses every changed, cut or lengthened byte of a message', async () => {
    const server = createKey()
    const message = await new Handshake(
      nk({ role: 'initiator', remoteStatic: server.publicKey }),
    ).writeMessage(fromText('payload'))
    const bad = [...message.keys()].flatMap((index) => [flip(message, index), message.slice(0, index)])
    for (const forged of [...bad, Uint8Array.of(...message, 0), new Uint8Array(65_536)]) {
      const responder = new Handshake(nk({ role: 'responder', static: server }))
      await expect(responder.readMessage(forged)).rejects.toThrow(NoiseError)
    }
  })

  it.each([
    ['zero', '0000000000000000000000000000000000000000000000000000000000000000'],
    ['one', '0100000000000000000000000000000000000000000000000000000000000000'],
    ['of order 8', 'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800'],
    ['p', 'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'],
  ])('refuses an ephemeral that is %s', async (_name, ephemeral) => {
    const responder = new Handshake({ pattern: noisePatterns.NN, role: 'responder' })
    await responder.readMessage(fromHex(ephemeral))
    await expect(responder.writeMessage(NOTHING)).rejects.toThrow(NoiseError)
  })

  it('refuses a key elsewhere that answers zeros', async () => {
    const server: NoiseKey = { publicKey: createKey().publicKey, dh: () => new Uint8Array(32) }
    const initiator = new Handshake(nk({ role: 'initiator', remoteStatic: server.publicKey }))
    const responder = new Handshake(nk({ role: 'responder', static: server }))
    const message = await initiator.writeMessage(NOTHING)
    await expect(responder.readMessage(message)).rejects.toThrow('X25519 gave no secret')
  })

  it('refuses calls out of turn, at the same time, after a failure and after the end', async () => {
    const server = createKey()
    const initiator = new Handshake(nk({ role: 'initiator', remoteStatic: server.publicKey }))
    const responder = new Handshake(nk({ role: 'responder', static: server }))
    await expect(initiator.readMessage(NOTHING)).rejects.toThrow('cannot read a message now')
    await expect(responder.writeMessage(NOTHING)).rejects.toThrow('cannot write a message now')
    const first = initiator.writeMessage(NOTHING)
    await expect(initiator.writeMessage(NOTHING)).rejects.toThrow('cannot write a message now')
    await responder.readMessage(await first)
    await initiator.readMessage(await responder.writeMessage(NOTHING))
    await expect(initiator.writeMessage(NOTHING)).rejects.toThrow('cannot write a message now')

    const failed = new Handshake(nk({ role: 'responder', static: server }))
    await expect(failed.readMessage(new Uint8Array(48))).rejects.toThrow(NoiseError)
    await expect(failed.readMessage(await first)).rejects.toThrow('cannot read a message now')
    expect(failed.transport).toBeUndefined()
  })

  it('says which key of its pattern is missing', async () => {
    expect(() => new Handshake(nk({ role: 'initiator' }))).toThrow("the responder's static key")
    const xx = new Handshake({ pattern: withPsk(noisePatterns.XX, 0), role: 'initiator' })
    await expect(xx.writeMessage(NOTHING)).rejects.toThrow('a pre-shared key')
  })

  it('writes no message of more than 65,535 bytes', async () => {
    const fits = new Handshake({ pattern: noisePatterns.NN, role: 'initiator' })
    await expect(fits.writeMessage(new Uint8Array(65_503))).resolves.toHaveLength(65_535)
    const tooLong = new Handshake({ pattern: noisePatterns.NN, role: 'initiator' })
    await expect(tooLong.writeMessage(new Uint8Array(65_504))).rejects.toThrow('65,535')
  })
})

describe('a cipher state', () => {
  it('passes bytes as they are, copied, without a key', () => {
    const cipher = new CipherState()
    const plaintext = Uint8Array.of(1, 2, 3)
    const passed = cipher.encrypt(plaintext)
    plaintext[0] = 9
    expect(passed).toEqual(Uint8Array.of(1, 2, 3))
    expect(cipher.nonce).toBe(0)
    expect(() => cipher.rekey()).toThrow(NoiseError)
  })

  it('keeps its nonce when a ciphertext does not open', () => {
    const [alice, bob] = createCiphers()
    const sealed = alice.encrypt(Uint8Array.of(7))
    expect(() => bob.decrypt(flip(sealed, 0))).toThrow(NoiseError)
    expect(() => bob.decrypt(sealed.subarray(0, 15))).toThrow(NoiseError)
    expect(bob.decrypt(sealed)).toEqual(Uint8Array.of(7))
    expect(() => bob.decrypt(sealed)).toThrow(NoiseError)
  })

  it('rekeys to ENCRYPT(k, 2^64-1, empty, zeros) and goes on counting', () => {
    const [alice, bob] = createCiphers()
    bob.decrypt(alice.encrypt(NOTHING))
    const maxNonce = fromHex('00000000ffffffffffffffff')
    const next = sodium.crypto_aead_chacha20poly1305_ietf_encrypt(
      new Uint8Array(32),
      null,
      null,
      maxNonce,
      key(3),
    )
    alice.rekey()
    expect(alice.nonce).toBe(1)
    const sealed = alice.encrypt(Uint8Array.of(7))
    const nonce = fromHex('000000000100000000000000')
    const expected = sodium.crypto_aead_chacha20poly1305_ietf_encrypt(
      Uint8Array.of(7),
      null,
      null,
      nonce,
      next.subarray(0, 32),
    )
    expect(sealed).toEqual(expected)
    expect(() => bob.decrypt(sealed)).toThrow(NoiseError)
    bob.rekey()
    expect(bob.decrypt(sealed)).toEqual(Uint8Array.of(7))
  })

  it('writes its nonce in 64 bits, little-endian', () => {
    const [cipher] = createCiphers()
    cipher.setNonce(0x1_0203_0405)
    const nonce = fromHex('000000000504030201000000')
    const expected = sodium.crypto_aead_chacha20poly1305_ietf_encrypt(NOTHING, null, null, nonce, key(3))
    expect(cipher.encrypt(NOTHING)).toEqual(expected)
  })

  it('stops when its nonces are used up', () => {
    const [alice, bob] = createCiphers()
    alice.setNonce(Number.MAX_SAFE_INTEGER - 1)
    bob.setNonce(Number.MAX_SAFE_INTEGER - 1)
    const last = alice.encrypt(NOTHING)
    expect(bob.decrypt(last)).toEqual(NOTHING)
    expect(() => alice.encrypt(NOTHING)).toThrow('used up')
    expect(() => bob.decrypt(last)).toThrow('used up')
  })
})

const NOTHING = new Uint8Array(0)

function readVectors(): Vector[] {
  const file = new URL('../vectors/noise.json', import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { vectors: Vector[] }).vectors
}

function createInitiator(vector: Vector): Handshake {
  return new Handshake({
    pattern: parsePattern(vector.protocol_name),
    role: 'initiator',
    prologue: fromHex(vector.init_prologue),
    static: vector.init_static === undefined ? undefined : createKey(fromHex(vector.init_static)),
    remoteStatic: vector.init_remote_static === undefined ? undefined : fromHex(vector.init_remote_static),
    psks: vector.init_psks?.map(fromHex),
    ephemeralSecret: fromHex(vector.init_ephemeral),
  })
}

function createResponder(vector: Vector): Handshake {
  return new Handshake({
    pattern: parsePattern(vector.protocol_name),
    role: 'responder',
    prologue: fromHex(vector.resp_prologue),
    static: vector.resp_static === undefined ? undefined : createKey(fromHex(vector.resp_static)),
    remoteStatic: vector.resp_remote_static === undefined ? undefined : fromHex(vector.resp_remote_static),
    psks: vector.resp_psks?.map(fromHex),
    ephemeralSecret: fromHex(vector.resp_ephemeral),
  })
}

function parsePattern(protocolName: string): NoisePattern {
  const match = /^Noise_([A-Z]{2})(?:psk(\d))?_25519_ChaChaPoly_SHA256$/.exec(protocolName)
  const base = Object.values(noisePatterns).find(({ name }) => name === match?.[1])
  if (match === null || base === undefined) throw new Error(`no pattern for ${protocolName}`)
  return match[2] === undefined ? base : withPsk(base, Number(match[2]))
}

function nk(options: Omit<HandshakeOptions, 'pattern'>): HandshakeOptions {
  return { pattern: noisePatterns.NK, ...options }
}

function createKey(secret: Uint8Array = sodium.randombytes_buf(32)): NoiseKey {
  return {
    publicKey: sodium.crypto_scalarmult_base(secret),
    dh: (publicKey) => sodium.crypto_scalarmult(secret, publicKey),
  }
}

function createCiphers(): [CipherState, CipherState] {
  const [alice, bob] = [new CipherState(), new CipherState()]
  alice.initializeKey(key(3))
  bob.initializeKey(key(3))
  return [alice, bob]
}

function key(byte: number): Uint8Array {
  return new Uint8Array(32).fill(byte)
}

function flip(bytes: Uint8Array, index: number): Uint8Array {
  const flipped = bytes.slice()
  flipped[index] = (flipped[index] ?? 0) ^ 1
  return flipped
}
