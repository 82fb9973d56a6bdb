import { createHash } from 'node:crypto'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { concat } from '../../core/bytes.ts'
import type { MultiserverError } from '../../core/errors.ts'
import { MultiServer, type Connection } from '../../core/multiserver.ts'
import type { Bytes } from '../../core/types.ts'
import { keysFromSeed, keyToString, type Keys } from '../../plugs/keys.ts'
import net from '../../plugs/net.ts'
import shs from '../../plugs/shs/index.ts'
import ws from '../../plugs/ws.ts'
import { deferred } from '../support/deferred.ts'
import { failure } from '../support/failure.ts'
import { createOld, exchange, type OldServer, type OldStream } from './multiserver-3.8.2.ts'

const appKey = Buffer.alloc(32, 42)
const keys = {
  server: await keysFromSeed(new Uint8Array(32).fill(21)),
  client: await keysFromSeed(new Uint8Array(32).fill(22)),
}
const open: (() => unknown)[] = []

afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
})

/** Both sides of one connection, ours and theirs. */
interface Meeting {
  readonly ours: Connection
  readonly theirs: OldStream
}

describe.each(['net', 'ws'] as const)('over %s~shs', (transport) => {
  describe.each([
    ['our client and a server of 3.8.2', () => dialOld(transport)],
    ['our server and a client of 3.8.2', () => acceptOld(transport)],
  ])('%s', (_who, meet) => {
    it('prove their keys to each other', async () => {
      const { ours, theirs } = await meet()
      const [our, their] = ours.role === 'client' ? [keys.client, keys.server] : [keys.server, keys.client]
      expect(ours.remote).toEqual(their.publicKey)
      expect(Buffer.compare(theirs.remote, our.publicKey)).toBe(0)
      expect(ours.strength).toBe(1)
      ours.abort()
    })

    it.each([
      ['1 byte', 1],
      ['10 KB', 10_000],
      ['2 MB', 2_000_000],
    ])('carry %s both ways at once and end cleanly', async (_name, length) => {
      const { ours, theirs } = await meet()
      const [there, back] = [makeBytes(length, 31), makeBytes(length, 37)]
      const sending = ours.write(there).then(() => ours.end())
      const [atOurs, atTheirs] = await Promise.all([readAll(ours), exchange(theirs, back), sending])
      expect(hash(atOurs)).toBe(hash(back))
      expect(hash(atTheirs)).toBe(hash(there))
      await ours.closed
      expect(ours.error).toBeUndefined()
    })

    it('end cleanly when ours closes first', async () => {
      const { ours, theirs } = await meet()
      await Promise.all([ours.close(), exchange(theirs, new Uint8Array(0))])
      expect(ours.error).toBeUndefined()
    })

    it('tell each other of an abort', async () => {
      const { ours, theirs } = await meet()
      const heard = exchange(theirs, new Uint8Array(0))
      ours.abort()
      await expect(heard).rejects.toBeInstanceOf(Error)
      await ours.closed
    })
  })

  it('a server of 3.8.2 with another key is WRONG_KEY', async () => {
    const old = await listenOld(transport)
    const address = withKey(old.address, keys.client)
    const error = await failure(createOurs(transport, keys.client).client(address))
    expect(error.attempts).toMatchObject([{ code: 'WRONG_KEY', address }])
  })

  it('a client of 3.8.2 that wants another key is refused', async () => {
    const ours = await listenOurs(transport)
    await expect(dialAsOld(transport, withKey(ours.address, keys.client))).rejects.toThrow()
    await vi.waitFor(() => expect(ours.errors).toMatchObject([{ code: 'HANDSHAKE_FAILED' }]))
  })

  it('a client that auth refuses is refused, in both roles', async () => {
    const old = await listenOld(transport, (_key, callback) => callback(null, false))
    const error = await failure(createOurs(transport, keys.client).client(old.address))
    expect(error.attempts).toMatchObject([
      { code: 'WRONG_KEY', message: expect.stringContaining('authorized') },
    ])
    const ours = await listenOurs(transport, () => false)
    await expect(dialAsOld(transport, ours.address)).rejects.toThrow()
    await vi.waitFor(() => expect(ours.errors).toMatchObject([{ code: 'AUTH_REFUSED' }]))
  })

  it('addresses that one prints are what the other dials', async () => {
    const [old, ours] = [await listenOld(transport), await listenOurs(transport)]
    const shape = /^(net:localhost|ws:\/\/localhost):\d+~shs:[\w+/]{43}=$/
    expect(old.address).toMatch(shape)
    expect(ours.address).toMatch(shape)
    expect(createOurs(transport, keys.client).parse(old.address)[0]?.at(-1)).toEqual({
      name: 'shs',
      data: [keyToString(keys.server.publicKey)],
    })
    expect(createOld(transport, keys.client, { appKey }).parse(ours.address)[0]).toHaveLength(2)
    // Several alternatives, one of which only we understand.
    const address = `rtc:hub.example~shs2:${keyToString(keys.server.publicKey)};${old.address}`
    const connection = await createOurs(transport, keys.client).client(address)
    expect(connection.address).toBe(old.address)
    connection.abort()
    const stream = await dialAsOld(transport, `quic:nowhere:1~shs3:x;${ours.address}`)
    expect(Buffer.compare(stream.remote, keys.server.publicKey)).toBe(0)
  })
})

describe('an app key as base64', () => {
  it('is the same for both', async () => {
    const text = appKey.toString('base64')
    const server = MultiServer([[net(), shs({ keys: keys.server, appKey: text })]])
    const close = server.server((connection) => void connection.close())
    open.push(() => close())
    await close.listening
    const old = createOld('net', keys.client, { appKey: text })
    const stream = await dialOldTo(old, server.stringify())
    expect(await exchange(stream, new Uint8Array(0))).toHaveLength(0)
  })
})

type OldAuth = (key: Buffer, callback: (error: null, auth: unknown) => void) => void

async function dialOld(transport: 'net' | 'ws'): Promise<Meeting> {
  const old = await listenOld(transport)
  const ours = await createOurs(transport, keys.client).client(old.address)
  open.push(() => ours.abort())
  const theirs = await old.stream
  expect(theirs.auth).toBe('welcome')
  return { ours, theirs }
}

async function acceptOld(transport: 'net' | 'ws'): Promise<Meeting> {
  const server = await listenOurs(transport)
  const theirs = await dialAsOld(transport, server.address)
  const ours = await server.connection
  expect(ours.auth).toBe('welcome')
  return { ours, theirs }
}

function createOurs(transport: 'net' | 'ws', own: Keys, auth: () => unknown = () => 'welcome') {
  return MultiServer([[transport === 'net' ? net() : ws(), shs({ keys: own, appKey, auth })]])
}

async function listenOurs(transport: 'net' | 'ws', auth?: () => unknown) {
  const server = createOurs(transport, keys.server, auth)
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

async function listenOld(
  transport: 'net' | 'ws',
  auth: OldAuth = (_key, callback) => callback(null, 'welcome'),
) {
  const old = createOld(transport, keys.server, { appKey, auth })
  const { promise, resolve } = deferred<OldStream>()
  await new Promise<void>((started, failed) => {
    const close = old.server(
      resolve,
      () => undefined,
      (error) => (error ? failed(error) : started()),
    )
    open.push(() => close(() => undefined))
  })
  return { address: old.stringify(), stream: promise }
}

function dialAsOld(transport: 'net' | 'ws', address: string): Promise<OldStream> {
  return dialOldTo(createOld(transport, keys.client, { appKey }), address)
}

function dialOldTo(old: OldServer, address: string): Promise<OldStream> {
  return new Promise((resolve, reject) => {
    old.client(address, (error, stream) => (error ? reject(error) : resolve(stream)))
  })
}

function withKey(address: string, { publicKey }: Keys): string {
  return address.replace(/shs:.*/, `shs:${keyToString(publicKey)}`)
}

async function readAll(connection: Connection): Promise<Bytes> {
  const chunks: Bytes[] = []
  for await (const chunk of connection) chunks.push(chunk)
  return concat(...chunks)
}

function makeBytes(length: number, factor: number): Bytes {
  return Uint8Array.from({ length }, (_, at) => (at * factor + (at >> 8)) & 0xff)
}

function hash(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
