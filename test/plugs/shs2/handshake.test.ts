import sodium from 'libsodium-wrappers'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { concat, copy, fromHex, fromText } from '../../../core/bytes.ts'
import { createIdentity } from '../../../core/ed25519.ts'
import { createPair } from '../../../core/pair.ts'
import { ByteReader } from '../../../core/byte-reader.ts'
import { mlKem } from '../../../core/noise-crypto.ts'
import { Handshake, noisePatterns, withHfs, withPsk } from '../../../core/noise.ts'
import { MultiserverError } from '../../../core/errors.ts'
import { loadNoiseCrypto } from '../../../plugs/noise-crypto.ts'
import { keyToString, type Keys } from '../../../plugs/keys.ts'
import { serverFailures } from '../../../plugs/shs2/failures.ts'
import { shakeAsClient, shakeAsServer } from '../../../plugs/shs2/handshake.ts'
import shs2 from '../../../plugs/shs2/index.ts'
import type { Bytes, ByteStream } from '../../../core/types.ts'
import {
  accept,
  connect,
  exchange,
  failure,
  inPieces,
  makeKeys,
  securePair,
  settleBoth,
  streamOf,
  tapWrites,
  trackTimers,
} from '../shs/helpers.ts'
import { lowOrderKeys } from '../../support/low-order.ts'

let clientKeys: Keys
let serverKeys: Keys
let section: string

beforeAll(async () => {
  await sodium.ready
  clientKeys = await makeKeys(1)
  serverKeys = await makeKeys(2)
  section = `shs2:${keyToString(serverKeys.publicKey)}`
})

const appKey = new Uint8Array(32).fill(7)
const client = (options = {}) => shs2({ keys: clientKeys, appKey, ...options })
const server = (options = {}) => shs2({ keys: serverKeys, appKey, ...options })

describe('the shs2 handshake', () => {
  it('proves each key to the other side, asks auth, and gives both the same binding', async () => {
    const [c, s] = await securePair(client(), server({ auth: () => 'a friend' }))
    expect(c.remote).toEqual(serverKeys.publicKey)
    expect(s.remote).toEqual(clientKeys.publicKey)
    expect(s.auth).toBe('a friend')
    expect(c.binding).toHaveLength(32)
    expect(c.binding).toEqual(s.binding)
    await exchange(c, s)
  })

  it('works with oneself', async () => {
    const [c, s] = await securePair(server(), server())
    expect(c.remote).toEqual(s.remote)
    await exchange(c, s)
  })

  it('works in pieces of one byte', async () => {
    const [a, b] = createPair()
    const [c, s] = await securePair(client(), server(), [inPieces(a), inPieces(b)])
    await exchange(c, s)
  })

  it('has a binding of its own for each connection', async () => {
    const [[one], [other]] = [await securePair(client(), server()), await securePair(client(), server())]
    expect(one.binding).not.toEqual(other.binding)
    for (const { stream } of [one, other]) stream.abort()
  })

  it('takes the seed of the address as the identity of the client', async () => {
    const guest = await makeKeys(9)
    const invited = `${section}:${keyToString(new Uint8Array(32).fill(9))}`
    const [a, b] = createPair()
    const [, s] = await Promise.all([connect(shs2({ appKey }), invited, a), accept(server(), b)])
    expect(s.remote).toEqual(guest.publicKey)
    s.stream.abort()
  })

  it('sends messages of fixed sizes, and nothing of the client before accept', async () => {
    const [a, b] = createPair()
    const [fromClient, fromServer] = [tapWrites(a, (chunk) => chunk), tapWrites(b, (chunk) => chunk)]
    let answer: (value: boolean) => void = () => undefined
    const auth = () => new Promise((resolve) => (answer = resolve))
    const connecting = connect(client(), section, fromClient)
    const accepting = accept(server({ auth }), fromServer)
    await expect.poll(() => fromClient.writes.length).toBe(2)
    expect(fromServer.writes.map((chunk) => chunk.length)).toEqual([1152])
    answer(true)
    const [c] = await Promise.all([connecting, accepting])
    expect(fromClient.writes.map((chunk) => chunk.length)).toEqual([1248, 96])
    expect(fromServer.writes.map((chunk) => chunk.length)).toEqual([1152, 18])
    c.stream.abort()
  })
})

describe('a shs2 peer that is somebody else', () => {
  it('with another app key is refused at the first message', async () => {
    const [a, b] = createPair()
    const stranger = client({ appKey: new Uint8Array(32).fill(8) })
    const errors = await settleBoth(connect(stranger, section, a), accept(server(), b))
    expect(errors).toMatchObject({
      client: { code: 'HANDSHAKE_FAILED', message: expect.stringContaining('phase 1') },
      server: { code: 'HANDSHAKE_FAILED', message: expect.stringContaining('phase 1') },
    })
  })

  it('with another key than the address is never taken for it', async () => {
    const [a, b] = createPair()
    const other = `shs2:${keyToString((await makeKeys(3)).publicKey)}`
    const errors = await settleBoth(connect(client(), other, a), accept(server(), b))
    expect(errors).toMatchObject({
      client: { code: 'HANDSHAKE_FAILED' },
      server: { code: 'HANDSHAKE_FAILED' },
    })
  })

  it('with the sign-flipped twin of its key is not taken for it, although both share one X25519 form', async () => {
    const flipped = serverKeys.publicKey.slice()
    flipped[31] = (flipped[31] ?? 0) ^ 0x80
    expect(sodium.crypto_sign_ed25519_pk_to_curve25519(flipped)).toEqual(
      sodium.crypto_sign_ed25519_pk_to_curve25519(serverKeys.publicKey),
    )
    const [a, b] = createPair()
    const errors = await settleBoth(connect(client(), `shs2:${keyToString(flipped)}`, a), accept(server(), b))
    expect(errors).toMatchObject({
      client: { code: 'HANDSHAKE_FAILED' },
      server: { code: 'HANDSHAKE_FAILED' },
    })
  })

  it('may not claim another identity than it has, nor one that is none', async () => {
    const somebody = await makeKeys(5)
    const flipped = clientKeys.publicKey.slice()
    flipped[31] = (flipped[31] ?? 0) ^ 0x80
    for (const claimed of [somebody.publicKey, ...badKeys]) {
      let asked = false
      const auth = () => (asked = true)
      const [a, b] = createPair()
      const accepting = failure(accept(server({ auth }), b))
      const heard = await claim(a, claimed)
      expect(await accepting).toMatchObject({
        code: 'HANDSHAKE_FAILED',
        message: expect.stringContaining('phase 3'),
      })
      expect(heard).toBeNull()
      expect(asked).toBe(false)
    }
  })

  it('is not dialed when nobody can prove the key', async () => {
    for (const key of badKeys) {
      const [a, b] = createPair()
      const error = await failure(connect(client(), `shs2:${keyToString(key)}`, a))
      expect(error).toMatchObject({ code: 'WRONG_KEY' })
      expect(await failure(b.read())).toMatchObject({ code: 'CONNECTION_LOST' })
    }
  })

  it('is refused when its one-time key is of small order', async () => {
    for (const key of lowOrderKeys.map(fromHex)) {
      const [a, b] = createPair()
      const accepting = failure(accept(server(), b))
      await a.write(concat(key, sodium.randombytes_buf(1216)))
      expect(await accepting).toMatchObject({ code: 'HANDSHAKE_FAILED' })
      const [c, d] = createPair()
      const connecting = failure(connect(client(), section, c))
      await d.read()
      await d.write(concat(key, sodium.randombytes_buf(1120)))
      expect(await connecting).toMatchObject({ code: 'WRONG_KEY' })
    }
  })

  it('is refused when its ML-KEM key fails the modulus check, although all else of the message is right', async () => {
    const forged = sodium.crypto_kem_mlkem768_keypair().publicKey
    // Coefficients are below 3,329 and have 12 bits: this one is 4,095.
    forged.set([0xff, 0xff])
    const start = await startWithKemKey(forged)
    const inner = streamOf([start])
    expect(await failure(accept(server(), inner))).toMatchObject({
      code: 'HANDSHAKE_FAILED',
      message: expect.stringContaining('phase 1'),
    })
    expect(inner.written).toEqual([])
    // And the same message with a key that is one is answered.
    const honest = streamOf([await startWithKemKey(sodium.crypto_kem_mlkem768_keypair().publicKey)])
    await failure(accept(server(), honest))
    expect(honest.written.map((chunk) => chunk.length)).toEqual([1152])
  })

  it('learns nothing but a close when auth refuses, throws or does not answer', async () => {
    for (const [auth, code] of [
      [() => false, 'AUTH_REFUSED'],
      [() => Promise.reject(new Error('no')), 'AUTH_REFUSED'],
      [
        () => {
          throw new Error('broken')
        },
        'AUTH_REFUSED',
      ],
      [() => new Promise(() => undefined), 'AUTH_REFUSED'],
    ] as const) {
      const [a, b] = createPair()
      const fromServer = tapWrites(b, (chunk) => chunk)
      const errors = await settleBoth(
        connect(client(), section, a),
        accept(server({ auth, authTimeoutMs: 20 }), fromServer),
      )
      expect(errors).toMatchObject({ client: { code: 'AUTH_REFUSED' }, server: { code } })
      expect(fromServer.writes.map((chunk) => chunk.length)).toEqual([1152])
    }
  })
})

describe('a hostile or broken peer of shs2', () => {
  it('meets the deadline when it is silent, on either side', async () => {
    const timers = trackTimers()
    for (const secure of [
      (inner: ByteStream) => connect(client({ handshakeTimeoutMs: 30 }), section, inner),
      (inner: ByteStream) => accept(server({ handshakeTimeoutMs: 30 }), inner),
    ]) {
      const [a] = createPair()
      expect(await failure(secure(a))).toMatchObject({ code: 'TIMEOUT' })
      await a.closed
    }
    expect(timers.stop()).toBe(0)
  })

  it('is found out for every bit of every message', async () => {
    const { messages, replay } = await recordSession()
    for (const [index, message] of messages.entries()) {
      for (let bit = 0; bit < message.length * 8; bit += 1) {
        const forged = message.slice()
        forged[bit >> 3] = (forged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        const error = await failure(replay(index, forged))
        expect(error.code, `bit ${bit} of message ${index + 1}`).toMatch(/HANDSHAKE_FAILED|WRONG_KEY/)
      }
    }
  }, 60_000)

  it('is found out wherever a message is cut', async () => {
    const { messages, replay } = await recordSession()
    for (const [index, message] of messages.entries()) {
      for (let length = 0; length < message.length; length += index < 2 ? 37 : 1) {
        const error = await failure(replay(index, message.slice(0, length)))
        expect(error.code, `message ${index + 1} of ${length}`).toMatch(/HANDSHAKE_FAILED|AUTH_REFUSED/)
      }
    }
  })

  it('gets nowhere with messages of another session, or in another order', async () => {
    const one = await recordSession()
    const other = await recordSession()
    for (const [index, message] of one.messages.entries()) {
      // A first message is good for a second session too, as it is in every handshake; what follows it is not.
      if (index > 0) await failure(one.replay(index, other.messages[index] ?? message))
      for (const wrong of one.messages) {
        if (wrong === message) continue
        const fitted = new Uint8Array(message.length)
        fitted.set(wrong.subarray(0, message.length))
        expect((await failure(one.replay(index, fitted))).code).toMatch(/HANDSHAKE_FAILED|WRONG_KEY/)
      }
    }
  })

  it('gets the same close from a server for every cause, and no bytes', async () => {
    const { messages } = await recordSession()
    const [start, , proof] = messages
    if (start === undefined || proof === undefined) throw new Error('a session has four messages')
    const flipped = start.slice()
    flipped[700] = (flipped[700] ?? 0) ^ 1
    for (const [chunks, answers] of [
      [[flipped], 0],
      [[start.slice(0, 100)], 0],
      [[sodium.randombytes_buf(1248)], 0],
      [[start, proof], 1],
      [[start, sodium.randombytes_buf(96)], 1],
    ] as const) {
      const inner = streamOf(chunks)
      const error = await failure(accept(server(), inner))
      expect(Object.values(serverFailures).map(([, message]) => message)).toContain(error.message)
      expect(inner.aborted).toBe(true)
      expect(inner.written).toHaveLength(answers)
    }
  })
})

describe('aborting a dial or an accept of shs2', () => {
  it('leaves nothing in any state', async () => {
    const timers = trackTimers()
    for (const side of ['client', 'server'] as const) {
      for (let step = 0; step < 4; step += 1) {
        const aborting = new AbortController()
        const [a, b] = createPair()
        let steps = 0
        const count = () => {
          if (steps++ === step) aborting.abort(new MultiserverError('ABORTED', 'enough'))
        }
        const counted = (stream: ByteStream): ByteStream => ({
          ...stream,
          closed: stream.closed,
          read: () => (count(), stream.read()),
          write: (chunk) => (count(), stream.write(chunk)),
          end: () => stream.end(),
          abort: (reason) => stream.abort(reason),
        })
        const [c, d] = side === 'client' ? [counted(a), b] : [a, counted(b)]
        const never = new AbortController().signal
        const target = client().parse(section)
        if (target === null) throw new Error('it does not parse')
        const outcome = await settleBoth(
          target.connect(c, { signal: side === 'client' ? aborting.signal : never }),
          server().accept(d, { signal: side === 'server' ? aborting.signal : never }),
        )
        expect(outcome[side]).toMatchObject({ code: 'ABORTED', message: 'enough' })
        await a.closed
      }
    }
    expect(timers.stop()).toBe(0)
  })
})

/** Ed25519 keys that nobody can prove: the neutral element, of order 2, 4 and 8, not canonical, of mixed order, no point. */
const badKeys = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0000000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0200000000000000000000000000000000000000000000000000000000000000',
  // The base point and the point of order 2 added: outside the prime-order subgroup, of no small order.
  '9599999999999999999999999999999999999999999999999999999999999999',
].map(fromHex)

/** A client that does everything right but for the key that it says it has. */
async function claim(inner: ByteStream, claimed: Uint8Array): Promise<Bytes | null> {
  const identity = createIdentity(clientKeys)
  const liar = { ...identity, publicKey: claimed }
  const handshake = clientHandshake()
  await inner.write(await handshake.writeMessage(new Uint8Array(0)))
  const answer = await new ByteReader(inner).read(1152)
  if (answer === null) throw new Error('no answer came')
  await handshake.readMessage(answer)
  await inner.write(await handshake.writeMessage(liar.publicKey))
  return inner.read().catch(() => null)
}

function clientHandshake(): Handshake {
  const identity = createIdentity(clientKeys)
  return new Handshake({
    pattern: withPsk(withHfs(noisePatterns.XK), 0),
    role: 'initiator',
    prologue: concat(fromText('multiserver/shs2/1'), serverKeys.publicKey),
    psks: [pskOf(appKey)],
    static: {
      publicKey: sodium.crypto_sign_ed25519_pk_to_curve25519(clientKeys.publicKey),
      dh: (key) => identity.dh(key),
    },
    remoteStatic: sodium.crypto_sign_ed25519_pk_to_curve25519(serverKeys.publicKey),
  })
}

/** HKDF-SHA256 with an empty salt, by hand. */
function pskOf(key: Uint8Array): Uint8Array {
  const crypto = loadNoiseCrypto()
  const extracted = crypto.hmac(new Uint8Array(32), key)
  return crypto.hmac(extracted, concat(fromText('multiserver shs2 psk'), Uint8Array.of(1)))
}

/** A first message, sealed as it should be, with any ML-KEM key in it. */
async function startWithKemKey(kemKey: Uint8Array): Promise<Bytes> {
  const drawing = vi.spyOn(mlKem, 'createKeys')
  drawing.mockReturnValue({ publicKey: kemKey, secretKey: new Uint8Array(2400) })
  try {
    return await clientHandshake().writeMessage(new Uint8Array(0))
  } finally {
    drawing.mockRestore()
  }
}

interface RecordedSession {
  /** The two of the client and the two of the server, in their order. */
  readonly messages: readonly Bytes[]
  /** Runs the side that reads message `index` anew, with all the same secrets, and `forged` in its place. */
  readonly replay: (index: number, forged: Uint8Array) => Promise<unknown>
}

/** A session whose one-time secrets are known, so that either side can be brought to where a message is read. */
async function recordSession(): Promise<RecordedSession> {
  const crypto = loadNoiseCrypto()
  const [a, b] = [sodium.randombytes_buf(32), sodium.randombytes_buf(32)]
  const [keySeed, kemSeed] = [sodium.randombytes_buf(64), sodium.randombytes_buf(32)]
  const shake = {
    client: (wire: ReturnType<typeof wireOf>) =>
      shakeAsClient(wire, serverKeys.publicKey, {
        crypto,
        appKey,
        identity: createIdentity(clientKeys),
        known: { ephemeralSecret: a, kemSeed: keySeed },
      }),
    server: (wire: ReturnType<typeof wireOf>) =>
      shakeAsServer(wire, {
        crypto,
        appKey,
        identity: createIdentity(serverKeys),
        authorize: () => Promise.resolve(true),
        known: { ephemeralSecret: b, kemSeed },
      }),
  }
  const [near, far] = createPair()
  const [clientWire, serverWire] = [wireOf(near), wireOf(far)]
  await Promise.all([shake.client(clientWire), shake.server(serverWire)])
  const [message1, message3] = clientWire.written
  const [message2, accepted] = serverWire.written
  const messages = [message1, message2, message3, accepted].filter((message) => message !== undefined)
  return {
    messages,
    replay(index, forged) {
      const before = messages.filter((_, other) => other % 2 === index % 2 && other < index)
      const wire = wireOf(streamOf([...before, forged]))
      return index % 2 === 0 ? shake.server(wire) : shake.client(wire)
    },
  }
}

function wireOf(stream: ByteStream) {
  const written: Bytes[] = []
  return {
    written,
    reader: new ByteReader(stream),
    write(chunk: Uint8Array) {
      written.push(copy(chunk))
      return stream.write(chunk)
    },
  }
}
