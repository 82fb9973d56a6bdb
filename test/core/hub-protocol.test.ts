import { createPrivateKey, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromHex, toBase64Url, toHex } from '../../core/bytes.ts'
import {
  decodeHubMessage,
  decodePeerMessage,
  encodeHubMessage,
  encodePeerMessage,
  hubDataCharacters,
  hubErrorCodes,
  type HubMessage,
  hubMessageBytes,
  type PeerMessage,
  registerBytes,
} from '../../core/hub-protocol.ts'

const bytesOf = (minLength: number, maxLength: number) =>
  fc.uint8Array({ minLength, maxLength }).map((bytes) => Uint8Array.from(bytes))
const key = bytesOf(32, 32)
const record = bytesOf(1, 4096)
const id = bytesOf(16, 16).map(toBase64Url)
const data = bytesOf(1, 300).map(toBase64Url)
const text = fc.string({ unit: 'grapheme-ascii', maxLength: 256 })
const time = fc.nat(60_000)
const limits = fc.dictionary(fc.stringMatching(/^[a-z][A-Za-z0-9]{0,20}$/), fc.nat(), {
  noNullPrototype: true,
})
const optional = <T>(name: string, value: fc.Arbitrary<T>) =>
  fc.record({ [name]: value }, { requiredKeys: [] })
const someIceServers = fc.array(
  fc.record(
    {
      urls: fc.array(
        fc.constantFrom('stun:stun.example.com', 'turn:t.example.com:3478?transport=udp', 'turns:[::1]'),
        {
          minLength: 1,
          maxLength: 2,
        },
      ),
      username: fc.stringMatching(/^[!-~]{1,30}$/),
      credential: fc.stringMatching(/^[!-~]{1,30}$/),
    },
    { requiredKeys: ['urls'], noNullPrototype: true },
  ),
  { maxLength: 4 },
)

function messageOf(type: string, ...fields: fc.Arbitrary<object>[]): fc.Arbitrary<Record<string, unknown>> {
  return fc.tuple(...fields).map((parts) => Object.assign({ type }, ...parts) as Record<string, unknown>)
}

const withFields = (shape: Record<string, fc.Arbitrary<unknown>>) =>
  fc.record(shape, { noNullPrototype: true })

const peerMessage = fc.oneof(
  messageOf('register', withFields({ key, signature: bytesOf(64, 64) }), optional('record', record)),
  messageOf('record', withFields({ record })),
  messageOf('introduce', withFields({ id, to: key })),
  messageOf('signal', withFields({ id, data })),
  messageOf('relay', withFields({ id })),
  messageOf('close', withFields({ id, reason: text })),
) as fc.Arbitrary<PeerMessage>

const hubMessage = fc.oneof(
  messageOf(
    'welcome',
    withFields({ hub: text, challenge: key, limits, iceServers: someIceServers, relay: fc.boolean() }),
  ),
  messageOf('registered', withFields({ iceServers: someIceServers })),
  messageOf('introduced', withFields({ id, iceServers: someIceServers })),
  messageOf('incoming', withFields({ id })),
  messageOf('signal', withFields({ id, data })),
  messageOf(
    'relay',
    withFields({
      id,
      url: fc.webUrl({ size: 'small' }).filter((url) => /^[!-~]+$/.test(url)),
      token: key,
      limits,
    }),
  ),
  messageOf('closed', withFields({ id, reason: text })),
  messageOf('replaced'),
  messageOf('restarting', withFields({ reconnectAfterMs: time, tryForMs: time })),
  messageOf('ice-servers', withFields({ iceServers: someIceServers })),
  messageOf(
    'error',
    withFields({ code: fc.constantFrom(...hubErrorCodes), message: text }),
    optional('id', id),
    optional('retryAfterMs', time),
    optional('record', record),
  ),
) as fc.Arbitrary<HubMessage>

const anId = toBase64Url(new Uint8Array(16))
const aKey = toBase64Url(new Uint8Array(32))

describe('both decoders', () => {
  it('give back what was encoded', () => {
    fc.assert(
      fc.property(peerMessage, (sent) => {
        expect(decodePeerMessage(encodePeerMessage(sent))).toEqual({ kind: 'message', message: sent })
      }),
      { numRuns: 3_000 },
    )
    fc.assert(
      fc.property(hubMessage, (sent) => {
        expect(decodeHubMessage(encodeHubMessage(sent))).toEqual({ kind: 'message', message: sent })
      }),
      { numRuns: 3_000 },
    )
  })

  it('read -0, which JSON knows and does not write, as 0', () => {
    const [introduction, token] = ['A'.repeat(22), 'A'.repeat(43)]
    const json = `{"type":"relay","id":"${introduction}","url":"wss://a.test/r","token":"${token}","limits":{"bytes":-0}}`
    const decoded = decodeHubMessage(json)
    expect(decoded).toMatchObject({ kind: 'message', message: { limits: { bytes: 0 } } })
    if (decoded.kind !== 'message') throw new Error('it is a message')
    expect(decodeHubMessage(encodeHubMessage(decoded.message))).toEqual(decoded)
  })

  it('never throw, decode into the same again, and leave Object.prototype alone', () => {
    const before = Object.getOwnPropertyNames(Object.prototype)
    const hostile = fc.constantFrom(
      '{"__proto__":{"polluted":1}}',
      '[[[[[[',
      '{"type":"__proto__"}',
      '{"type":"constructor"}',
    )
    const encoded = fc.oneof(peerMessage.map(encodePeerMessage), hubMessage.map(encodeHubMessage))
    const mutated = fc
      .tuple(
        encoded,
        fc.nat(),
        fc.nat(3),
        fc.constantFrom('', '"', '{', '}', '[', '9', '\\u0000', ',', '-', '__proto__', 'null'),
      )
      .map(([json, at, cut, put]) => {
        const index = at % (json.length + 1)
        return json.slice(0, index) + put + json.slice(index + cut)
      })
    const json = fc.oneof(
      { weight: 6, arbitrary: mutated },
      { weight: 1, arbitrary: fc.json({ maxDepth: 6 }) },
      { weight: 1, arbitrary: fc.string() },
      { weight: 1, arbitrary: hostile },
    )
    fc.assert(
      fc.property(json, (input) => {
        const fromPeer = decodePeerMessage(input)
        if (fromPeer.kind === 'message') {
          expect(decodePeerMessage(encodePeerMessage(fromPeer.message))).toEqual(fromPeer)
        }
        const fromHub = decodeHubMessage(input)
        if (fromHub.kind === 'message') {
          expect(decodeHubMessage(encodeHubMessage(fromHub.message))).toEqual(fromHub)
        }
        expect((fromPeer.kind === 'unreadable') === (fromHub.kind === 'unreadable')).toBe(true)
      }),
      { numRuns: 100_000 },
    )
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before)
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  }, 120_000)

  it.each(['', '{', 'null', '1', '"text"', '[]', '[{"type":"relay"}]', '{"type":'])(
    'cannot read %s',
    (json) => {
      expect(decodePeerMessage(json)).toEqual({ kind: 'unreadable' })
      expect(decodeHubMessage(json)).toEqual({ kind: 'unreadable' })
    },
  )

  it('cannot read what is nested deeper than four levels, wherever that is', () => {
    expect(decodePeerMessage(`{"type":"relay","id":"${anId}","x":{"y":[[]]}}`).kind).toBe('message')
    expect(decodePeerMessage(`{"type":"relay","id":"${anId}","x":{"y":[[[]]]}}`).kind).toBe('unreadable')
    expect(decodePeerMessage('['.repeat(hubMessageBytes)).kind).toBe('unreadable')
  })

  it('cannot read what is too long', () => {
    const padded = (length: number) => `{"type":"relay","id":"${anId}","x":"`.padEnd(length - 2, 'x') + '"}'
    expect(decodePeerMessage(padded(hubMessageBytes - 1)).kind).toBe('message')
    expect(decodePeerMessage(padded(hubMessageBytes)).kind).toBe('message')
    expect(decodePeerMessage(padded(hubMessageBytes + 1)).kind).toBe('unreadable')
  })

  it.each(['{}', '{"type":1}', '{"type":"__proto__"}', '{"type":"toString"}', '{"type":"later"}'])(
    'tell that they do not know %s',
    (json) => {
      expect(decodePeerMessage(json).kind).toBe('unknown')
      expect(decodeHubMessage(json).kind).toBe('unknown')
    },
  )

  it('name the introduction that a bad message was about', () => {
    expect(decodePeerMessage(`{"type":"later","id":"${anId}"}`)).toEqual({ kind: 'unknown', id: anId })
    const invalid = { kind: 'invalid', type: 'introduce', field: 'to', id: anId }
    expect(decodePeerMessage(`{"type":"introduce","id":"${anId}"}`)).toEqual(invalid)
  })

  it('ignore fields they do not know', () => {
    const decoded = decodePeerMessage(`{"id":"${anId}","type":"relay","later":[1],"__proto__":{"to":2}}`)
    expect(decoded).toEqual({ kind: 'message', message: { type: 'relay', id: anId } })
  })
})

describe('the fields', () => {
  const introduce = (fields: object) =>
    decodePeerMessage(JSON.stringify({ type: 'introduce', id: anId, to: aKey, ...fields }))

  it.each([
    ['a byte short', toBase64Url(new Uint8Array(15))],
    ['a byte long', toBase64Url(new Uint8Array(17))],
    ['padded', `${anId}==`],
    ['not canonical', `${anId.slice(0, -1)}B`],
    ['in the other alphabet', `+${anId.slice(1)}`],
    ['no text', 5],
    ['null', null],
  ])('refuse an id that is %s', (_what, value) => {
    expect(introduce({ id: value })).toMatchObject({ kind: 'invalid', field: 'id' })
  })

  it.each([31, 33])('refuse a key of %i bytes', (length) => {
    expect(introduce({ to: toBase64Url(new Uint8Array(length)) })).toMatchObject({
      kind: 'invalid',
      field: 'to',
    })
  })

  it('take data up to its cap', () => {
    const signal = (length: number) =>
      decodePeerMessage(JSON.stringify({ type: 'signal', id: anId, data: 'x'.repeat(length) }))
    expect(signal(hubDataCharacters - 1).kind).toBe('message')
    expect(signal(hubDataCharacters).kind).toBe('message')
    expect(signal(hubDataCharacters + 1)).toMatchObject({ kind: 'invalid', field: 'data' })
    expect(signal(0)).toMatchObject({ kind: 'invalid', field: 'data' })
  })

  it('cut text to 256 characters that can be printed', () => {
    const close = (reason: string) => decodePeerMessage(JSON.stringify({ type: 'close', id: anId, reason }))
    expect(close('a\u0000\u001b[31m\u202e\n\ud800b')).toMatchObject({ message: { reason: 'a[31mb' } })
    expect(close('é'.repeat(300))).toMatchObject({ message: { reason: 'é'.repeat(256) } })
    expect(close('😀'.repeat(300))).toMatchObject({ message: { reason: '😀'.repeat(256) } })
  })

  it.each([
    [-5, 0],
    [1e9, 60_000],
    [2.7, 2],
    [60_000, 60_000],
  ])('clamp a time of %d ms to %d', (given, clamped) => {
    const decoded = decodeHubMessage(
      JSON.stringify({ type: 'restarting', reconnectAfterMs: given, tryForMs: 0 }),
    )
    expect(decoded).toMatchObject({ message: { reconnectAfterMs: clamped } })
  })

  it('clamp a time that JSON cannot hold', () => {
    const decoded = decodeHubMessage('{"type":"restarting","reconnectAfterMs":1e999,"tryForMs":-1e999}')
    expect(decoded).toMatchObject({ message: { reconnectAfterMs: 60_000, tryForMs: 0 } })
  })

  it('take ice servers of known schemes only, and eight URLs in all', () => {
    const iceServers = [
      { urls: ['stun:a', 'http://a', 'stuns:a', 5] },
      { urls: 'turn:b', username: 'u', credential: 'c', more: 1 },
      { urls: ['javascript:1'] },
      'stun:c',
      { urls: Array.from({ length: 10 }, (_, index) => `turns:${index}`) },
    ]
    const decoded = decodeHubMessage(JSON.stringify({ type: 'ice-servers', iceServers }))
    expect(decoded).toEqual({
      kind: 'message',
      message: {
        type: 'ice-servers',
        iceServers: [
          { urls: ['stun:a'] },
          { urls: ['turn:b'], username: 'u', credential: 'c' },
          { urls: ['turns:0', 'turns:1', 'turns:2', 'turns:3', 'turns:4', 'turns:5'] },
        ],
      },
    })
  })

  it('read an error code of a later version as INVALID', () => {
    expect(decodeHubMessage('{"type":"error","code":"NEWER","message":"m"}')).toMatchObject({
      message: { code: 'INVALID' },
    })
  })
})

describe('registerBytes', () => {
  interface Vector {
    hub: string
    seed: string
    key: string
    challenge: string
    signed: string
    signature: string
    message: string
  }
  const { register } = JSON.parse(readFileSync(new URL('../vectors/hub.json', import.meta.url), 'utf8')) as {
    register: Vector[]
  }

  it.each(register)('lays out the proof for $hub as the known answers have it', (vector) => {
    const signed = registerBytes(vector.hub, fromHex(vector.challenge), fromHex(vector.key))
    expect(toHex(signed)).toBe(vector.signed)
    const pkcs8 = Buffer.from(`302e020100300506032b657004220420${vector.seed}`, 'hex')
    const signature = sign(null, signed, createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }))
    expect(signature.toString('hex')).toBe(vector.signature)
    const message = {
      type: 'register',
      key: fromHex(vector.key),
      signature: fromHex(vector.signature),
    } as PeerMessage
    expect(encodePeerMessage(message)).toBe(vector.message)
  })

  it('refuses a challenge or key of another length', () => {
    expect(() => registerBytes('wss://h', new Uint8Array(31), new Uint8Array(32))).toThrow(RangeError)
    expect(() => registerBytes('wss://h', new Uint8Array(32), new Uint8Array(33))).toThrow(RangeError)
  })
})

describe('a signal in the usual form', () => {
  // With a space before it a text is read in the general way, which must say the same.
  const both = (json: string) => [decodePeerMessage(json), decodePeerMessage(` ${json}`)] as const
  const base64url = fc.array(fc.constantFrom('A', 'Z', 'a', 'z', '0', '9', '-', '_'), {
    minLength: 1,
    maxLength: 50,
  })
  const signal = fc
    .tuple(id, base64url)
    .map(([about, characters]) => ({ type: 'signal' as const, id: about, data: characters.join('') }))

  it('is read and written as any other message would be', () => {
    fc.assert(
      fc.property(signal, (message) => {
        const json = encodePeerMessage(message)
        expect(encodeHubMessage(message)).toBe(json)
        expect(both(json)).toEqual([
          { kind: 'message', message },
          { kind: 'message', message },
        ])
      }),
    )
  })

  it('with any character changed is what the general way says it is', () => {
    fc.assert(
      fc.property(signal, fc.nat(), fc.string({ maxLength: 2 }), (message, at, put) => {
        const json = encodePeerMessage(message)
        const index = at % json.length
        const [quick, general] = both(json.slice(0, index) + put + json.slice(index + 1))
        expect(quick).toEqual(general)
      }),
      { numRuns: 2_000 },
    )
  })

  it.each([16_383, 16_384, 16_385])('of %i characters is what the general way says it is', (length) => {
    const [quick, general] = both(`{"type":"signal","id":"${'A'.repeat(22)}","data":"${'x'.repeat(length)}"}`)
    expect(quick).toEqual(general)
    expect(quick.kind).toBe(length > 16_384 ? 'invalid' : 'message')
  })
})
