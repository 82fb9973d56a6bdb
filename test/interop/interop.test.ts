import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { concat } from '../../core/bytes.ts'
import type { MultiserverError } from '../../core/errors.ts'
import { MultiServer, type Connection } from '../../core/multiserver.ts'
import type { Bytes } from '../../core/types.ts'
import { keysFromSeed, keyToString, type Keys } from '../../plugs/keys.ts'
import net from '../../plugs/net.ts'
import shs, { type ShsOptions } from '../../plugs/shs/index.ts'
import unix from '../../plugs/unix.ts'
import ws from '../../plugs/ws.ts'
import { deferred } from '../support/deferred.ts'
import { failure } from '../support/failure.ts'
import {
  breakOff,
  createOld,
  exchange,
  readToEnd,
  stopReading,
  type OldOptions,
  type OldServer,
  type OldStream,
  type TransportName,
} from './multiserver-3.8.2.ts'

const appKey = Buffer.alloc(32, 42)
const seed = new Uint8Array(32).fill(23)
const keys = {
  server: await keysFromSeed(new Uint8Array(32).fill(21)),
  client: await keysFromSeed(new Uint8Array(32).fill(22)),
  guest: await keysFromSeed(seed),
}
const folder = mkdtempSync(join(tmpdir(), 'interop-'))
const open: (() => unknown)[] = []

afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Both sides of one connection, ours and theirs. */
interface Meeting {
  readonly ours: Connection
  readonly theirs: OldStream
}

/** What is unusual in one test. */
interface Change {
  /** What the one that dials makes of the address. */
  readonly edit?: ((address: string) => string) | undefined
  readonly ours?: ShsOptions | undefined
  readonly theirs?: Partial<OldOptions> | undefined
}

describe.each<TransportName>(['net', 'ws', 'unix'])('over %s~shs', (transport) => {
  describe.each([
    ['our client and a server of 3.8.2', dialOld],
    ['our server and a client of 3.8.2', acceptOld],
  ])('%s', (_who, meet) => {
    it('prove their keys to each other', async () => {
      const { ours, theirs } = await meet(transport)
      const [our, their] = ours.role === 'client' ? [keys.client, keys.server] : [keys.server, keys.client]
      expect(ours.remote).toEqual(their.publicKey)
      expect(Buffer.compare(theirs.remote, our.publicKey)).toBe(0)
      expect(ours.strength).toBe(1)
      expect([ours.auth, theirs.auth]).toContain('welcome')
    })

    it.each([
      ['1 byte', 1, 1],
      ['10 KB', 1, 10_000],
      ['10 MB', 160, 65_536],
      ['many small chunks', 3000, 11],
    ])('carry %s both ways at once, and end with a goodbye', async (_name, count, length) => {
      const { ours, theirs } = await meet(transport)
      const [there, back] = [makeChunks(count, length, 31), makeChunks(count, length, 37)]
      const sending = writeAll(ours, there)
      const [atOurs, atTheirs] = await Promise.all([readAll(ours), exchange(theirs, back), sending])
      expect(hash(atOurs)).toBe(hash(concat(...back)))
      expect(hash(atTheirs)).toBe(hash(concat(...there)))
      await ours.closed
      expect(ours.error).toBeUndefined()
    })

    it('hear each other out after their own goodbye', async () => {
      const { ours, theirs } = await meet(transport)
      await ours.end()
      const back = makeChunks(20, 50_000, 41)
      const [atOurs] = await Promise.all([readAll(ours), exchange(theirs, back)])
      expect(hash(atOurs)).toBe(hash(concat(...back)))
      await ours.closed
      expect(ours.error).toBeUndefined()
    })

    it('end cleanly when theirs says goodbye first, and when ours closes', async () => {
      const { ours, theirs } = await meet(transport)
      const heard = exchange(theirs, [Uint8Array.of(7)])
      expect(await readAll(ours)).toEqual(Uint8Array.of(7))
      await ours.close()
      expect(await heard).toHaveLength(0)
      expect(ours.error).toBeUndefined()
    })

    it('end cleanly when ours closes first', async () => {
      const { ours, theirs } = await meet(transport)
      await Promise.all([ours.close(), exchange(theirs, [])])
      expect(ours.error).toBeUndefined()
    })

    it('tell theirs when ours aborts', async () => {
      const { ours, theirs } = await meet(transport)
      const hearing = expect(readToEnd(theirs)).rejects.toBeInstanceOf(Error)
      ours.abort()
      await hearing
      await ours.closed
    })

    it.each([
      ['breaks off', breakOff],
      ['wants to read no more', stopReading],
    ])('tell ours when theirs %s, also where it writes', async (_what, leave) => {
      const { ours, theirs } = await meet(transport)
      leave(theirs)
      const { code } = await failure(readAll(ours))
      expect(code).toMatch(/TRUNCATED|CONNECTION_LOST/)
      expect(await failure(ours.write(Uint8Array.of(1)))).toMatchObject({ code })
      await ours.closed
    })

    it('connect with the seed of an invite', async () => {
      const { ours, theirs } = await meet(transport, {
        edit: (address) => `${address}:${keyToString(seed)}`,
        // The seed is the client's identity: without it ours has none.
        ours: meet === dialOld ? { keys: undefined } : {},
      })
      const proved = ours.role === 'server' ? ours.remote : theirs.remote
      expect(Buffer.compare(proved ?? seed, keys.guest.publicKey)).toBe(0)
    })
  })

  it.each<[string, { change: (who: 'client' | 'server') => Change; told: Told }]>([
    [
      'another key',
      {
        change: () => ({ edit: (address) => withKey(address, keys.client) }),
        told: {
          ourClient: { code: 'WRONG_KEY', message: /phase 3/ },
          theirServer: /phase 3/,
          ourServer: 'HANDSHAKE_FAILED',
          theirClient: /phase 3/,
        },
      },
    ],
    [
      'another app key',
      {
        change: () => ({ ours: { appKey: Buffer.alloc(32, 43) } }),
        told: {
          ourClient: { code: 'HANDSHAKE_FAILED', message: /phase 1/ },
          theirServer: /phase 1/,
          ourServer: 'HANDSHAKE_FAILED',
          theirClient: /phase 1/,
        },
      },
    ],
    [
      'an auth that says no',
      {
        change: (who) =>
          who === 'client'
            ? { theirs: { auth: (_key, callback) => callback(null, false) } }
            : { ours: { auth: () => false } },
        told: {
          ourClient: { code: 'WRONG_KEY', message: /not authorized/ },
          theirServer: /phase 4/,
          ourServer: 'AUTH_REFUSED',
          theirClient: /phase 3/,
        },
      },
    ],
  ])('%s connects neither way, and both sides are told', async (_what, { change, told }) => {
    const old = await listenOld(transport, change('client').theirs)
    const error = await failure(dialAsOurs(transport, old.address, change('client')))
    expect(error.attempts).toMatchObject([
      { code: told.ourClient.code, message: expect.stringMatching(told.ourClient.message) },
    ])
    await vi.waitFor(() => expect(old.errors).toHaveLength(1))
    expect(old.errors[0]?.message).toMatch(told.theirServer)

    const ours = await listenOurs(transport, change('server').ours)
    const dialing = dialAsOld(transport, ours.address, change('server'))
    await expect(dialing).rejects.toThrow(told.theirClient)
    await vi.waitFor(() => expect(ours.errors).toMatchObject([{ code: told.ourServer }]))
  })

  it('addresses that one prints are what the other dials', async () => {
    const [old, ours] = [await listenOld(transport), await listenOurs(transport)]
    const shape = /^(net:localhost:\d+|ws:\/\/localhost:\d+|unix:\/.*socket)~shs:[\w+/]{43}=$/
    expect(old.address).toMatch(shape)
    expect(ours.address).toMatch(shape)
    expect(createOurs(transport, keys.client).parse(old.address)[0]?.at(-1)).toEqual({
      name: 'shs',
      data: [keyToString(keys.server.publicKey)],
    })
    expect(createOld(transport, keys.client, { appKey, folder }).parse(ours.address)[0]).toHaveLength(2)
    // Several alternatives, one of which only we understand.
    const address = `rtc:hub.example~shs2:${keyToString(keys.server.publicKey)};${old.address}`
    const connection = await dialAsOurs(transport, address)
    expect(connection.address).toBe(old.address)
    const stream = await dialAsOld(transport, `quic:nowhere:1~shs3:x;${ours.address}`)
    expect(Buffer.compare(stream.remote, keys.server.publicKey)).toBe(0)
  })
})

it('an app key as base64 is the same for both', async () => {
  const ours = await listenOurs('net', { appKey: appKey.toString('base64') })
  const stream = await dialAsOld('net', ours.address)
  expect(Buffer.compare(stream.remote, keys.server.publicKey)).toBe(0)
})

/** What each of the four hears of a connection that does not come about. */
interface Told {
  readonly ourClient: { readonly code: string; readonly message: RegExp }
  readonly theirServer: RegExp
  readonly ourServer: string
  readonly theirClient: RegExp
}

async function dialOld(transport: TransportName, change: Change = {}): Promise<Meeting> {
  const old = await listenOld(transport, change.theirs)
  const ours = await dialAsOurs(transport, old.address, change)
  return { ours, theirs: await old.stream }
}

async function acceptOld(transport: TransportName, change: Change = {}): Promise<Meeting> {
  const server = await listenOurs(transport, change.ours)
  const theirs = await dialAsOld(transport, server.address, change)
  return { ours: await server.connection, theirs }
}

function createOurs(transport: TransportName, own: Keys, options: ShsOptions = {}) {
  const plugs = { net: () => net(), ws: () => ws(), unix: () => unix() }
  return MultiServer([[plugs[transport](), shs({ keys: own, appKey, auth: () => 'welcome', ...options })]])
}

async function dialAsOurs(transport: TransportName, address: string, { edit, ours }: Change = {}) {
  const connection = await createOurs(transport, keys.client, ours).client(edit?.(address) ?? address)
  open.push(() => connection.abort())
  return connection
}

async function listenOurs(transport: TransportName, options?: ShsOptions) {
  const server = createOurs(transport, keys.server, options)
  const { promise, resolve } = deferred<Connection>()
  const accepted: Connection[] = []
  const errors: MultiserverError[] = []
  const close = server.server(
    (connection) => {
      accepted.push(connection)
      resolve(connection)
    },
    (error) => errors.push(error),
  )
  open.push(async () => {
    const closing = close()
    for (const connection of accepted) connection.abort()
    await closing
  })
  await close.listening
  return { address: server.stringify(), connection: promise, errors }
}

async function listenOld(transport: TransportName, options: Partial<OldOptions> = {}) {
  const place = mkdtempSync(join(folder, 'old-'))
  const old = createOld(transport, keys.server, {
    appKey,
    auth: (_key, callback) => callback(null, 'welcome'),
    ...options,
    folder: place,
  })
  const { promise, resolve } = deferred<OldStream>()
  const errors: Error[] = []
  await new Promise<void>((started, failed) => {
    const close = old.server(
      resolve,
      (error) => errors.push(error),
      (error) => (error ? failed(error) : started()),
    )
    open.push(() => close(() => undefined))
  })
  return { address: old.stringify('device'), stream: promise, errors }
}

function dialAsOld(
  transport: TransportName,
  address: string,
  { edit, theirs }: Change = {},
): Promise<OldStream> {
  const old: OldServer = createOld(transport, keys.client, { appKey, ...theirs, folder })
  return new Promise((resolve, reject) => {
    old.client(edit?.(address) ?? address, (error, stream) => (error ? reject(error) : resolve(stream)))
  })
}

function withKey(address: string, { publicKey }: Keys): string {
  return address.replace(/shs:.*/, `shs:${keyToString(publicKey)}`)
}

async function writeAll(connection: Connection, chunks: readonly Bytes[]): Promise<void> {
  for (const chunk of chunks) await connection.write(chunk)
  await connection.end()
}

async function readAll(connection: Connection): Promise<Bytes> {
  const chunks: Bytes[] = []
  for await (const chunk of connection) chunks.push(chunk)
  return concat(...chunks)
}

/** Chunks that differ from each other. */
function makeChunks(count: number, length: number, factor: number): Bytes[] {
  return Array.from({ length: count }, (_, number) =>
    Uint8Array.from({ length }, (_byte, at) => (at * factor + number + (at >> 8)) & 0xff),
  )
}

function hash(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
