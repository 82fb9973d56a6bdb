import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { afterEach, describe, expect, it } from 'vitest'
import { concat } from '../../../core/bytes.ts'
import type { Bytes, ByteStream, Listener, Secured } from '../../../core/types.ts'
import { keyToString, type Keys } from '../../../plugs/keys.ts'
import net from '../../../plugs/net.ts'
import shs, { type ShsOptions } from '../../../plugs/shs/index.ts'
import { fixedPort } from '../../support/fixed-port.ts'
import { failure, makeKeys, noSignal, readAll } from './helpers.ts'

/** What this test uses of multiserver 3.8.2 and of pull-streams. */
interface OldStream {
  source: unknown
  sink: unknown
  remote: Buffer
  auth: unknown
}
interface OldMultiserver {
  stringify(scope: string): string
  client(address: string, callback: (error: Error | null, stream: OldStream) => void): void
  server(
    onConnection: (stream: OldStream) => void,
    onError: (error: Error) => void,
    onStarted: (error?: Error) => void,
  ): (callback: () => void) => void
}
type Old<Result> = (...parts: unknown[]) => Result

const require = createRequire(import.meta.url)
const oldMultiserver = require('multiserver-3.8.2') as Old<OldMultiserver>
const oldNet = require('multiserver-3.8.2/plugins/net') as Old<unknown>
const oldShs = require('multiserver-3.8.2/plugins/shs') as Old<unknown>
const pull = require('pull-stream') as Old<unknown> & Record<'values' | 'collect' | 'drain', Old<unknown>>

const appKey = new Uint8Array(32).fill(42)
const keys = { client: await makeKeys(11), server: await makeKeys(12) }
const cleanups: (() => Promise<unknown> | void)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

/** How one of ours meets one of theirs: our stream, and theirs. */
type Meeting = { ours: Secured; theirs: OldStream }

describe.each([
  ['as the client of 3.8.2', dialOld],
  ['as the server of 3.8.2', acceptOld],
] as const)('shs %s', (_role, meet) => {
  it.each([
    ['1 byte', 1],
    ['10 KB', 10_000],
    ['10 MB', 10_000_000],
  ])('gets %s back from an echo and ends cleanly', async (_name, length) => {
    const { ours, theirs } = await meet()
    expect(Buffer.compare(ours.remote ?? new Uint8Array(), theirs.remote)).not.toBe(0)
    pull(theirs, theirs)
    const sent = makeBytes(length)
    const [received] = await Promise.all([readAll(ours.stream), writeAll(ours.stream, [sent])])
    expect(hash(received)).toBe(hash(sent))
    await ours.stream.closed
  })

  it('carries many small chunks', async () => {
    const { ours, theirs } = await meet()
    pull(theirs, theirs)
    const chunks = Array.from({ length: 2000 }, (_, index) => makeBytes(1 + (index % 20)))
    const [received] = await Promise.all([readAll(ours.stream), writeAll(ours.stream, chunks)])
    expect(hash(received)).toBe(hash(concat(...chunks)))
    await ours.stream.closed
  })

  it('carries both directions at once, and hears the rest after its own goodbye', async () => {
    const { ours, theirs } = await meet()
    const fromThem = Array.from({ length: 300 }, (_, index) => Buffer.from(makeBytes(index * 37)))
    pull(pull.values(fromThem), theirs)
    const heard = collect(theirs)
    const fromUs = makeBytes(500_000)
    const [received] = await Promise.all([readAll(ours.stream), writeAll(ours.stream, [fromUs])])
    expect(hash(received)).toBe(hash(Buffer.concat(fromThem)))
    expect(hash(await heard)).toBe(hash(fromUs))
    await ours.stream.closed
  })

  it('ends cleanly when the other side says goodbye first', async () => {
    const { ours, theirs } = await meet()
    const heard = collect(theirs)
    pull(pull.values([Buffer.from('bye')]), theirs)
    expect(await readAll(ours.stream)).toEqual(Uint8Array.from(Buffer.from('bye')))
    await ours.stream.end()
    await ours.stream.closed
    expect(await heard).toHaveLength(0)
  })

  it('does not crash by writing to a peer that has gone', async () => {
    const { ours, theirs } = await meet()
    pull(pull.values([]), theirs)
    const aborted = new Error('they want no more')
    pull(theirs, (read: (abort: Error, callback: () => void) => void) => read(aborted, () => undefined))
    expect(await failureOrEnd(ours.stream)).toMatch(/end|TRUNCATED|CONNECTION_LOST/)
    const writeOn = async () => {
      for (let turn = 0; turn < 50; turn += 1) await ours.stream.write(makeBytes(100_000))
    }
    expect((await failure(writeOn())).code).toMatch(/CONNECTION_LOST|TRUNCATED/)
    ours.stream.abort()
    await ours.stream.closed
  })

  it('says TRUNCATED or CONNECTION_LOST when the other side breaks off', async () => {
    const { ours, theirs } = await meet()
    const broken = (abort: unknown, callback: (end: unknown) => void) =>
      callback(abort ?? new Error('broken'))
    pull(broken, theirs)
    expect((await failure(readAll(ours.stream))) as { code?: string }).toMatchObject({
      code: expect.stringMatching(/TRUNCATED|CONNECTION_LOST/),
    })
    await ours.stream.closed
  })

  it('is an error for the other side when it aborts', async () => {
    const { ours, theirs } = await meet()
    const heard = failure(collect(theirs))
    pull(pull.values([]), theirs)
    ours.stream.abort()
    expect(await heard).toBeInstanceOf(Error)
    await ours.stream.closed
  })
})

describe('shs with 3.8.2 that does not agree', () => {
  it('says WRONG_KEY for a server of theirs with another key', async () => {
    const old = await listenOld()
    const address = old.address.replace(/shs:.*/, `shs:${keyToString(keys.client.publicKey)}`)
    expect(await failure(dialOurs(address))).toMatchObject({ code: 'WRONG_KEY' })
    expect((await old.error).message).toContain('phase 3')
  })

  it('hangs up on a client of theirs that dialed another key', async () => {
    const ours = await listenOurs()
    const address = ours.address.replace(/shs:.*/, `shs:${keyToString(keys.client.publicKey)}`)
    expect((await failure(dialAsOld(address))).message).toContain('phase 3')
    expect(await failure(ours.secured)).toMatchObject({ code: 'HANDSHAKE_FAILED' })
  })

  it('says that it may not be authorized when their auth refuses', async () => {
    const old = await listenOld({
      auth: (_key: Buffer, callback: (error: null, auth: false) => void) => callback(null, false),
    })
    expect(await failure(dialOurs(old.address))).toMatchObject({
      code: 'WRONG_KEY',
      message: expect.stringContaining('not authorized'),
    })
  })

  it('refuses their client by auth', async () => {
    const ours = await listenOurs({ auth: () => false })
    expect((await failure(dialAsOld(ours.address))).message).toContain('phase 3')
    expect(await failure(ours.secured)).toMatchObject({ code: 'AUTH_REFUSED' })
  })

  it('fails on both sides when the app keys differ', async () => {
    const old = await listenOld()
    expect(await failure(dialOurs(old.address, { appKey: new Uint8Array(32) }))).toMatchObject({
      code: 'HANDSHAKE_FAILED',
      message: expect.stringContaining('phase 1'),
    })
    const ours = await listenOurs({ appKey: new Uint8Array(32) })
    expect((await failure(dialAsOld(ours.address))).message).toContain('phase 1')
    expect(await failure(ours.secured)).toMatchObject({ code: 'HANDSHAKE_FAILED' })
  })
})

describe('an invite with a seed', () => {
  const seed = new Uint8Array(32).fill(99)

  it('is the identity of our client at their server', async () => {
    const guest = await makeKeys(99)
    const old = await listenOld()
    const secured = await dialOurs(`${old.address}:${keyToString(seed)}`, { keys: undefined })
    expect(Buffer.compare((await old.stream).remote, guest.publicKey)).toBe(0)
    secured.stream.abort()
  })

  it('is the identity of their client at our server', async () => {
    const guest = await makeKeys(99)
    const ours = await listenOurs()
    const theirs = dialAsOld(`${ours.address}:${keyToString(seed)}`)
    const secured = await ours.secured
    expect(secured.remote).toEqual(guest.publicKey)
    await theirs
    secured.stream.abort()
  })
})

async function dialOld(): Promise<Meeting> {
  const old = await listenOld()
  const ours = await dialOurs(old.address)
  const theirs = await old.stream
  expect(Buffer.compare(theirs.remote, keys.client.publicKey)).toBe(0)
  expect(theirs.auth).toBe('welcome')
  return { ours, theirs }
}

async function acceptOld(): Promise<Meeting> {
  const server = await listenOurs()
  const theirs = await dialAsOld(server.address)
  const ours = await server.secured
  expect(ours.remote).toEqual(keys.client.publicKey)
  expect(ours.auth).toBe('welcome')
  return { ours, theirs }
}

async function dialOurs(address: string, options: ShsOptions = {}): Promise<Secured> {
  const [place = '', section = ''] = address.split('~')
  const target = net().parse(place)
  const secure = shs({ keys: keys.client, appKey, ...options }).parse(section)
  if (target === null || secure === null) throw new Error(`${address} does not parse`)
  const stream = await target.dial({ signal: noSignal(), transforms: ['shs'] })
  cleanups.push(() => stream.abort())
  return secure.connect(stream, { signal: noSignal() })
}

async function listenOurs(options: ShsOptions = {}): Promise<{ address: string; secured: Promise<Secured> }> {
  const transform = shs({ keys: keys.server, appKey, auth: () => 'welcome', ...options })
  const transport = net({ port: 0 })
  let take: (secured: Promise<Secured>) => void = () => undefined
  const secured = new Promise<Secured>((resolve) => (take = resolve))
  secured.catch(() => undefined)
  const listener = await (transport.listen?.(
    (stream) => {
      cleanups.push(() => stream.abort())
      take(transform.accept(stream, { signal: noSignal() }))
    },
    { signal: noSignal(), transforms: ['shs'], onError: () => undefined, onConnectionError: () => undefined },
  ) as Promise<Listener>)
  cleanups.push(() => listener.close())
  return { address: `${listener.addresses('device')[0]}~${transform.section()}`, secured }
}

async function listenOld(options: Record<string, unknown> = {}) {
  const auth = (_key: Buffer, callback: (error: null, auth: string) => void) => callback(null, 'welcome')
  const old = makeOld(keys.server, { auth, ...options })
  let onStream: (stream: OldStream) => void = () => undefined
  let onError: (error: Error) => void = () => undefined
  const stream = new Promise<OldStream>((resolve) => (onStream = resolve))
  const error = new Promise<Error>((resolve) => (onError = resolve))
  await new Promise<void>((resolve, reject) => {
    const close = old.server(onStream, onError, (failed) => (failed ? reject(failed) : resolve()))
    cleanups.push(() => close(() => undefined))
  })
  return { address: old.stringify('device'), stream, error }
}

function dialAsOld(address: string): Promise<OldStream> {
  return new Promise((resolve, reject) => {
    makeOld(keys.client).client(address, (error, stream) => (error ? reject(error) : resolve(stream)))
  })
}

function makeOld({ publicKey, secretKey }: Keys, options: Record<string, unknown> = {}): OldMultiserver {
  const oldKeys = { publicKey: Buffer.from(publicKey), secretKey: Buffer.from(secretKey) }
  const transform = oldShs({ keys: oldKeys, appKey: Buffer.from(appKey), timeout: 5000, ...options })
  return oldMultiserver([[oldNet({ scope: 'device', port: fixedPort() }), transform]])
}

function collect(stream: OldStream): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, chunks: Buffer[]) =>
      error ? reject(error) : resolve(Buffer.concat(chunks))
    pull(stream, pull.collect(done))
  })
}

async function writeAll(stream: ByteStream, chunks: readonly Uint8Array[]): Promise<void> {
  for (const chunk of chunks) await stream.write(chunk)
  await stream.end()
}

async function failureOrEnd(stream: ByteStream): Promise<string> {
  try {
    await readAll(stream)
    return 'end'
  } catch (error) {
    return (error as { code: string }).code
  }
}

function makeBytes(length: number): Bytes {
  return Uint8Array.from({ length }, (_, index) => (index * 31 + (index >> 8)) & 0xff)
}

function hash(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
