import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { fromText } from '../../core/bytes.ts'
import { MultiServer } from '../../core/multiserver.ts'
import memory from '../../plugs/memory.ts'
import net, { type NetOptions } from '../../plugs/net.ts'
import { failure } from '../support/failure.ts'
import { dial, listen, nextAccepted, type Listening } from '../support/listening.ts'

const outside = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .filter(({ internal, address }) => !internal && !address.startsWith('fe80'))
  .map(({ address }) => address)
const hasIPv6 = Object.values(networkInterfaces())
  .flat()
  .some((one) => one?.address === '::1')
const open: (() => unknown)[] = []

afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
  await vi.waitFor(() => expect(countSockets()).toBe(0))
})

describe('the address of net', () => {
  it('opens no port with listen: false, and prints no address', async () => {
    const ms = MultiServer([memory({ name: 'beside net' }), net({ listen: false, port: 1234 })])
    const close = ms.server(() => undefined)
    await close.listening
    expect(ms.stringify()).toBe('memory:beside net')
    expect(ms.status().stacks[1]).toMatchObject({ name: 'net', state: 'dials only' })
    await close()
  })

  it.each([
    ['net:localhost:8008'],
    ['net:192.0.2.1:1'],
    ['net:fe80::1:65535'],
    ['net:[fe80::1]:8008'],
    ['net:::1:8008'],
    ['net::8008'],
    ['net:fe80::1%eth0:8008'],
  ])('%s can be dialed', (section) => {
    expect(net().parse(section)).not.toBeNull()
  })

  it.each([
    'net',
    'net:',
    'net:8008',
    'net:host',
    'net:host:',
    'net:host:0',
    'net:host:65536',
    'net:host:123456',
    'net:host:-1',
    'net:host:0x50',
    'net:host:1e3',
    'net:host: 80',
    'net:a b:80',
    'net:host/path:80',
    'net:[::1:80',
    'nets:host:80',
    'ws://host:80',
  ])('%s is none', (section) => {
    expect(net().parse(section)).toBeNull()
  })

  it.skipIf(!hasIPv6)('takes an IPv6 address bare and in brackets', async () => {
    const listening = await start(net({ host: '::1' }))
    expect(listening.listener.addresses('device')).toEqual([`net:::1:${listening.port}`])
    for (const host of ['::1', '[::1]', '0:0:0:0:0:0:0:1']) {
      const stream = await dial(net(), `net:${host}:${listening.port}`)
      stream.abort()
    }
    await nextAccepted(listening, 3)
  })

  it('takes no host as localhost', async () => {
    const listening = await start(net())
    const stream = await dial(net(), `net::${listening.port}`)
    stream.abort()
  })
})

describe('listening', () => {
  it.each<[string, NetOptions]>([
    ['by default', {}],
    ['for device', { scope: 'device' }],
    ['for a list of device', { scope: ['device'] }],
  ])('binds loopback only %s', async (_what, options) => {
    const listening = await start(net(options))
    expect(listening.listener.addresses('device')).toEqual([`net:localhost:${listening.port}`])
    expect(listening.listener.addresses('local')).toEqual([])
    expect(listening.listener.addresses('public')).toEqual([])
    await knock('localhost', listening.port)
    for (const host of outside) {
      await expect(knock(host, listening.port)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    }
  })

  it.skipIf(outside.length === 0).each(['local', 'private'] as const)(
    'binds for %s the private addresses',
    async (scope) => {
      const listening = await start(net({ scope }))
      expect(listening.listener.addresses('device')).toEqual([])
      await knock('localhost', listening.port)
      for (const address of listening.listener.addresses('local')) {
        const stream = await dial(net(), address)
        stream.abort()
      }
    },
  )

  it.skipIf(outside.length === 0)('binds every interface for public', async () => {
    const listening = await start(net({ scope: ['device', 'public'], external: 'example.com' }))
    for (const host of ['localhost', ...outside]) await knock(host, listening.port)
  })

  it.each([
    ['one', 'example.com', ['example.com']],
    ['several', ['a.example', '2001:db8::1'], ['a.example', '2001:db8::1']],
  ])('prints %s external host for public, and no other scope', async (_what, external, hosts) => {
    const listening = await start(net({ scope: ['device', 'public'], external, host: '127.0.0.1' }))
    const { port } = listening
    expect(listening.listener.addresses('public')).toEqual(hosts.map((host) => `net:${host}:${port}`))
    expect(listening.listener.addresses('device')).toEqual([`net:127.0.0.1:${port}`])
    expect(listening.listener.addresses('local')).toEqual([])
  })

  it('prints the host that it binds, without the zone of an IPv6 address', () => {
    expect(net({ host: 'fe80::1%eth0', port: 1 }).addresses('device')).toEqual(['net:fe80::1:1'])
    expect(net({ host: '0.0.0.0', port: 1 }).addresses('device')).toEqual(['net:localhost:1'])
  })

  it('is STACK_INVALID for a scope that is none, for nothing says what it would bind', () => {
    const options = { scope: ['device', 'everywhere'] } as NetOptions
    expect(() => net(options)).toThrow(
      expect.objectContaining({ code: 'STACK_INVALID', message: expect.stringContaining('everywhere') }),
    )
    expect(net({ ...options, host: 'localhost', port: 1 }).addresses('device')).toEqual(['net:localhost:1'])
  })

  it.each(['::', '0.0.0.0', ''])(
    'prints for a host of "%s" the addresses of interfaces, and is reached at each',
    async (host) => {
      const scope = ['device', 'local', 'public'] as const
      const { listener } = await start(net({ host, scope }))
      const printed = scope.flatMap((one) => listener.addresses(one))
      const expected = outside.filter((address) => host !== '0.0.0.0' || !address.includes(':'))
      const hosts = printed.map((address) => address.replace(/^net:|:\d+$/g, ''))
      expect(hosts.toSorted()).toEqual(['localhost', ...expected].toSorted())
      for (const address of printed) (await dial(net(), address)).abort()
    },
  )

  it('lets the system choose the port for 0 and for none, and prints it only then', async () => {
    for (const options of [{}, { port: 0 }, { port: undefined }]) {
      const transport = net(options)
      expect(transport.addresses('device')).toEqual([])
      const listening = await start(transport)
      expect(listening.port).toBeGreaterThan(0)
    }
  })

  it('prints a fixed port before it listens', () => {
    expect(net({ port: 8008 }).addresses('device')).toEqual(['net:localhost:8008'])
    expect(
      MultiServer([net({ port: 8008, scope: 'public', external: 'x.example' })]).stringify('public'),
    ).toBe('net:x.example:8008')
  })

  it('says LISTEN_FAILED with the cause when the port is taken, and leaves nothing bound', async () => {
    const { port } = await start(net())
    const error = await failure(listen(net({ port })))
    expect(error).toMatchObject({ code: 'LISTEN_FAILED', cause: { code: 'EADDRINUSE' } })
    expect(error.message).toContain(String(port))
  })

  it('says LISTEN_FAILED for a host that is not of this machine', async () => {
    expect(await failure(listen(net({ host: '192.0.2.1' })))).toMatchObject({ code: 'LISTEN_FAILED' })
  })

  it('gives the port back as soon as it is closed', async () => {
    const { listener, port } = await start(net())
    await listener.close()
    await start(net({ port }))
    await listener.close()
  })

  it('tells where a stream comes from', async () => {
    const listening = await start(net({ host: '127.0.0.1' }))
    const stream = await dial(net(), `net:127.0.0.1:${listening.port}`)
    const { info } = await nextAccepted(listening)
    // This machine: not counted, for a proxy may stand for everybody.
    expect(info?.source).toBeUndefined()
    expect(info?.address).toMatch(/^net:127\.0\.0\.1:\d+$/)
    expect(stream.info?.address).toBe(`net:127.0.0.1:${listening.port}`)
  })
})

describe('dialing', () => {
  it('says CONNECT_FAILED with the cause where nobody listens', async () => {
    const { listener, port } = await start(net())
    await listener.close()
    const error = await failure(dial(net(), `net:127.0.0.1:${port}`))
    expect(error).toMatchObject({ code: 'CONNECT_FAILED', cause: { code: 'ECONNREFUSED' } })
    expect(error.message).toContain('ECONNREFUSED')
    // Of a name with several addresses Node gives one error without a message.
    expect((await failure(dial(net(), `net:localhost:${port}`))).message).toContain('ECONNREFUSED')
  })

  it('leaves no socket when it is aborted before it connects', async () => {
    const server = createServer()
    const { port } = await bind(server)
    const controller = new AbortController()
    const dialing = dial(net(), `net:127.0.0.1:${port}`, controller.signal)
    const reason = new Error('changed my mind')
    controller.abort(reason)
    expect(await failure(dialing)).toMatchObject({ code: 'ABORTED', cause: reason })
  })

  it('leaves no socket when it was aborted before it began', async () => {
    const server = createServer()
    const { port } = await bind(server)
    expect(await failure(dial(net(), `net:127.0.0.1:${port}`, AbortSignal.abort()))).toMatchObject({
      code: 'ABORTED',
    })
  })

  it('takes no notice of an abort once it is connected', async () => {
    const listening = await start(net())
    const controller = new AbortController()
    const stream = await dial(net(), `net:localhost:${listening.port}`, controller.signal)
    controller.abort()
    await stream.write(fromText('still here'))
    expect(await (await nextAccepted(listening)).read()).toEqual(fromText('still here'))
  })
})

describe('a connection over net', () => {
  it('is a clean end for a peer that has ended, and CONNECTION_LOST for one that was reset', async () => {
    const server = createServer({ allowHalfOpen: true })
    const { port } = await bind(server)
    const sockets: Socket[] = []
    server.on('connection', (socket) => sockets.push(socket.on('error', () => undefined)))
    const clean = await dial(net(), `net:127.0.0.1:${port}`)
    await vi.waitFor(() => expect(sockets).toHaveLength(1))
    sockets[0]?.end('last words')
    expect(await clean.read()).toEqual(fromText('last words'))
    expect(await clean.read()).toBeNull()
    clean.abort()
    const reset = await dial(net(), `net:127.0.0.1:${port}`)
    await vi.waitFor(() => expect(sockets).toHaveLength(2))
    sockets[1]?.resetAndDestroy()
    expect(await failure(reset.read())).toMatchObject({ code: 'CONNECTION_LOST' })
    expect(await failure(reset.write(fromText('x')))).toMatchObject({ code: 'CONNECTION_LOST' })
    await reset.closed
  })

  it('delivers what was queued before the peer closed', async () => {
    const server = createServer()
    const { port } = await bind(server)
    const bytes = new Uint8Array(1_000_000).fill(7)
    server.on('connection', (socket) => socket.end(bytes))
    const stream = await dial(net(), `net:127.0.0.1:${port}`)
    let length = 0
    for (let chunk = await stream.read(); chunk !== null; chunk = await stream.read()) length += chunk.length
    expect(length).toBe(bytes.length)
    await stream.end()
    await stream.closed
  })

  it('goes from one MultiServer to another, and leaves nothing open', async () => {
    const server = MultiServer([net()])
    const close = server.server(async (connection) => {
      for await (const chunk of connection) await connection.write(chunk)
      await connection.close()
    })
    await close.listening
    const connection = await MultiServer([net()]).client(server.stringify())
    await connection.write(fromText('echo'))
    expect(await connection.read()).toEqual(fromText('echo'))
    await connection.close()
    await close()
    expect(connection.error).toBeUndefined()
  })
})

async function start(transport: ReturnType<typeof net>): Promise<Listening> {
  const listening = await listen(transport)
  open.push(async () => {
    await listening.listener.close()
    for (const stream of listening.accepted) stream.abort()
  })
  return listening
}

async function bind(server: Server): Promise<{ port: number }> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open.push(() => server.close())
  return server.address() as AddressInfo
}

/** Connects and leaves; rejects when it is refused. */
function knock(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port })
    socket.once('error', (error: Error) =>
      reject(error instanceof AggregateError ? (error.errors[0] as Error) : error),
    )
    socket.once('connect', () => {
      socket.destroy()
      resolve()
    })
  })
}

function countSockets(): number {
  const kinds = ['TCPSocketWrap', 'TCPServerWrap', 'TCPConnectWrap', 'TCPWRAP', 'GetAddrInfoReqWrap']
  return process.getActiveResourcesInfo().filter((kind) => kinds.includes(kind)).length
}
