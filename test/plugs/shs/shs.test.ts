import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { concat, fromHex, fromText, toBase64Url } from '../../../core/bytes.ts'
import { createPair } from '../../../core/pair.ts'
import { defaultAppKey, parseAppKey } from '../../../plugs/app-key.ts'
import { keyToString, type Keys } from '../../../plugs/keys.ts'
import shs, { type Auth, type ShsOptions } from '../../../plugs/shs/index.ts'
import { accept, connect, failure, makeKeys } from './helpers.ts'

let keys: Keys
let text: string

beforeAll(async () => {
  keys = await makeKeys(2)
  text = keyToString(keys.publicKey)
})

describe('the address section of shs', () => {
  it('is printed as standard base64 with padding', () => {
    expect(shs({ keys }).section()).toBe(`shs:${text}`)
    expect(shs({ keys }).identity?.publicKey).toEqual(keys.publicKey)
    expect(shs().section()).toBe('')
    expect(shs().identity).toBeUndefined()
  })

  it('parses every form of a key that is in use', () => {
    const forms = [
      text,
      text.replace('=', ''),
      toBase64Url(keys.publicKey),
      `@${text}.ed25519`,
      `${text}.ed25519`,
    ]
    for (const form of forms) expect(shs().parse(`shs:${form}`)?.key, form).toEqual(keys.publicKey)
    expect(shs().parse(`shs:${text}:${text}`)?.key).toEqual(keys.publicKey)
  })

  it('gives null for anything else', () => {
    const wrong = [
      '',
      'shs',
      'shs:',
      'shs:::',
      'noauth',
      `shs2:${text}`,
      `net:${text}`,
      `shs:${text.slice(4)}`,
    ]
    const seeds = [`shs:${text}:`, `shs:${text}:AAAA`, `shs:${text}:${text}AAAA`, `shs:${text};shs:${text}`]
    for (const section of [...wrong, ...seeds]) expect(shs().parse(section), section).toBeNull()
  })

  it('never throws, whatever it is given', () => {
    const pieces = fc.constantFrom('shs', ':', '!', ';', '~', '@', '.ed25519', '=', text, 'é', '\u0000')
    fc.assert(
      fc.property(fc.array(fc.oneof(pieces, fc.string()), { maxLength: 8 }), (parts) => {
        const target = shs().parse(parts.join(''))
        if (target !== null) expect(target.key).toHaveLength(32)
      }),
      { numRuns: 5_000 },
    )
  })
})

describe('the options of shs', () => {
  it('take keys as bytes and as the JSON of ssb-keys', () => {
    const json = { public: `${text}.ed25519`, private: `${keyToString(keys.secretKey)}.ed25519` }
    expect(shs({ keys: json }).section()).toBe(`shs:${text}`)
  })

  it('refuse keys that do not belong together', () => {
    const wrong = [
      { publicKey: keys.publicKey, secretKey: keys.publicKey },
      { publicKey: new Uint8Array(32), secretKey: keys.secretKey },
      { public: 'x', private: 'y' },
      null,
    ]
    for (const input of wrong) {
      expect(() => shs({ keys: input } as ShsOptions)).toThrow(
        expect.objectContaining({ code: 'KEYS_INVALID' }),
      )
    }
  })

  it('are not kept: changing the bytes afterwards changes nothing', async () => {
    const mine = { publicKey: keys.publicKey.slice(), secretKey: keys.secretKey.slice() }
    const server = shs({ keys: mine })
    mine.publicKey.fill(0)
    mine.secretKey.fill(0)
    expect(server.section()).toBe(`shs:${text}`)
    expect((await connectTo(server)).client.remote).toEqual(keys.publicKey)
  })
})

describe('the app key', () => {
  it('is by default the hash that is documented', () => {
    expect(createHash('sha256').update('multiserver default app key 1').digest('hex')).toBe(defaultAppKey)
    expect(parseAppKey(undefined)).toEqual(Uint8Array.from(fromHex(defaultAppKey)))
  })

  it('is 32 bytes or the base64 of them', () => {
    const appKey = new Uint8Array(32).fill(3)
    expect(parseAppKey(appKey)).toEqual(appKey)
    expect(parseAppKey(keyToString(appKey))).toEqual(appKey)
    for (const wrong of ['', 'short', new Uint8Array(31), 7 as never, null as never]) {
      expect(() => parseAppKey(wrong)).toThrow(expect.objectContaining({ code: 'KEYS_INVALID' }))
    }
  })

  it('does not begin like a message that a hub has signed', () => {
    for (const length of [20, 21, 22]) {
      const appKey = concat(Uint8Array.of(0, length), fromText('multiserver/'), new Uint8Array(18))
      expect(() => parseAppKey(appKey)).toThrow(expect.objectContaining({ code: 'KEYS_INVALID' }))
    }
    const near = concat(Uint8Array.of(0, 20), fromText('multiserver-'), new Uint8Array(18))
    expect(parseAppKey(near)).toEqual(near)
  })
})

describe('auth', () => {
  const accepting: Record<string, Auth> = {
    'returns a truthy value': () => 'yes',
    'returns one for the key': (key) => key.length === 32 && 'yes',
    'resolves to a truthy value': async () => 'yes',
    'calls back at once': (_key, callback) => callback(null, 'yes'),
    'calls back later': (_key, callback) => setImmediate(() => callback(null, 'yes')),
    'is async and calls back later': async (_key, callback) => void setImmediate(() => callback(null, 'yes')),
    'calls back through rest parameters': (...all) => void setImmediate(() => all[1](null, 'yes')),
    'calls back twice': (_key, callback) => {
      callback(null, 'yes')
      callback(new Error('no'))
    },
    'calls back and then throws': (_key, callback) => {
      callback(null, 'yes')
      throw new Error('too late')
    },
  }
  it.each(Object.entries(accepting))('accepts when it %s', async (_name, auth) => {
    expect((await connectTo(shs({ keys, auth }))).server.auth).toBe('yes')
  })

  const refusing: Record<string, Auth> = {
    'returns false': () => false,
    'returns nothing for a key': (_key) => undefined,
    'returns null': () => null,
    'resolves to nothing': async () => undefined,
    'resolves to false': async (_key, _callback) => false,
    throws: () => {
      throw new Error('broken')
    },
    'rejects with nothing': () => Promise.reject(),
    rejects: () => Promise.reject(new Error('broken')),
    'calls back with an error': (_key, callback) => callback(new Error('no')),
    'calls back with nothing': (_key, callback) => callback(),
    'calls back an error, then yes': (_key, callback) => {
      callback(new Error('no'))
      callback(null, 'yes')
    },
    'throws and calls back later': (_key, callback) => {
      setImmediate(() => callback(null, 'yes'))
      throw new Error('broken')
    },
    'has a thenable that throws': () => ({
      // oxlint-disable-next-line unicorn/no-thenable
      then: () => {
        throw new Error('broken')
      },
    }),
    'calls back with no, and returns a timer': (_key, callback) => setImmediate(() => callback(null, false)),
  }
  it.each(Object.entries(refusing))('refuses when it %s', async (_name, auth) => {
    await expectRefusal(shs({ keys, auth }))
  })

  it('refuses when it never answers', async () => {
    await expectRefusal(shs({ keys, auth: () => new Promise(() => undefined), authTimeoutMs: 20 }))
    await expectRefusal(shs({ keys, auth: (_key, _callback) => undefined, authTimeoutMs: 20 }))
    await expectRefusal(shs({ keys, auth: () => new Promise(() => undefined), handshakeTimeoutMs: 50 }))
  })

  it('is not asked about a client that has proved nothing', async () => {
    let asked = 0
    const auth = () => (asked += 1)
    const [a, b] = createPair()
    const other = shs({ keys: await makeKeys(1) })
    await Promise.all([
      failure(connect(other, `shs:${keyToString((await makeKeys(3)).publicKey)}`, a)),
      failure(accept(shs({ keys, auth }), b)),
    ])
    expect(asked).toBe(0)
  })

  it('cannot change the key by writing to it', async () => {
    const auth: Auth = (key) => {
      key.fill(0)
      return true
    }
    expect((await connectTo(shs({ keys, auth }))).server.remote).toEqual((await makeKeys(1)).publicKey)
  })
})

async function connectTo(server: ReturnType<typeof shs>) {
  const [a, b] = createPair()
  const [c, s] = await Promise.all([
    connect(shs({ keys: await makeKeys(1) }), `shs:${text}`, a),
    accept(server, b),
  ])
  c.stream.abort()
  return { client: c, server: s }
}

async function expectRefusal(server: ReturnType<typeof shs>): Promise<void> {
  const [a, b] = createPair()
  const [fromClient, fromServer] = await Promise.all([
    failure(connect(shs({ keys: await makeKeys(1) }), `shs:${text}`, a)),
    failure(accept(server, b)),
  ])
  expect(fromServer).toMatchObject({ code: 'AUTH_REFUSED' })
  expect(fromClient).toMatchObject({ code: 'WRONG_KEY', message: expect.stringContaining('not authorized') })
  await Promise.all([a.closed, b.closed])
}
