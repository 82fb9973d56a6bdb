import fc from 'fast-check'
import sodium from 'libsodium-wrappers'
import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { concat, fromHex, fromText, lengthPrefixed, toBase64Url, toHex } from '../../../core/bytes.ts'
import { createIdentity } from '../../../core/ed25519.ts'
import { Handshake, noisePatterns } from '../../../core/noise.ts'
import type { Identity } from '../../../core/types.ts'
import { decodeSignal, encodeSignal, type Signal } from '../../../plugs/rtc/signal-payload.ts'
import {
  type ClientSignal,
  createClientSignals,
  createServerSignals,
  type ServerSignal,
  type Signals,
} from '../../../plugs/rtc/signals.ts'

interface KnownAnswer {
  name: string
  serverSeed: string
  serverKey: string
  id: string
  clientEphemeralSecret: string
  serverEphemeralSecret: string
  messages: { from: 'client' | 'server'; signal: string; data: string }[]
}

const knownAnswers = readKnownAnswers()
const invalid = expect.objectContaining({ name: 'MultiserverError', code: 'SIGNAL_INVALID' })

const offer: ClientSignal = {
  kind: 'offer',
  session: new Uint8Array(16).fill(6),
  resume: false,
  transforms: ['shs2'],
  relay: 'first',
  sdp: 'v=0\r\n',
}
const answer: ServerSignal = { kind: 'answer', sdp: 'v=0\r\n', relayKey: new Uint8Array(32).fill(7) }
const candidate = { kind: 'candidate', candidate: 'candidate:1 …', mid: '0' } as const

beforeAll(() => sodium.ready)

describe('known answers', () => {
  it.each(knownAnswers.map((known) => [known.name, known] as const))('%s', async (_name, known) => {
    const id = fromHex(known.id)
    const keys = sodium.crypto_sign_seed_keypair(fromHex(known.serverSeed))
    expect(toHex(keys.publicKey)).toBe(known.serverKey)
    const client = createClientSignals({
      id,
      serverKey: keys.publicKey,
      ephemeralSecret: fromHex(known.clientEphemeralSecret),
    })
    const server = createServerSignals({
      id,
      identity: createIdentity({ publicKey: keys.publicKey, secretKey: keys.privateKey }),
      ephemeralSecret: fromHex(known.serverEphemeralSecret),
    })
    for (const { from, signal, data } of known.messages) {
      const decoded = decodeSignal(fromText(signal))
      const [sealed, open] =
        from === 'client'
          ? [await client.seal(decoded as ClientSignal), server.open(data)]
          : [await server.seal(decoded as ServerSignal), client.open(data)]
      expect(sealed).toBe(data)
      expect(await open).toEqual(decoded)
    }
  })
})

describe('the signals of an introduction', () => {
  it('cross in order, without one being awaited before the next', async () => {
    const { client, server } = createPair()
    const opened = server.open(await client.seal(offer))
    const replies = await Promise.all([server.seal(answer), server.seal(candidate), server.seal(candidate)])
    expect(await opened).toEqual(offer)
    expect(await Promise.all(replies.map((data) => client.open(data)))).toEqual([
      answer,
      candidate,
      candidate,
    ])
    const later = await Promise.all([client.seal(candidate), client.seal({ kind: 'relay' })])
    expect(await Promise.all(later.map((data) => server.open(data)))).toEqual([candidate, { kind: 'relay' }])
    const off = { kind: 'refused', code: 'RELAY_OFF' } as const
    expect(await client.open(await server.seal(off))).toEqual(off)
  })

  it('take an identity whose key lives elsewhere', async () => {
    const identity = createKeys()
    const later: Identity = {
      ...identity,
      dh: async (key) => {
        await new Promise((resolve) => setImmediate(resolve))
        return identity.dh(key)
      },
    }
    const { client, server } = createPair({ identity: later })
    const opened = server.open(await client.seal(offer))
    const refused = server.seal({ kind: 'refused', code: 'BUSY' })
    expect(await opened).toEqual(offer)
    expect(await client.open(await refused)).toEqual({ kind: 'refused', code: 'BUSY' })
  })

  it('differ from one introduction to the next although they say the same', async () => {
    const identity = createKeys()
    const [one, two] = [createPair({ identity }), createPair({ identity })]
    expect(await one.client.seal(offer)).not.toBe(await two.client.seal(offer))
  })

  it('do not open when repeated, and end the introduction', async () => {
    const { client, server } = await introduce()
    const data = await client.seal(candidate)
    await server.open(data)
    await expect(server.open(data)).rejects.toEqual(invalid)
    await expect(server.open(await client.seal(candidate))).rejects.toEqual(invalid)
    await expect(server.seal(candidate)).rejects.toEqual(invalid)
  })

  it('do not open in another order', async () => {
    const { client, server } = await introduce()
    await client.seal(candidate)
    await expect(server.open(await client.seal({ kind: 'relay' }))).rejects.toEqual(invalid)
  })

  it('do not open at the side that sealed them', async () => {
    const { client } = await introduce()
    await expect(client.open(await client.seal(candidate))).rejects.toEqual(invalid)
  })

  it('do not open in another introduction with the same server', async () => {
    const identity = createKeys()
    const [one, two] = [createPair({ identity, id: 1 }), createPair({ identity, id: 2 })]
    await expect(two.server.open(await one.client.seal(offer))).rejects.toEqual(invalid)

    const [three, four] = [await introduce(identity), await introduce(identity)]
    await expect(four.server.open(await three.client.seal(candidate))).rejects.toEqual(invalid)
    await expect(four.client.open(await three.server.seal(candidate))).rejects.toEqual(invalid)
  })

  it('do not take the answer to another offer', async () => {
    const identity = createKeys()
    const [one, two] = [createPair({ identity }), createPair({ identity })]
    await one.server.open(await one.client.seal(offer))
    await two.client.seal(offer)
    await expect(two.client.open(await one.server.seal(answer))).rejects.toEqual(invalid)
  })

  it('do not take an answer from another key', async () => {
    const { client } = createPair()
    const { server } = createPair()
    await expect(server.open(await client.seal(offer))).rejects.toEqual(invalid)
  })

  it('do not open for the sign-flipped twin of the key', async () => {
    const identity = createKeys()
    const twin = identity.publicKey.slice()
    twin[31] = (twin[31] ?? 0) ^ 0x80
    const client = createClientSignals({ id: new Uint8Array(16), serverKey: twin })
    const server = createServerSignals({ id: new Uint8Array(16), identity })
    await expect(server.open(await client.seal(offer))).rejects.toEqual(invalid)
  })

  it('do not open with any character changed, cut or added', async () => {
    const identity = createKeys()
    const data = await createPair({ identity }).client.seal(offer)
    const changed = Array.from(data, (character, index) =>
      [data.slice(0, index), character === 'A' ? 'B' : 'A', data.slice(index + 1)].join(''),
    )
    for (const forged of [
      ...changed,
      data.slice(0, -1),
      `${data}A`,
      `${data}=`,
      ` ${data}`,
      '',
      'é',
      'A'.repeat(16_385),
    ]) {
      await expect(createPair({ identity }).server.open(forged)).rejects.toEqual(invalid)
    }
  })

  it('end the introduction when a first ephemeral is of small order', async () => {
    const data = toBase64Url(new Uint8Array(64))
    await expect(createPair().server.open(data)).rejects.toEqual(invalid)
  })

  it.each([
    ['a candidate as the first', candidate],
    ['a request for the relay as the first', { kind: 'relay' }],
    ['an answer from the client', answer],
  ])('refuse %s', async (_name, signal) => {
    const { client } = createPair()
    await expect(client.seal(signal as ClientSignal)).rejects.toEqual(invalid)
    const identity = createKeys()
    const honest = createPair({ identity }).server
    await expect(honest.open(await sealFirst(identity, signal as Signal))).rejects.toEqual(invalid)
  })

  it.each([offer, answer, { kind: 'refused', code: 'BUSY' }] as Signal[])(
    'refuse a later $kind of the client',
    async (signal) => {
      const { client, server } = await introduce()
      await expect(client.seal(signal as ClientSignal)).rejects.toEqual(invalid)
      await expect(server.seal(offer as unknown as ServerSignal)).rejects.toEqual(invalid)
    },
  )

  it('cannot be sealed before their turn', async () => {
    const { client } = createPair()
    await client.seal(offer)
    await expect(client.seal(offer)).rejects.toEqual(invalid)
    const { server } = createPair()
    await expect(server.seal(answer)).rejects.toEqual(invalid)
  })

  it('are not begun with a key that nobody can hold', () => {
    const id = new Uint8Array(16)
    const key = new Uint8Array(32)
    expect(() => createClientSignals({ id, serverKey: key })).toThrow(
      expect.objectContaining({ code: 'ADDRESS_INVALID' }),
    )
    const identity = { ...createKeys(), publicKey: key }
    expect(() => createServerSignals({ id, identity })).toThrow(
      expect.objectContaining({ code: 'KEYS_INVALID' }),
    )
  })
})

describe('the payload of a signal', () => {
  const b16 = toBase64Url(new Uint8Array(16))
  const b32 = toBase64Url(new Uint8Array(32))
  const fields = { kind: 'offer', session: b16, resume: true, transforms: [], relay: 'never', sdp: '' }

  it('comes back from its JSON', () => {
    fc.assert(
      fc.property(arbitrarySignal(), (signal) => {
        const payload = encodeSignal(signal)
        expect(decodeSignal(payload)).toEqual(signal)
        expect(encodeSignal(decodeSignal(payload))).toEqual(payload)
      }),
      { numRuns: 5_000 },
    )
  })

  it('loses fields that are not known', () => {
    const text = '{"kind":"relay","__proto__":{"kind":"offer"},"renegotiate":true}'
    expect(Object.keys(decodeSignal(fromText(text)))).toEqual(['kind'])
  })

  it.each([
    '',
    'null',
    '[]',
    '"offer"',
    '1',
    '{}',
    '{"kind":null}',
    '{"kind":"renegotiate"}',
    '{"kind":["relay"]}',
    '{"kind":"relay"',
    '\ufeff{"kind":"relay"}',
    '{"kind":"refused"}',
    '{"kind":"refused","code":"X"}',
    '{"kind":"constructor"}',
    '{"kind":"refused","code":"toString"}',
    '{"kind":"answer","sdp":""}',
    JSON.stringify({ ...fields, session: `${b16}=` }),
    JSON.stringify({ ...fields, session: b32 }),
    JSON.stringify({ ...fields, resume: 1 }),
    JSON.stringify({ ...fields, transforms: 'shs2' }),
    JSON.stringify({ ...fields, transforms: [''] }),
    JSON.stringify({ ...fields, transforms: [1] }),
    JSON.stringify({ ...fields, transforms: Array(9).fill('a') }),
    JSON.stringify({ ...fields, transforms: ['a'.repeat(65)] }),
    JSON.stringify({ ...fields, relay: 'always' }),
    JSON.stringify({ ...fields, sdp: 'x'.repeat(8193) }),
    JSON.stringify({ ...fields, sdp: null }),
    JSON.stringify({ kind: 'answer', sdp: '', relayKey: b16 }),
    JSON.stringify({ kind: 'candidate', candidate: 'x'.repeat(1025), mid: '0' }),
    JSON.stringify({ kind: 'candidate', candidate: '', mid: 'x'.repeat(33) }),
    JSON.stringify({ kind: 'candidate', candidate: '' }),
  ])('is refused when it is %j', (text) => {
    expect(() => decodeSignal(fromText(text))).toThrow(invalid)
  })

  it('is refused when it is not UTF-8', () => {
    const payload = Uint8Array.from(fromText('{"kind":"candidate","candidate":"?","mid":""}'), (byte) =>
      byte === 0x3f ? 0xff : byte,
    )
    expect(() => decodeSignal(payload)).toThrow(invalid)
  })

  it('is a signal or SIGNAL_INVALID, whatever its bytes are', () => {
    fc.assert(
      fc.property(fc.oneof(arbitraryGarbage(), arbitraryMutation(), arbitraryJson()), (payload) => {
        const signal = decodeOrInvalid(payload)
        if (signal !== null) expect(decodeSignal(encodeSignal(signal))).toEqual(signal)
      }),
      { numRuns: 35_000 },
    )
  })
})

describe('a hub that invents data', () => {
  it('gets SIGNAL_INVALID and nothing else', async () => {
    const identity = createKeys()
    const text = fc.oneof(
      fc.string({ maxLength: 200 }),
      fc.uint8Array({ maxLength: 200 }).map((bytes) => toBase64Url(bytes)),
    )
    await fc.assert(
      fc.asyncProperty(text, async (data) => {
        await expect(createPair({ identity }).server.open(data)).rejects.toEqual(invalid)
      }),
      { numRuns: 1_000 },
    )
  })
})

interface Pair {
  client: Signals<ClientSignal, ServerSignal>
  server: Signals<ServerSignal, ClientSignal>
}

function createPair(options: { identity?: Identity; id?: number } = {}): Pair {
  const { identity = createKeys() } = options
  const id = new Uint8Array(16).fill(options.id ?? 9)
  return {
    client: createClientSignals({ id, serverKey: identity.publicKey }),
    server: createServerSignals({ id, identity }),
  }
}

/** A pair whose offer was answered. */
async function introduce(identity: Identity = createKeys()): Promise<Pair> {
  const pair = createPair({ identity })
  await pair.server.open(await pair.client.seal(offer))
  await pair.client.open(await pair.server.seal(answer))
  return pair
}

/** What a client sends that puts any signal into its first message. */
async function sealFirst({ publicKey }: Identity, signal: Signal): Promise<string> {
  const id = new Uint8Array(16).fill(9)
  const handshake = new Handshake({
    pattern: noisePatterns.NK,
    role: 'initiator',
    prologue: concat(...['multiserver/signal/1', id, publicKey].map((part) => lengthPrefixed(part))),
    remoteStatic: sodium.crypto_sign_ed25519_pk_to_curve25519(publicKey),
  })
  return toBase64Url(await handshake.writeMessage(encodeSignal(signal)))
}

function createKeys(): Identity {
  const { publicKey, privateKey } = sodium.crypto_sign_keypair()
  return createIdentity({ publicKey, secretKey: privateKey })
}

function readKnownAnswers(): KnownAnswer[] {
  const file = new URL('../../vectors/signals.json', import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { cases: KnownAnswer[] }).cases
}

function decodeOrInvalid(payload: Uint8Array): Signal | null {
  try {
    return decodeSignal(payload)
  } catch (error) {
    expect(error).toEqual(invalid)
    return null
  }
}

function arbitrarySignal(): fc.Arbitrary<Signal> {
  const text = fc.string({ unit: 'grapheme', maxLength: 20 })
  return fc.oneof(
    fc.record({
      kind: fc.constant('offer' as const),
      session: arbitraryBytes(16),
      resume: fc.boolean(),
      transforms: fc.array(fc.string({ minLength: 1, maxLength: 64 }), { maxLength: 8 }),
      relay: fc.constantFrom('never', 'fallback', 'first'),
      sdp: text,
    }),
    fc.record({ kind: fc.constant('answer' as const), sdp: text, relayKey: arbitraryBytes(32) }),
    fc.record({
      kind: fc.constant('refused' as const),
      code: fc.constantFrom('BUSY', 'NO_SESSION', 'NO_STACK', 'RELAY_OFF', 'INVALID'),
    }),
    fc.record({
      kind: fc.constant('candidate' as const),
      candidate: text,
      mid: fc.string({ maxLength: 32 }),
    }),
    fc.constant({ kind: 'relay' as const }),
  ) as fc.Arbitrary<Signal>
}

function arbitraryBytes(length: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: length, maxLength: length })
}

function arbitraryGarbage(): fc.Arbitrary<Uint8Array> {
  return fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc.json({ maxDepth: 3 }).map((json) => fromText(json)),
  )
}

/** A valid payload with a byte changed, or cut. */
function arbitraryMutation(): fc.Arbitrary<Uint8Array> {
  return fc.tuple(arbitrarySignal(), fc.nat(), fc.nat(255), fc.boolean()).map(([signal, at, byte, cut]) => {
    const payload = encodeSignal(signal)
    const index = at % payload.length
    if (cut) return payload.slice(0, index)
    payload[index] = byte
    return payload
  })
}

/** The right names with any values. */
function arbitraryJson(): fc.Arbitrary<Uint8Array> {
  const names = [
    'session',
    'resume',
    'transforms',
    'relay',
    'sdp',
    'relayKey',
    'code',
    'candidate',
    'mid',
  ] as const
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 1 }),
    fc.constantFrom('', 'first', 'BUSY', 'A'.repeat(22), 'A'.repeat(43), true, ['shs2']),
  )
  const fields = fc.record(Object.fromEntries(names.map((name) => [name, value])), { requiredKeys: [] })
  const kind = fc.constantFrom('offer', 'answer', 'refused', 'candidate', 'relay', '', 'toString')
  return fc.tuple(kind, fields).map(([name, rest]) => fromText(JSON.stringify({ ...rest, kind: name })))
}
