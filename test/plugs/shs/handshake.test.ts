import sodium from 'libsodium-wrappers'
import { beforeAll, describe, expect, it } from 'vitest'
import { concat, fromHex, fromText } from '../../../core/bytes.ts'
import { MultiserverError } from '../../../core/errors.ts'
import { createPair } from '../../../core/pair.ts'
import type { ByteStream, Secured } from '../../../core/types.ts'
import { defaultAppKey } from '../../../plugs/app-key.ts'
import { keyToString, type Keys } from '../../../plugs/keys.ts'
import shs from '../../../plugs/shs/index.ts'
import {
  accept,
  connect,
  failure,
  inPieces,
  makeKeys,
  securePair,
  settleBoth,
  smallOrderKeys,
  talk,
  tapWrites,
  trackTimers,
} from './helpers.ts'

let clientKeys: Keys
let serverKeys: Keys
let section: string

beforeAll(async () => {
  await sodium.ready
  clientKeys = await makeKeys(1)
  serverKeys = await makeKeys(2)
  section = `shs:${keyToString(serverKeys.publicKey)}`
})

const client = (options = {}) => shs({ keys: clientKeys, ...options })
const server = (options = {}) => shs({ keys: serverKeys, ...options })

describe('the shs handshake', () => {
  it('proves each key to the other side', async () => {
    const [c, s] = await securePair(client(), server())
    expect(c.remote).toEqual(serverKeys.publicKey)
    expect(s.remote).toEqual(clientKeys.publicKey)
    expect(c.auth).toBeUndefined()
    expect(s.auth).toBeUndefined()
    await exchange(c, s)
  })

  it('shows nobody the keys of the session', async () => {
    const secured = await securePair(client(), server())
    for (const { stream, ...proved } of secured) {
      expect(Object.keys(proved).toSorted()).toEqual(['auth', 'binding', 'remote'])
      // Secret-handshake 1 has none.
      expect(proved.binding).toBeUndefined()
      expect(Object.values(stream).filter((value) => ArrayBuffer.isView(value))).toEqual([])
      stream.abort()
    }
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

  it('keeps what comes in one piece with its last message', async () => {
    const [a, b] = createPair()
    let accepted = new Uint8Array(0)
    const joining = tapWrites(b, (chunk, offset) => {
      if (offset === 0) return chunk
      const joined = concat(accepted, chunk)
      accepted = offset === 64 ? joined : new Uint8Array(0)
      return offset === 64 ? new Uint8Array(0) : joined
    })
    const connecting = connect(client(), section, a)
    const s = await accept(server(), joining)
    await s.stream.write(fromText('early'))
    const c = await connecting
    expect(await c.stream.read()).toEqual(fromText('early'))
    c.stream.abort()
  })

  it('takes the seed of the address as the identity of the client', async () => {
    const seed = new Uint8Array(32).fill(7)
    const guest = await makeKeys(7)
    const [a, b] = createPair()
    const address = `${section}:${keyToString(seed)}`
    const [, s] = await Promise.all([connect(shs(), address, a), accept(server(), b)])
    expect(s.remote).toEqual(guest.publicKey)
  })

  it('fails with WRONG_KEY at the client when the server has another key', async () => {
    const [a, b] = createPair()
    const other = `shs:${keyToString((await makeKeys(3)).publicKey)}`
    const [fromClient, fromServer] = await Promise.all([
      failure(connect(client(), other, a)),
      failure(accept(server(), b)),
    ])
    expect(fromClient).toMatchObject({ code: 'WRONG_KEY', message: expect.stringContaining('wrong number') })
    expect(fromServer).toMatchObject({
      code: 'HANDSHAKE_FAILED',
      message: expect.stringContaining('phase 3'),
    })
    await Promise.all([a.closed, b.closed])
  })

  it('fails with HANDSHAKE_FAILED on both sides when the app keys differ', async () => {
    const [a, b] = createPair()
    const [fromClient, fromServer] = await Promise.all([
      failure(connect(client({ appKey: new Uint8Array(32).fill(5) }), section, a)),
      failure(accept(server(), b)),
    ])
    expect(fromClient).toMatchObject({
      code: 'HANDSHAKE_FAILED',
      message: expect.stringContaining('phase 1'),
    })
    expect(fromServer).toMatchObject({
      code: 'HANDSHAKE_FAILED',
      message: expect.stringContaining('app key'),
    })
  })

  it('fails with KEYS_INVALID where keys are missing', async () => {
    const [a, b] = createPair()
    expect(await failure(connect(shs(), section, a))).toMatchObject({ code: 'KEYS_INVALID' })
    expect(await failure(accept(shs(), b))).toMatchObject({ code: 'KEYS_INVALID' })
    await Promise.all([a.closed, b.closed])
  })

  it('refuses to dial a key that nobody can prove', async () => {
    const keys = [
      new Uint8Array(32),
      Uint8Array.of(1, ...new Uint8Array(31)),
      // 2^255 - 18 is 1, not in canonical form.
      Uint8Array.of(0xee, ...new Uint8Array(30).fill(0xff), 0x7f),
    ]
    for (const key of keys) {
      const [a, b] = createPair()
      expect(await failure(connect(client(), `shs:${keyToString(key)}`, a))).toMatchObject({
        code: 'WRONG_KEY',
      })
      expect(await failure(b.read())).toMatchObject({ code: 'CONNECTION_LOST' })
    }
  })
})

describe('a hostile or broken peer of shs', () => {
  it('meets the deadline when it is silent, on either side', async () => {
    const timers = trackTimers()
    for (const secure of [
      (inner: ByteStream) => connect(client({ handshakeTimeoutMs: 30 }), section, inner),
      (inner: ByteStream) => accept(server({ handshakeTimeoutMs: 30 }), inner),
    ]) {
      const [a] = createPair()
      expect(await failure(secure(a))).toMatchObject({
        code: 'TIMEOUT',
        message: expect.stringContaining('challenge'),
      })
      await a.closed
    }
    expect(timers.stop()).toBe(0)
  })

  it('meets the deadline when it sends a byte now and then', async () => {
    const [a, b] = createPair()
    const stopped = b.closed.then(() => true)
    const drip = (async () => {
      const step = () => new Promise<boolean>((resolve) => setTimeout(resolve, 5, false))
      while (!(await Promise.race([stopped, step()]))) await b.write(Uint8Array.of(1)).catch(() => undefined)
    })()
    // Its 64 bytes take 320 ms: were each byte to start the deadline anew, they would be refused as invalid.
    const error = await failure(accept(server({ handshakeTimeoutMs: 60 }), a))
    expect(error).toMatchObject({ code: 'TIMEOUT' })
    await drip
  })

  it('cannot crash anybody with a one-time key of small order and a valid MAC', async () => {
    for (const key of smallOrderKeys) {
      const challenge = concat(sodium.crypto_auth(key, fromHex(defaultAppKey)), key)
      for (const secure of [
        (inner: ByteStream) => connect(client(), section, inner),
        (inner: ByteStream) => accept(server(), inner),
      ]) {
        const [a, b] = createPair()
        const failing = failure(secure(a))
        await b.write(challenge)
        expect(await failing).toMatchObject({ code: 'HANDSHAKE_FAILED' })
        await a.closed
      }
    }
  })

  it('cannot pass with an identity of small order and the signature that fits every message', async () => {
    const neutral = Uint8Array.of(1, ...new Uint8Array(31))
    const universal = concat(neutral, new Uint8Array(32))
    let asked = false
    const [a, b] = createPair()
    const failing = failure(
      accept(
        server({
          auth: () => {
            asked = true
            return true
          },
        }),
        a,
      ),
    )
    const appKey = fromHex(defaultAppKey)
    const secretKey = new Uint8Array(32).fill(4)
    const publicKey = sodium.crypto_scalarmult_base(secretKey)
    await b.write(concat(sodium.crypto_auth(publicKey, appKey), publicKey))
    const challenge = await b.read()
    if (challenge === null) throw new Error('no challenge came')
    const ab = sodium.crypto_scalarmult(secretKey, challenge.subarray(32))
    const aB = sodium.crypto_scalarmult(
      secretKey,
      sodium.crypto_sign_ed25519_pk_to_curve25519(serverKeys.publicKey),
    )
    const helloKey = new Uint8Array(await globalThis.crypto.subtle.digest('SHA-256', concat(appKey, ab, aB)))
    await b.write(sodium.crypto_secretbox_easy(concat(universal, neutral), new Uint8Array(24), helloKey))
    expect(await failing).toMatchObject({
      code: 'HANDSHAKE_FAILED',
      message: expect.stringContaining('hello'),
    })
    expect(asked).toBe(false)
  })

  it('gets nowhere with the bytes of an older session', async () => {
    const [a, b] = createPair()
    const fromClient = tapWrites(a, (chunk) => chunk)
    const fromServer = tapWrites(b, (chunk) => chunk)
    await securePair(client(), server(), [fromClient, fromServer])

    const [c, d] = createPair()
    const accepting = failure(accept(server(), c))
    await d.write(concat(...fromClient.writes))
    expect(await accepting).toMatchObject({
      code: 'HANDSHAKE_FAILED',
      message: expect.stringContaining('hello'),
    })

    const [e, f] = createPair()
    const connecting = failure(connect(client(), section, e))
    await f.write(concat(...fromServer.writes))
    expect(await connecting).toMatchObject({ code: 'WRONG_KEY', message: expect.stringContaining('phase 4') })
  })

  it('fails both sides in time when a message is cut anywhere', async () => {
    for (const [side, length] of [
      ['client', 64 + 112],
      ['server', 64 + 80],
    ] as const) {
      for (let keep = 0; keep < length; keep += 1) {
        const [a, b] = createPair()
        const cut = (stream: ByteStream) =>
          tapWrites(stream, async (chunk, offset) => {
            if (offset + chunk.length <= keep) return chunk
            const rest = chunk.subarray(0, Math.max(0, keep - offset))
            if (rest.length > 0) await stream.write(rest)
            await stream.end()
            return new Uint8Array(0)
          })
        const [c, d] = side === 'client' ? [cut(a), b] : [a, cut(b)]
        const errors = await settleBoth(connect(client(), section, c), accept(server(), d))
        // The server is content once its accept is written; that it was cut is for the client to find out.
        expect(errors.client, `${side} ${keep}`).toMatchObject({
          code: expect.stringMatching(/HANDSHAKE_FAILED|WRONG_KEY/),
        })
        if (side === 'client') expect(errors.server).toMatchObject({ code: 'HANDSHAKE_FAILED' })
      }
    }
  })

  it('is found out for every bit that is flipped in a short session', async () => {
    const words = { client: fromText('hi bob'), server: fromText('hi alice') }
    const lengths = { client: 64 + 112 + 34 + 6 + 34, server: 64 + 80 + 34 + 8 + 34 }
    for (const side of ['client', 'server'] as const) {
      for (let bit = 0; bit < lengths[side] * 8; bit += 1) {
        const [a, b] = createPair()
        const flip = (stream: ByteStream) =>
          tapWrites(stream, (chunk, offset) => {
            const index = (bit >> 3) - offset
            if (index >= 0 && index < chunk.length) chunk[index] = (chunk[index] ?? 0) ^ (1 << (bit & 7))
            return chunk
          })
        const [c, d] = side === 'client' ? [flip(a), b] : [a, flip(b)]
        const outcomes = await Promise.allSettled([
          connect(client(), section, c).then((secured) => talk(secured, words.client)),
          accept(server(), d).then((secured) => talk(secured, words.server)),
        ])
        const errors = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
        expect(errors.length, `bit ${bit} of the ${side}`).toBeGreaterThan(0)
        for (const error of errors) expect(error).toBeInstanceOf(MultiserverError)
      }
    }
  })
})

describe('aborting a dial or an accept', () => {
  it('leaves nothing in any state', async () => {
    const timers = trackTimers()
    for (const side of ['client', 'server'] as const) {
      for (let step = 0; step < 6; step += 1) {
        const aborting = new AbortController()
        const [a, b] = createPair()
        let steps = 0
        const count = () => {
          if (steps++ === step) aborting.abort(new MultiserverError('ABORTED', 'enough'))
        }
        const counted = (stream: ByteStream): ByteStream => ({
          closed: stream.closed,
          read: () => {
            count()
            return stream.read()
          },
          write: (chunk) => {
            count()
            return stream.write(chunk)
          },
          end: () => stream.end(),
          abort: (reason) => stream.abort(reason),
        })
        const [c, d] = side === 'client' ? [counted(a), b] : [a, counted(b)]
        const { signal } = aborting
        const [forClient, forServer] = side === 'client' ? [signal, undefined] : [undefined, signal]
        const neverAborted = new AbortController().signal
        const target = client().parse(section)
        if (target === null) throw new Error('it does not parse')
        const outcome = await settleBoth(
          target.connect(c, { signal: forClient ?? neverAborted }),
          server().accept(d, { signal: forServer ?? neverAborted }),
        )
        if (step < 4) {
          expect(outcome[side]).toMatchObject({ code: 'ABORTED', message: 'enough' })
          await a.closed
        } else {
          a.abort()
        }
      }
    }
    expect(timers.stop()).toBe(0)
  })

  it('does not begin when it was aborted before', async () => {
    const [a, b] = createPair()
    const signal = AbortSignal.abort()
    expect(await failure(server().accept(a, { signal }))).toMatchObject({ code: 'ABORTED' })
    expect(await failure(b.read())).toMatchObject({ code: 'CONNECTION_LOST' })
  })

  it('does not wait for auth', async () => {
    const timers = trackTimers()
    const aborting = new AbortController()
    const [a, b] = createPair()
    const auth = () => {
      aborting.abort()
      return new Promise(() => undefined)
    }
    const errors = await settleBoth(
      connect(client(), section, a),
      server({ auth }).accept(b, { signal: aborting.signal }),
    )
    expect(errors.server).toMatchObject({ code: 'ABORTED' })
    expect(errors.client).toMatchObject({ code: 'WRONG_KEY' })
    await Promise.all([a.closed, b.closed])
    expect(timers.stop()).toBe(0)
  })
})

async function exchange(c: Secured, s: Secured): Promise<void> {
  const [fromServer, fromClient] = await Promise.all([
    talk(c, fromText('hi bob')),
    talk(s, fromText('hi alice')),
  ])
  expect(fromServer).toEqual(fromText('hi alice'))
  expect(fromClient).toEqual(fromText('hi bob'))
  await Promise.all([c.stream.closed, s.stream.closed])
}
