import { connect, createServer, type AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import { once } from 'node:events'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { limits } from '../../core/limits.ts'
import { Compose } from '../../compat/compose.ts'
import { MultiServer } from '../../compat/index.ts'
import { Net } from '../../compat/plugins/net.ts'
import { Noauth } from '../../compat/plugins/noauth.ts'
import { Shs } from '../../compat/plugins/shs.ts'
import { UnixSocket } from '../../compat/plugins/unix-socket.ts'
import { Ws } from '../../compat/plugins/ws.ts'
import type { Close, Stack, Stream, StreamError } from '../../compat/types.ts'
import { deferred } from '../support/deferred.ts'
import { lowOrderChallenge, lowOrderPoints } from '../support/low-order.ts'
import {
  appKey,
  ask,
  createStack,
  dial,
  echoInCapitals,
  freePort,
  keys,
  serverShs,
  start,
  stop,
} from './setup.ts'

const open: Close[] = []

afterEach(async () => {
  await Promise.all(open.splice(0).map(stop))
})

type Listens = Parameters<typeof start>

async function listen(...parts: Listens): Promise<void> {
  open.push(await start(...parts))
}

const ignore = () => undefined

it('an address with shs never connects through a stack with noauth', async () => {
  const port = await freePort()
  await listen(createStack('net', port), echoInCapitals)
  const noauth = Noauth({ keys: keys.client })
  const client = MultiServer([
    [Net(), noauth],
    [Net(), serverShs({ keys: keys.client })],
  ])
  const stream = await dial(client, createStack('net', port).stringify())
  expect(stream.remote).toEqual(keys.server.publicKey)
  expect(await ask(stream, 'secret')).toBe('SECRET')
  expect(noauth.parse('')).toBeNull()
})

it.each([
  ['net with a list of scopes', (port: number) => Net({ port, scope: ['device'] })],
  ['ws', (port: number) => Ws({ port })],
])('%s for this device is not reached from the network', async (_name, create) => {
  const port = await freePort()
  await listen(Compose([create(port), serverShs()]), echoInCapitals)
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  for (const { address, scopeid } of addresses.filter(({ internal }) => !internal)) {
    const socket = connect({ host: scopeid ? `${address}%${scopeid}` : address, port })
    await expect(once(socket, 'connect')).rejects.toThrow()
  }
})

it('an address without a section for every transform is refused', async () => {
  const port = await freePort()
  await listen(createStack('net', port), echoInCapitals)
  const stack = createStack('net')
  expect(stack.parse(`net:localhost:${port}`)).toBeNull()
  await expect(dial(stack, `net:localhost:${port}`)).rejects.toThrow('could not parse address')
  await expect(dial(MultiServer([stack]), `net:localhost:${port}`)).rejects.toThrow('only know:net~shs')
})

it('an address with a section too many goes to the callback as an error', async () => {
  const stack = createStack('net', 4848)
  const address = `${stack.stringify()}~gzip`
  expect(stack.parse(address)).toBeNull()
  await expect(dial(stack, address)).rejects.toThrow('could not parse address')
  await expect(dial(MultiServer([stack]), address)).rejects.toThrow('could not connect to')
})

it.each(['', 'shs', 'shs:short', 'net', '~', 'NET:h:1~shs'])(
  'the odd address "%s" is an error and no crash',
  async (address) => {
    const stack = createStack('net', 4848)
    expect(stack.parse(address)).toBeNull()
    await expect(dial(MultiServer([stack]), address)).rejects.toThrow('could not connect to')
    expect(Shs({ keys: keys.server, appKey }).parse(address)).toBeNull()
  },
)

it('two unix sockets of one process both listen, and both close', async () => {
  for (const stack of [Compose([UnixSocket(), serverShs()]), Compose([UnixSocket(), serverShs()])]) {
    await listen(stack, echoInCapitals)
    expect(await ask(await dial(stack, stack.stringify('device')), 'hello')).toBe('HELLO')
  }
})

it('client gives a function that aborts, also of several stacks', async () => {
  const multi = MultiServer([createStack('net', await freePort())])
  await listen(multi, ignore, ignore)
  const onClient = vi.fn()
  multi.client(multi.stringify(), onClient)()
  expect(onClient).toHaveBeenCalledExactlyOnceWith(expect.any(Error))
})

it('aborting what is connected ends it, and calls back no second time', async () => {
  const stack = createStack('net', await freePort())
  const accepted = deferred<Stream>()
  await listen(stack, accepted.resolve)
  const connected = deferred<Stream>()
  const onClient = vi.fn((_error: StreamError | null, stream?: Stream) => stream && connected.resolve(stream))
  const abort = stack.client(stack.stringify() ?? '', onClient)
  const stream = await connected.promise
  abort()
  const ended = deferred<unknown>()
  stream.source(null, ended.resolve)
  expect(await ended.promise).toBeTruthy()
  expect(onClient).toHaveBeenCalledTimes(1)
})

it.each(['net', 'ws', 'unix'] as const)(
  'closing %s calls back while a connection is open',
  async (transport) => {
    const stack = createStack(transport, await freePort())
    const accepted = deferred<Stream>()
    const close = await start(stack, accepted.resolve)
    const stream = await dial(stack, stack.stringify())
    await accepted.promise
    await stop(close)
    if (transport !== 'ws') {
      // As before, what is open goes on.
      echoInCapitals(await accepted.promise)
      expect(await ask(stream, 'still here')).toBe('STILL HERE')
    }
  },
)

it.each(lowOrderPoints)('a client of shs survives a server with the low-order key %i', async (point) => {
  const server = createServer((socket) => {
    socket.on('error', ignore)
    socket.end(lowOrderChallenge(appKey, point))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const key = keys.server.publicKey.toString('base64')
  await expect(dial(createStack('net'), `net:127.0.0.1:${port}~shs:${key}`)).rejects.toThrow('phase 2')
  server.close()
})

describe('a server of shs', () => {
  it.each(lowOrderPoints)('goes on after a hello with the low-order key %i', async (point) => {
    const [stack, errors] = await listenForErrors()
    const socket = await connectTo(stack)
    socket.write(lowOrderChallenge(appKey, point))
    await expectGone(socket)
    expect(errors).toHaveLength(1)
    expect(await ask(await dial(stack, stack.stringify()), 'alive')).toBe('ALIVE')
  })

  it('hangs up on a client that sends a byte now and then', async () => {
    const [stack, errors] = await listenForErrors({ timeout: 300 })
    const socket = await connectTo(stack)
    const dripping = setInterval(() => socket.write('x'), 50)
    await expectGone(socket)
    clearInterval(dripping)
    expect(errors).toMatchObject([{ code: 'TIMEOUT', address: expect.stringMatching(/^net:.*~shs:$/) }])
  })

  it.each([
    ['never answers', () => undefined],
    [
      'throws',
      () => {
        throw new Error('a bug in auth')
      },
    ],
    ['rejects', () => Promise.reject(new Error('a bug in auth'))],
    ['returns something truthy, which is no answer', () => true],
    ['says no', (_key: unknown, callback: (error: null, auth: unknown) => void) => callback(null, false)],
  ])('refuses a client when auth %s', async (_what, auth) => {
    const [stack, errors] = await listenForErrors({ auth, timeout: 300 })
    await expect(dial(stack, stack.stringify())).rejects.toThrow()
    await vi.waitFor(() => expect(errors).toMatchObject([{ code: 'AUTH_REFUSED' }]))
  })

  it('refuses everybody when it has no auth', async () => {
    const [stack, errors] = await listenForErrors({ auth: undefined })
    await expect(dial(stack, stack.stringify())).rejects.toThrow()
    await vi.waitFor(() => expect(errors).toMatchObject([{ code: 'AUTH_REFUSED' }]))
  })

  it('takes no more handshakes at once than it has room for', async () => {
    const [stack, errors] = await listenForErrors({ timeout: 5000 })
    // Not waited for: the reset of those that are too many may be what a socket hears first.
    const sockets = Array.from({ length: limits.handshake.inFlight + 8 }, () => openTo(stack))
    await vi.waitFor(() => expect(errors).toHaveLength(8))
    expect(errors.map((error) => 'code' in error && error.code)).toEqual(errors.map(() => 'BUSY'))
    for (const socket of sockets) socket.destroy()
  })

  it('reports, when it is closed, the handshakes that were under way, and only then calls back', async () => {
    const stack = createStack('net', await freePort())
    const [accepted, errors] = [vi.fn(), [] as StreamError[]]
    const close = await start(stack, accepted, (error) => errors.push(error))
    const { host, port } = placeOf(stack)
    const socket = connect({ host, port })
    socket.on('error', ignore)
    await once(socket, 'connect')
    // The server has it too, once it has served another.
    const other = await dial(stack, stack.stringify())
    await stop(close)
    expect(errors).toMatchObject([{ address: expect.stringMatching(/^net:.*~shs:$/) }])
    other.source(true, ignore)
  })

  it('does not show its session keys', async () => {
    const [stack] = await listenForErrors()
    const stream = await dial(stack, stack.stringify())
    expect(Object.keys(stream).toSorted()).toEqual(['address', 'auth', 'meta', 'remote', 'sink', 'source'])
    await ask(stream, '')
  })
})

async function listenForErrors(
  options: Parameters<typeof serverShs>[0] = {},
): Promise<[Stack, StreamError[]]> {
  const stack = createStack('net', await freePort(), options)
  const errors: StreamError[] = []
  await listen(stack, echoInCapitals, (error) => errors.push(error))
  return [stack, errors]
}

function placeOf(stack: Stack): { host: string; port: number } {
  const [place] = stack.parse(stack.stringify() ?? '') as [{ host: string; port: number }]
  return place
}

async function connectTo(stack: Stack) {
  const socket = openTo(stack)
  await once(socket, 'connect')
  return socket
}

function openTo(stack: Stack) {
  const socket = connect(placeOf(stack))
  socket.on('error', ignore)
  return socket
}

async function expectGone(socket: ReturnType<typeof connect>): Promise<void> {
  socket.resume()
  await new Promise((resolve) => socket.once('close', resolve))
}
