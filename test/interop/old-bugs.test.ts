import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { MultiserverError } from '../../core/errors.ts'
import { MultiServer, type Connection } from '../../core/multiserver.ts'
import { keysFromSeed, keyToString } from '../../plugs/keys.ts'
import net from '../../plugs/net.ts'
import noauth from '../../plugs/noauth.ts'
import shs, { type ShsOptions } from '../../plugs/shs/index.ts'
import unix from '../../plugs/unix.ts'
import ws from '../../plugs/ws.ts'
import { deferred } from '../support/deferred.ts'
import { failure } from '../support/failure.ts'
import { lowOrderChallenge, lowOrderPoints } from '../support/low-order.ts'

/* What multiserver 3.8.2 gets wrong, tried on this one over sockets. `test/compat/bugs.test.ts` does it on compat. */

const appKey = Buffer.alloc(32, 42)
const keys = {
  server: await keysFromSeed(new Uint8Array(32).fill(21)),
  client: await keysFromSeed(new Uint8Array(32).fill(22)),
}
/** Addresses of this machine that others can reach; a link-local one needs more than its text. */
const outside = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .filter(({ internal, address }) => !internal && !address.startsWith('fe80'))
  .map(({ address }) => address)
const open: (() => unknown)[] = []

afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
})

describe('a server', () => {
  it.each(lowOrderPoints)('survives a hello of 64 bytes with the low-order key %i', async (point) => {
    const { ms, port, errors } = await listen()
    const socket = await connectTo(port)
    socket.write(lowOrderChallenge(appKey, point))
    await gone(socket)
    expect(errors).toMatchObject([{ code: 'HANDSHAKE_FAILED' }])
    await expectEcho(ms)
  })

  it('hangs up on a byte now and then, when its time is up', async () => {
    const { port, errors } = await listen({ handshakeTimeoutMs: 200 })
    const socket = await connectTo(port)
    const dripping = setInterval(() => socket.write('x'), 20)
    await gone(socket)
    clearInterval(dripping)
    expect(errors).toMatchObject([{ code: 'TIMEOUT' }])
  })

  it.each<[string, ShsOptions['auth']]>([
    ['never answers', () => new Promise(() => undefined)],
    ['never calls back', (_key, _callback) => undefined],
    [
      'throws',
      () => {
        throw new Error('a bug in auth')
      },
    ],
  ])('refuses a client when auth %s', async (_what, auth) => {
    const { ms, errors } = await listen({ auth, authTimeoutMs: 200 })
    expect(await failure(ms.client(ms.stringify()))).toMatchObject({ code: 'DIAL_FAILED' })
    await vi.waitFor(() => expect(errors).toMatchObject([{ code: 'AUTH_REFUSED' }]))
  })

  it('closes while a connection is open, which ends', async () => {
    const { ms, close } = await listen()
    const connection = await ms.client(ms.stringify())
    const reading = connection.read()
    await Promise.all([close(), reading.then(() => connection.close())])
    expect(await reading).toBeNull()
  })

  it.each([
    ['net', () => net({ scope: ['device'] })],
    ['ws', () => ws()],
  ])('for this device is not reached from the network: %s', async (_name, make) => {
    const ms = MultiServer([make()])
    const port = await start(ms)
    for (const host of outside) {
      await expect(once(connect({ host, port }), 'connect')).rejects.toThrow('ECONNREFUSED')
    }
  })

  it('on a unix socket listens beside another of the same process', async () => {
    for (const ms of [MultiServer([unix()]), MultiServer([unix()])]) {
      await start(ms)
      await expectEcho(ms)
    }
  })
})

describe('a client', () => {
  it.each(lowOrderPoints)('survives a server that answers with the low-order key %i', async (point) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.end(lowOrderChallenge(appKey, point))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    open.push(() => server.close())
    const { port } = server.address() as AddressInfo
    const error = await failure(create().client(`net:127.0.0.1:${port}~${section()}`))
    expect(error.attempts).toMatchObject([{ code: 'HANDSHAKE_FAILED' }])
  })

  it('never sends plaintext to an address with a key, whatever stack comes first', async () => {
    const { ms } = await listen()
    const client = MultiServer([
      [net({ listen: false }), noauth()],
      [net({ listen: false }), shs({ keys: keys.client, appKey })],
    ])
    const connection = await client.client(ms.stringify())
    expect(connection.remote).toEqual(keys.server.publicKey)
    await connection.close()
  })

  it.each([
    ['no section for shs', (address: string) => address.replace(/~.*/, '')],
    ['a section too many', (address: string) => `${address}~gzip`],
  ])('is not connected to an address with %s', async (_what, edit) => {
    const { ms } = await listen()
    const address = edit(ms.stringify())
    const callback = vi.fn()
    const abort = create().client(address, callback)
    await vi.waitFor(() =>
      expect(callback.mock.calls).toEqual([[expect.objectContaining({ code: 'NO_STACK_FITS' })]]),
    )
    abort()
  })

  it('can be aborted, and calls back once, connected or not', async () => {
    const { ms } = await listen()
    const connected = deferred<Connection>()
    const callback = vi.fn((_error: Error | null, connection?: Connection) => {
      if (connection !== undefined) connected.resolve(connection)
    })
    const abort = ms.client(ms.stringify(), callback)
    const connection = await connected.promise
    abort()
    await connection.close()
    expect(callback).toHaveBeenCalledTimes(1)

    const stopped = deferred<Error | null>()
    const late = vi.fn((error: Error | null) => stopped.resolve(error))
    ms.client(ms.stringify(), late)()
    expect(await stopped.promise).toMatchObject({ code: 'ABORTED' })
    expect(late).toHaveBeenCalledTimes(1)
  })
})

function create(options: ShsOptions = {}) {
  return MultiServer([[net(), shs({ keys: keys.server, appKey, ...options })]])
}

function section(): string {
  return `shs:${keyToString(keys.server.publicKey)}`
}

/** A server of net~shs that sends back what it gets. */
async function listen(options?: ShsOptions) {
  const ms = create(options)
  const errors: MultiserverError[] = []
  const close = ms.server(echo, (error) => errors.push(error))
  open.push(() => close())
  await close.listening
  return { ms, close, errors, port: portOf(ms.stringify()) }
}

async function start(ms: ReturnType<typeof MultiServer>): Promise<number> {
  const close = ms.server(echo)
  open.push(() => close())
  await close.listening
  return portOf(ms.stringify())
}

async function echo(connection: Connection): Promise<void> {
  for await (const chunk of connection) await connection.write(chunk)
  await connection.close()
}

async function expectEcho(ms: ReturnType<typeof MultiServer>): Promise<void> {
  const connection = await ms.client(ms.stringify())
  await connection.write(Uint8Array.of(1, 2, 3))
  expect(await connection.read()).toEqual(Uint8Array.of(1, 2, 3))
  await connection.close()
}

async function connectTo(port: number): Promise<Socket> {
  const socket = connect({ host: 'localhost', port })
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

/** The server has let it go, by an end or by a reset. */
function gone(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.resume().once('close', () => resolve()))
}

function portOf(address: string): number {
  return Number(/:(\d+)(~|$)/.exec(address)?.[1])
}
