import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { concat, lengthPrefixed, toBase64Url } from '../../../core/bytes.ts'
import { limits } from '../../../core/limits.ts'
import { listPeers, lookup } from '../../../plugs/directory/index.ts'
import { generateKeys, keyToString, type Keys } from '../../../plugs/keys.ts'
import { failure } from '../../support/failure.ts'
import { addressOf, forge, recordOf } from '../../support/records.ts'
import { startLyingHub, type LyingHub } from './lying-hub.ts'
import type { PeerRecord } from '../../../core/record.ts'
import type { Bytes } from '../../../core/types.ts'

let hub: LyingHub
let otherHub: LyingHub
beforeAll(async () => {
  hub = await startLyingHub()
  otherHub = await startLyingHub()
})
afterAll(async () => {
  await Promise.all([hub.close(), otherHub.close()])
})

function answerWith(...parts: Uint8Array[]): void {
  hub.answer = (response) => {
    for (const part of parts) response.write(part)
    response.end()
  }
}

/** The code that looking `keys` up fails with when the hub answers with `record`. */
async function codeFor(keys: Keys, record: Bytes): Promise<string> {
  answerWith(record)
  return (await failure(lookup(hub.url, keys.publicKey))).code
}

describe('looking up', () => {
  it('gives what the key has signed', async () => {
    const keys = await generateKeys()
    const contents = {
      sequence: Date.now(),
      listed: true,
      addresses: [addressOf(keys), addressOf(keys, 'h2.example')],
    }
    const record = await recordOf(keys, contents)
    // However the bytes are cut.
    answerWith(record.subarray(0, 1), record.subarray(1, 100), record.subarray(100))
    const text = keyToString(keys.publicKey)
    for (const key of [keys.publicKey, text, `@${text}.ed25519`, toBase64Url(keys.publicKey)]) {
      expect(await lookup(hub.url, key)).toEqual({
        address: contents.addresses.join(';'),
        alternatives: contents.addresses,
        key: keys.publicKey,
        sequence: contents.sequence,
        expiresAtMs: contents.sequence + 3_600_000,
        listed: true,
        reach: 'device',
      })
    }
    expect(hub.paths.at(-1)).toBe(`/peers/${toBase64Url(keys.publicKey)}`)
    await lookup(`${hub.url}/prefix/`, text)
    expect(hub.paths.at(-1)).toBe(`/prefix/peers/${toBase64Url(keys.publicKey)}`)
  })

  it.each<[string, (keys: Keys, other: Keys) => Promise<Bytes>]>([
    ["another key's record", (_keys, other) => recordOf(other, { sequence: Date.now() })],
    ['a forged one', async (keys) => forge(await recordOf(keys, { sequence: Date.now() }))],
    [
      'one with another address',
      async (keys) => (await recordOf(keys, { sequence: Date.now() })).with(60, 0x39),
    ],
    [
      'an expired one',
      (keys) => recordOf(keys, { sequence: 5, expiresAtMs: Date.now() - limits.record.skewMs - 1000 }),
    ],
    ['one that never expires', (keys) => recordOf(keys, { sequence: 5, expiresAtMs: 2 ** 53 - 1 })],
    [
      'one of next week',
      (keys) => recordOf(keys, { sequence: Date.now() + 7 * 86_400_000, expiresAtMs: Date.now() }),
    ],
    ['nothing', () => Promise.resolve(new Uint8Array())],
    ['garbage', () => Promise.resolve(new Uint8Array(300).fill(1))],
    ['a page', () => Promise.resolve(new TextEncoder().encode('<!doctype html>'))],
  ])('refuses %s', async (_what, make) => {
    const [keys, other] = [await generateKeys(), await generateKeys()]
    expect(await codeFor(keys, await make(keys, other))).toBe('RECORD_INVALID')
  })

  it('refuses an older record than one it saw, from any hub, until that has expired', async () => {
    const keys = await generateKeys()
    const sequence = Date.now()
    const [older, newer] = [
      await recordOf(keys, { sequence }),
      await recordOf(keys, { sequence: sequence + 1 }),
    ]
    answerWith(older)
    await lookup(hub.url, keys.publicKey)
    answerWith(newer)
    await lookup(hub.url, keys.publicKey)
    expect(await codeFor(keys, older)).toBe('RECORD_STALE')
    expect(await codeFor(keys, await recordOf(keys, { sequence: sequence + 1, listed: true }))).toBe(
      'RECORD_STALE',
    )
    otherHub.answer = (response) => response.end(older)
    expect((await failure(lookup(otherHub.url, keys.publicKey))).code).toBe('RECORD_STALE')
    answerWith(newer)
    expect((await lookup(hub.url, keys.publicKey)).sequence).toBe(sequence + 1)
  })

  it('finds nothing in a withdrawn record, and remembers it', async () => {
    const keys = await generateKeys()
    const sequence = Date.now()
    expect(await codeFor(keys, await recordOf(keys, { sequence, addresses: [] }))).toBe('RECORD_NOT_FOUND')
    expect(await codeFor(keys, await recordOf(keys, { sequence: sequence - 1 }))).toBe('RECORD_STALE')
  })

  it.each<[string, number, string]>([
    ['nothing there', 404, 'RECORD_NOT_FOUND'],
    ['asked too often', 429, 'BUSY'],
    ['its own failure', 500, 'HUB_REFUSED'],
    ['no content', 204, 'HUB_REFUSED'],
    ['a page that it gates', 403, 'HUB_REFUSED'],
  ])('says what the hub answered: %s', async (_what, status, code) => {
    hub.answer = (response) => response.writeHead(status).end(status === 204 ? undefined : 'because')
    expect((await failure(lookup(hub.url, (await generateKeys()).publicKey))).code).toBe(code)
  })

  it('follows no redirect', async () => {
    const keys = await generateKeys()
    const record = await recordOf(keys, { sequence: Date.now() })
    otherHub.answer = (response) => response.end(record)
    const before = otherHub.paths.length
    hub.answer = (response, path) =>
      response.writeHead(302, { location: `${otherHub.url.replace('ws', 'http')}${path}` }).end()
    expect((await failure(lookup(hub.url, keys.publicKey))).code).toBe('HUB_REFUSED')
    expect(otherHub.paths).toHaveLength(before)
  })

  it.each([0, 1])('reads no more than a record has (%i bytes over)', async (over) => {
    const keys = await generateKeys()
    answerWith(new Uint8Array(limits.record.bytes + over))
    const code = (await failure(lookup(hub.url, keys.publicKey))).code
    expect(code).toBe(over === 0 ? 'RECORD_INVALID' : 'HUB_REFUSED')
  })

  it('stops reading a body without an end', async () => {
    let isClosed = false
    hub.answer = (response) => {
      response.on('close', () => (isClosed = true))
      const chunk = new Uint8Array(1024)
      const push = () => {
        while (!response.destroyed && response.write(chunk));
      }
      response.on('drain', push)
      push()
    }
    const { code } = await failure(lookup(hub.url, (await generateKeys()).publicKey))
    expect(code).toBe('HUB_REFUSED')
    await expect.poll(() => isClosed).toBe(true)
  })

  it.each(['before the headers', 'in the body'])(
    'does not wait for ever for a hub that stops %s',
    async (where) => {
      let isClosed = false
      hub.answer = (response) => {
        response.on('close', () => (isClosed = true))
        if (where === 'in the body') response.write(new Uint8Array(10))
      }
      const { publicKey } = await generateKeys()
      expect((await failure(lookup(hub.url, publicKey, { timeoutMs: 100 }))).code).toBe('TIMEOUT')
      await expect.poll(() => isClosed).toBe(true)
      const controller = new AbortController()
      const aborted = failure(lookup(hub.url, publicKey, { signal: controller.signal }))
      controller.abort()
      expect((await aborted).code).toBe('ABORTED')
      expect((await failure(lookup(hub.url, publicKey, { signal: controller.signal }))).code).toBe('ABORTED')
    },
  )

  it('says when there is no hub, and what is no hub or no key', async () => {
    const { publicKey } = await generateKeys()
    const gone = await startLyingHub()
    await gone.close()
    const lost = await failure(lookup(gone.url, publicKey))
    expect([lost.code, lost.message]).toEqual(['HUB_LOST', expect.stringContaining(gone.url.slice(5))])
    expect((await failure(lookup('http://example.com', publicKey))).code).toBe('ADDRESS_INVALID')
    for (const key of ['', 'x', new Uint8Array(32), new Uint8Array(31)]) {
      expect((await failure(lookup(hub.url, key))).code).toBe('KEYS_INVALID')
    }
  })

  it('gives an error in bounded time, or what was signed, whatever the hub says', async () => {
    const keys = await generateKeys()
    const record = await recordOf(keys, { sequence: Date.now() })
    const change = fc.oneof(
      fc.uint8Array({ maxLength: 5000 }),
      fc
        .tuple(fc.nat(record.length), fc.nat(255))
        .map(([at, byte]) => Uint8Array.from(record, (old, index) => (index === at ? byte : old))),
      fc.nat(record.length).map((length) => record.slice(0, length)),
    )
    const outcomes = new Set<string>()
    await fc.assert(
      fc.asyncProperty(change, fc.constantFrom(200, 200, 200, 404, 418), async (body, status) => {
        hub.answer = (response) => response.writeHead(status).end(body)
        const outcome = await lookup(hub.url, keys.publicKey).then(
          ({ address }) => address,
          ({ code }: { code: string }) => code,
        )
        outcomes.add(outcome)
        const isSame = body.length === record.length && body.every((byte, at) => byte === record[at])
        if (status === 200) expect(outcome === addressOf(keys)).toBe(isSame)
      }),
    )
    for (const outcome of outcomes) {
      expect(['RECORD_INVALID', 'HUB_REFUSED', 'RECORD_NOT_FOUND', addressOf(keys)]).toContain(outcome)
    }
  })
})

describe('listing', () => {
  /** So many records in the order of their keys. */
  async function many(
    count: number,
    contents: Partial<PeerRecord> = {},
  ): Promise<{ name: string; record: Bytes }[]> {
    const sequence = Date.now()
    const made = Array.from({ length: count }, async () => {
      const keys = await generateKeys()
      const record = await recordOf(keys, { sequence, listed: true, ...contents })
      return { name: toBase64Url(keys.publicKey), record }
    })
    return (await Promise.all(made)).toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }

  function answerPages(all: { name: string; record: Bytes }[]): void {
    hub.answer = (response, path) => {
      const after = new URL(path, 'http://hub').searchParams.get('after') ?? ''
      const page = all.filter(({ name }) => name > after).slice(0, 100)
      response.end(concat(...page.map(({ record }) => lengthPrefixed(record))))
    }
  }

  async function namesListed(): Promise<string[]> {
    const names = []
    for await (const { key } of listPeers(hub.url)) names.push(toBase64Url(key))
    return names
  }

  it.each([0, 99, 100, 101, 200])('gives all %i of them, page by page', async (count) => {
    const all = await many(count)
    answerPages(all)
    const asked = hub.paths.length
    expect(await namesListed()).toEqual(all.map(({ name }) => name))
    expect(hub.paths.length - asked).toBe(Math.floor(count / 100) + 1)
  })

  it('leaves out what is not signed, has expired, or is older than what was seen', async () => {
    const good = await many(3)
    const expired = await many(1, { expiresAtMs: Date.now() - limits.record.skewMs - 1000 })
    const forged = (await many(1)).map(({ name, record }) => ({
      name,
      record: forge(record),
    }))
    const keys = await generateKeys()
    answerWith(await recordOf(keys, { sequence: Date.now() }))
    await lookup(hub.url, keys.publicKey)
    const older = {
      name: toBase64Url(keys.publicKey),
      record: await recordOf(keys, { sequence: Date.now() - 5000, listed: true }),
    }
    answerPages([...good, ...expired, ...forged, older].toSorted((a, b) => (a.name < b.name ? -1 : 1)))
    expect(await namesListed()).toEqual(good.map(({ name }) => name))
  })

  it('does not take what a hub lists for what the hub may not take back', async () => {
    const keys = await generateKeys()
    const sequence = Date.now()
    answerPages([
      { name: toBase64Url(keys.publicKey), record: await recordOf(keys, { sequence, listed: true }) },
    ])
    expect(await namesListed()).toHaveLength(1)
    answerWith(await recordOf(keys, { sequence: sequence - 1 }))
    expect((await lookup(hub.url, keys.publicKey)).sequence).toBe(sequence - 1)
  })

  it('refuses a hub that goes in circles, cuts a page, or does not list', async () => {
    const all = await many(100)
    answerWith(concat(...all.map(({ record }) => lengthPrefixed(record))))
    expect((await failure(namesListed())).code).toBe('HUB_REFUSED')
    hub.answer = (response) =>
      response.end(concat(...all.toReversed().map(({ record }) => lengthPrefixed(record))))
    expect((await failure(namesListed())).code).toBe('HUB_REFUSED')
    for (const page of [Uint8Array.of(0), Uint8Array.of(0, 5, 1), lengthPrefixed(new Uint8Array(5))]) {
      answerWith(page)
      expect((await failure(namesListed())).code).toBe('HUB_REFUSED')
    }
    hub.answer = (response) => response.writeHead(404).end()
    expect((await failure(namesListed())).message).toContain('does not list')
  })
})
