import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { toBase64Url } from '../../../core/bytes.ts'
import { ready } from '../../../core/ed25519.ts'
import { MultiserverError } from '../../../core/errors.ts'
import { MultiServer } from '../../../core/multiserver.ts'
import { verifyRecord } from '../../../core/record.ts'
import {
  dialPeer,
  lookup,
  publish,
  type Published,
  type PublishOptions,
} from '../../../plugs/directory/index.ts'
import { generateKeys, keyToString, type Keys } from '../../../plugs/keys.ts'
import net from '../../../plugs/net.ts'
import rtc from '../../../plugs/rtc/index.ts'
import shs from '../../../plugs/shs/index.ts'
import { startHub, type RunningHub } from '../../../signal-server/index.ts'
import { HubClient } from '../../signal-server/hub-client.ts'
import { failure } from '../../support/failure.ts'
import { addressOf, recordOf, registerWith } from '../../support/records.ts'
import { FakeHub, type FakeHubPeer } from '../rtc/fake-hub.ts'
import { resources, untilOnly } from '../rtc/leftovers.ts'
import type { HubMessage } from '../../../core/hub-protocol.ts'
import type { Bytes } from '../../../core/types.ts'

beforeAll(ready)

/** Closed after each test, the last first. */
const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  vi.useRealTimers()
  for (const close of open.splice(0).toReversed()) await close()
})

async function hubAt(port = 0): Promise<RunningHub> {
  const hub = await startHub({ port, exemptLoopback: true })
  open.push(() => hub.close())
  return hub
}

function publishing(options: PublishOptions): Published & { errors: MultiserverError[] } {
  const errors: MultiserverError[] = []
  const published = publish({ onError: (error) => errors.push(error), ...options })
  open.push(() => published.close())
  return { ...published, errors }
}

/** What a lookup says: the address, or the code of its failure. */
function found(hub: { url: string }, { publicKey }: Keys): Promise<string> {
  return lookup(hub.url, publicKey).then(
    ({ address }) => address,
    ({ code }: MultiserverError) => code,
  )
}

/** The bytes at the hub, which a lookup does not show. */
async function recordAt({ url }: { url: string }, { publicKey }: Keys): Promise<Bytes> {
  const response = await fetch(`${url.replace('ws', 'http')}/peers/${toBase64Url(publicKey)}`)
  return new Uint8Array(await response.arrayBuffer())
}

describe('publishing', () => {
  it('is found by its key until it is closed, and leaves nothing behind', async () => {
    const before = resources()
    const hub = await startHub()
    const keys = await generateKeys()
    const published = publish({ hub: hub.url, keys, address: addressOf(keys) })
    await published.published
    expect(await found(hub, keys)).toBe(addressOf(keys))
    await published.close()
    expect(await found(hub, keys)).toBe('RECORD_NOT_FOUND')
    await published.close()
    await hub.close()
    await untilOnly(before)
  })

  it('leaves out what is of another key, and asks anew at each renewal', async () => {
    const hub = await hubAt()
    const [keys, other] = [await generateKeys(), await generateKeys()]
    let host = 'first.example'
    const { published } = publishing({
      hub: hub.url,
      keys,
      listed: true,
      lifeMs: 1000,
      address: () => ['net:plain:1', addressOf(other), 'net:a:1~noauth', addressOf(keys, host)].join(';'),
    })
    await published
    const first = await lookup(hub.url, keys.publicKey)
    expect(first).toMatchObject({ address: addressOf(keys, 'first.example'), listed: true })
    host = 'second.example'
    await expect.poll(() => found(hub, keys), { timeout: 10_000 }).toBe(addressOf(keys, 'second.example'))
    // It goes on living long after its first life has ended.
    await expect.poll(() => Date.now(), { timeout: 10_000 }).toBeGreaterThan(first.expiresAtMs)
    const later = await lookup(hub.url, keys.publicKey)
    expect(later.sequence).toBeGreaterThan(first.sequence)
  })

  it('comes back by itself after its hub was restarted', async () => {
    const first = await startHub()
    const keys = await generateKeys()
    const { published, errors } = publishing({ hub: first.url, keys, address: addressOf(keys) })
    await published
    await first.close()
    const again = await hubAt(Number(new URL(first.url).port))
    await expect.poll(() => found(again, keys), { timeout: 20_000 }).toBe(addressOf(keys))
    expect(errors.map(({ code }) => code)).toEqual(['HUB_LOST'])
  })

  it('brings a fresh record when it comes back after its machine has slept', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const first = await startHub()
    const keys = await generateKeys()
    const { published } = publishing({ hub: first.url, keys, address: addressOf(keys) })
    await published
    const { sequence, expiresAtMs } = await lookup(first.url, keys.publicKey)
    expect(expiresAtMs).toBe(sequence + 3_600_000)
    await first.close()
    vi.setSystemTime(Date.now() + 86_400_000)
    const again = await hubAt(Number(new URL(first.url).port))
    await expect.poll(() => found(again, keys), { timeout: 20_000 }).toBe(addressOf(keys))
    expect((await lookup(again.url, keys.publicKey)).sequence).toBeGreaterThanOrEqual(sequence + 86_400_000)
  })

  it('goes above what the hub has, when its clock was set back', async () => {
    const hub = await hubAt()
    const keys = await generateKeys()
    vi.useFakeTimers({ toFake: ['Date'] })
    const before = publishing({ hub: hub.url, keys, address: addressOf(keys, 'before.example') })
    await before.published
    const { sequence } = await lookup(hub.url, keys.publicKey)
    // What is left of the first by a process that died, an hour later by its clock.
    await leaveRecord(hub, keys, await recordOf(keys, { sequence: sequence + 3_600_000 }))
    vi.setSystemTime(Date.now() - 600_000)
    const after = publishing({ hub: hub.url, keys, address: addressOf(keys, 'after.example') })
    await after.published
    expect(await lookup(hub.url, keys.publicKey)).toMatchObject({
      address: addressOf(keys, 'after.example'),
      sequence: sequence + 3_600_001,
    })
    expect(after.errors).toEqual([])
  })

  it('says when there is nothing to publish, or more than fits', async () => {
    const hub = await hubAt()
    const keys = await generateKeys()
    const tooMany = Array.from({ length: 17 }, (_, index) => addressOf(keys, `h${index}`)).join(';')
    const failing = () => {
      throw new Error('not now')
    }
    for (const address of ['', 'net:a:1', tooMany, failing, '::'] as const) {
      const publication = publish({ hub: hub.url, keys, address, onError: (error) => errors.push(error) })
      const errors: MultiserverError[] = []
      const { code } = await failure(publication.published)
      expect(code).toBe(address === '::' ? 'ADDRESS_INVALID' : 'RECORD_INVALID')
      expect(errors).toMatchObject([{ code }])
      await publication.close()
    }
    expect(() => publish({ hub: 'http://x', keys, address: '' })).toThrow(
      expect.objectContaining({ code: 'ADDRESS_INVALID' }),
    )
    expect(() => publish({ hub: hub.url, keys: {} as Keys, address: '' })).toThrow(
      expect.objectContaining({ code: 'KEYS_INVALID' }),
    )
  })

  it('is over when another process registers with the key', async () => {
    const hub = await hubAt()
    const keys = await generateKeys()
    const { published, errors } = publishing({ hub: hub.url, keys, address: addressOf(keys) })
    await published
    await leaveRecord(hub, keys, await recordOf(keys, { sequence: Date.now() + 1000 }))
    await expect.poll(() => errors.map(({ code }) => code)).toEqual(['HUB_REPLACED'])
    const again = publishing({ hub: hub.url, keys, address: addressOf(keys, 'again.example') })
    await again.published
    expect(await found(hub, keys)).toBe(addressOf(keys, 'again.example'))
  })

  it('rejects when it is closed before the hub was there', async () => {
    const gone = await startHub()
    await gone.close()
    const keys = await generateKeys()
    const publication = publishing({ hub: gone.url, keys, address: addressOf(keys) })
    await publication.close()
    expect((await failure(publication.published)).code).toBe('ABORTED')
  })
})

describe('several publications of a key', () => {
  it('are one record, without what is closed', async () => {
    const hub = await hubAt()
    const keys = await generateKeys()
    const [a, b] = ['a.example', 'b.example'].map((host) =>
      publishing({ hub: hub.url, keys, address: addressOf(keys, host) }),
    )
    await Promise.all([a?.published, b?.published])
    expect(await found(hub, keys)).toBe(`${addressOf(keys, 'a.example')};${addressOf(keys, 'b.example')}`)
    await a?.close()
    expect(await found(hub, keys)).toBe(addressOf(keys, 'b.example'))
    await b?.close()
    expect(await found(hub, keys)).toBe('RECORD_NOT_FOUND')
  })

  it('made in one turn are one record, however many', async () => {
    const hub = await hubAt()
    const keys = await generateKeys()
    const hosts = Array.from({ length: 16 }, (_, index) => `h${index}.example`)
    const publications = hosts.map((host) =>
      publishing({ hub: hub.url, keys, address: addressOf(keys, host) }),
    )
    await Promise.all(publications.map(({ published }) => published))
    expect(await found(hub, keys)).toBe(hosts.map((host) => addressOf(keys, host)).join(';'))
    await Promise.all(publications.map((publication) => publication.close()))
    expect(await found(hub, keys)).toBe('RECORD_NOT_FOUND')
    expect(publications.flatMap(({ errors }) => errors)).toEqual([])
  })

  it('at several hubs are the same bytes, so that none of them seems to take it back', async () => {
    const hubs = [await hubAt(), await hubAt()]
    const keys = await generateKeys()
    const [a, b] = hubs.map((hub, index) =>
      publishing({ hub: hub.url, keys, address: addressOf(keys, `hub${index}.example`) }),
    )
    await Promise.all([a?.published, b?.published])
    const both = `${addressOf(keys, 'hub0.example')};${addressOf(keys, 'hub1.example')}`
    for (const hub of [...hubs, ...hubs]) expect(await found(hub, keys)).toBe(both)
    const [first, second] = await Promise.all(hubs.map((hub) => recordAt(hub, keys)))
    expect(first).toEqual(second)
    await a?.close()
    expect(await Promise.all(hubs.map((hub) => found(hub, keys)))).toEqual([
      'RECORD_NOT_FOUND',
      addressOf(keys, 'hub1.example'),
    ])
  })
})

describe('a hub that plays false', () => {
  /** A hub that answers `register` with `registered`, and then with whatever `reply` says. */
  async function fakeHub(reply: (peer: FakeHubPeer) => Promise<HubMessage>): Promise<FakeHub> {
    const hub = await FakeHub.start({
      onRegister(peer) {
        peer.say({ type: 'registered', iceServers: [] })
        void reply(peer).then((message) => peer.say(message))
      },
    })
    open.push(() => hub.close())
    return hub
  }

  it('is told on when it refuses the record', async () => {
    const hub = await fakeHub(() => Promise.resolve({ type: 'error', code: 'RECORD_INVALID', message: 'no' }))
    const keys = await generateKeys()
    const { published, errors } = publishing({ hub: hub.url, keys, address: addressOf(keys) })
    const { code, message } = await failure(published)
    expect([code, message]).toEqual(['RECORD_INVALID', `${hub.url} refused the record: no`])
    expect(errors).toMatchObject([{ code: 'RECORD_INVALID' }])
  })

  it.each<[string, (keys: Keys, shown: Bytes | undefined) => Promise<Bytes | undefined>]>([
    ['nothing', () => Promise.resolve(undefined)],
    ['garbage', () => Promise.resolve(new Uint8Array(200))],
    ["another key's record", async () => recordOf(await generateKeys(), { sequence: Date.now() + 1000 })],
    ['an older record', (keys) => recordOf(keys, { sequence: 5 })],
    ['the very record', (_keys, shown) => Promise.resolve(shown)],
  ])('does not make it go above %s', async (_what, make) => {
    const keys = await generateKeys()
    const hub = await fakeHub(async (peer) => {
      const [register] = peer.heard.length > 0 ? peer.heard : await heard(peer)
      const shown = register?.type === 'register' ? register.record : undefined
      return { type: 'error', code: 'RECORD_STALE', message: 'stale', record: await make(keys, shown) }
    })
    const { published } = publishing({ hub: hub.url, keys, address: addressOf(keys) })
    expect((await failure(published)).code).toBe('RECORD_STALE')
    expect((await hub.peer(0)).heard.filter(({ type }) => type === 'record')).toEqual([])
  })

  it('can make it go above a record that the key has signed, once', async () => {
    const keys = await generateKeys()
    const stored = await recordOf(keys, { sequence: Date.now() + 50_000 })
    const hub = await fakeHub(() =>
      Promise.resolve({ type: 'error', code: 'RECORD_STALE', message: '', record: stored }),
    )
    publishing({ hub: hub.url, keys, address: addressOf(keys) })
    const peer = await hub.peer(0)
    await peer.heardThat(({ type }) => type === 'record', 1)
    const [shown] = peer.heard.flatMap((message) => (message.type === 'record' ? [message.record] : []))
    expect(verifyRecord(shown ?? new Uint8Array())?.sequence).toBe((verifyRecord(stored)?.sequence ?? 0) + 1)
  })

  async function heard(peer: FakeHubPeer) {
    await peer.heardThat(({ type }) => type === 'register', 1)
    return peer.heard
  }
})

describe('rtc', () => {
  it('publishes its own address by itself, and withdraws it on close', async () => {
    const hub = await hubAt()
    const keys = await generateKeys()
    const ms = MultiServer([[rtc({ hub: hub.url }), shs({ keys })]])
    const close = ms.server((connection) => connection.close())
    open.push(() => close())
    await close.listening
    await expect.poll(() => found(hub, keys)).toBe(ms.stringify())
    expect((await lookup(hub.url, keys.publicKey)).listed).toBe(false)
    const connection = await dialPeer(client(await generateKeys()), hub.url, keys.publicKey)
    expect(connection.remote).toEqual(keys.publicKey)
    await connection.close()
    await close()
    expect(await found(hub, keys)).toBe('RECORD_NOT_FOUND')
  })

  it('publishes all that the application serves, once it is served', async () => {
    const hub = await hubAt()
    const keys = await generateKeys()
    const address = () => ms.stringify('device')
    const ms = MultiServer([
      [net({ port: 0, host: '127.0.0.1' }), shs({ keys })],
      [rtc({ hub: hub.url, publish: { address, listed: true } }), shs({ keys })],
      [rtc({ hub: hub.url }), shs({ keys }), shs({ keys })],
    ])
    const close = ms.server((connection) => connection.close())
    open.push(() => close())
    await close.listening
    const key = keyToString(keys.publicKey)
    await expect.poll(() => found(hub, keys)).toBe(ms.stringify())
    expect(ms.stringify()).toMatch(/^net:127\.0\.0\.1:\d+~shs:.*;rtc:.*~shs:.*;rtc:.*~shs:.*~shs:/)
    expect((await lookup(hub.url, key)).listed).toBe(true)
    const connection = await dialPeer(client(await generateKeys()), hub.url, key)
    expect(connection.address).toMatch(/^net:/)
    await connection.close()
  })

  it('publishes nothing when it is told so', async () => {
    const hub = await hubAt()
    const keys = await generateKeys()
    const close = MultiServer([[rtc({ hub: hub.url, publish: false }), shs({ keys })]]).server(
      () => undefined,
    )
    open.push(() => close())
    await close.listening
    // A publication that shares the registration comes and goes, and the stack stays registered.
    const shared = publishing({ hub: hub.url, keys, address: addressOf(keys) })
    await shared.published
    expect(await found(hub, keys)).toBe(addressOf(keys))
    await shared.close()
    expect(await found(hub, keys)).toBe('RECORD_NOT_FOUND')
    expect(shared.errors).toEqual([])
    const connection = await client(await generateKeys()).client(
      `rtc:${new URL(hub.url).host}~shs:${keyToString(keys.publicKey)}`,
    )
    connection.abort()
  })

  it('publishes nothing when the server was closed while it started', async () => {
    const hub = await hubAt()
    const keys = await generateKeys()
    const close = MultiServer([[rtc({ hub: hub.url }), shs({ keys })]]).server(() => undefined)
    await close()
    expect(await found(hub, keys)).toBe('RECORD_NOT_FOUND')
  })

  function client(keys: Keys) {
    return MultiServer([
      [net({ listen: false }), shs({ keys })],
      [rtc(), shs({ keys })],
    ])
  }
})

/** Registers with `keys` as another process would, leaves `record` at the hub and goes. */
async function leaveRecord(hub: RunningHub, keys: Keys, record: Bytes): Promise<void> {
  const client = new HubClient(hub.url)
  await registerWith(client, hub, keys, record)
  await client.leave()
}
