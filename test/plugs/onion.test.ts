import { createServer, type AddressInfo, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { fromText } from '../../core/bytes.ts'
import { MultiServer } from '../../core/multiserver.ts'
import { generateKeys } from '../../plugs/keys.ts'
import net from '../../plugs/net.ts'
import onion, { type OnionOptions } from '../../plugs/onion.ts'
import shs from '../../plugs/shs/index.ts'
import { streamCases } from '../conformance/stream-cases.ts'
import { failure } from '../support/failure.ts'
import { freePort } from '../support/fixed-port.ts'
import { dial, listen, nextAccepted } from '../support/listening.ts'
import { hasMicrosocks, microsocks, startMicrosocks } from '../support/microsocks.ts'
import { runCases } from '../support/run-cases.ts'

const hasIPv6 = Object.values(networkInterfaces())
  .flat()
  .some((one) => one?.address === '::1')
const fine = [5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0]
const open: (() => unknown)[] = []

afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
})

describe('the address of onion', () => {
  it.each([
    'onion:abc.onion:8008',
    'onion:example.com:80',
    'onion:192.0.2.1:1',
    'onion:2001:db8::1:443',
    'onion:[::1]:1',
  ])('%s can be dialed', (section) => {
    expect(onion().parse(section)).not.toBeNull()
  })

  it.each([
    'onion',
    'onion:',
    'onion:abc.onion',
    'onion:abc.onion:0',
    'onion:abc.onion:65536',
    'net:abc.onion:1',
    `onion:${'a'.repeat(256)}:1`,
  ])('%s is none', (section) => {
    expect(onion().parse(section)).toBeNull()
  })

  it.each<[string, OnionOptions, string]>([
    ['nothing', {}, ''],
    ['one', { external: 'abc.onion:8008' }, 'onion:abc.onion:8008'],
    ['several', { external: ['abc.onion:8008', '[::1]:9'] }, 'onion:abc.onion:8008;onion:::1:9'],
    ['none for another scope', { external: 'abc.onion:8008', scope: 'private' }, ''],
  ])('prints for public %s of what is external', (_what, options, expected) => {
    const ms = MultiServer([onion(options)])
    expect(ms.stringify('public')).toBe(expected)
    expect(ms.stringify('device')).toBe('')
  })

  it.each<[string, OnionOptions]>([
    ['a proxy without a port', { proxy: 'localhost' }],
    ['an external address without a port', { external: 'abc.onion' }],
    ['an empty password', { username: 'me' }],
    ['a password too long', { username: 'me', password: 'é'.repeat(128) }],
  ])('is STACK_INVALID with %s', (_what, options) => {
    expect(() => onion(options)).toThrow(expect.objectContaining({ code: 'STACK_INVALID' }))
  })

  it('only dials, and lets other stacks listen', async () => {
    const keys = await generateKeys()
    const ms = MultiServer([
      [onion({ external: 'abc.onion:8008' }), shs({ keys })],
      [net(), shs({ keys })],
    ])
    const close = ms.server(() => undefined)
    await close.listening
    expect(ms.status().stacks.map(({ state }) => state)).toEqual(['dials only', 'listening'])
    expect(ms.stringify('public')).toMatch(/^onion:abc\.onion:8008~shs:/)
    expect(ms.stringify('device')).toMatch(/^net:/)
    await close()
  })
})

describe('dialing', () => {
  it('hands the name to the proxy, never to a resolver', async () => {
    const proxy = await startProxy((socket) => socket.once('data', () => socket.write(Uint8Array.from(fine))))
    const stream = await dial(onion({ proxy: proxy.place }), 'onion:no.such.name.invalid:8008')
    expect(stream.info?.address).toBe('onion:no.such.name.invalid:8008')
    await vi.waitFor(() => expect(Buffer.concat(proxy.heard).toString()).toContain('no.such.name.invalid'))
    stream.abort()
    await stream.closed
  })

  it.each([
    ['public', ['127.0.0.1', 'localhost', '10.0.0.1', '169.254.169.254', '2130706433']],
    ['local', ['127.0.0.1', 'localhost', '169.254.169.254']],
    ['device', ['169.254.169.254', '0.0.0.0']],
  ] as const)(
    'within reach %s goes by a proxy of this machine, and nowhere near %s',
    async (reach, hosts) => {
      const proxy = await startProxy((socket) =>
        socket.once('data', () => socket.write(Uint8Array.from(fine))),
      )
      const ms = MultiServer([onion({ proxy: proxy.place })])
      for (const host of hosts) {
        const { attempts } = await failure(ms.client(`onion:${host}:22`, { reach }))
        expect([host, attempts?.[0]?.message]).toEqual([
          host,
          expect.stringContaining(`may reach (${reach})`),
        ])
      }
      expect(proxy.sockets).toEqual([])
      const connection = await ms.client('onion:abc.onion:1', { reach })
      connection.abort()
      await connection.closed
    },
  )

  it('tries the next proxy when one is not there, none of SOCKS5, or refuses', async () => {
    const silent = await startProxy((socket) => socket.destroy())
    const http = await startProxy((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    const refusing = await startProxy((socket) => socket.end(Uint8Array.of(5, 0, 5, 4)))
    const good = await startProxy((socket) => socket.write(Uint8Array.from([...fine, 42])))
    const dead = `127.0.0.1:${await freePort()}`
    const proxy = [dead, silent.place, http.place, refusing.place, good.place]
    const stream = await dial(onion({ proxy }), 'onion:abc.onion:1')
    expect(await stream.read()).toEqual(Uint8Array.of(42))
    stream.abort()
    await stream.closed
    const error = await failure(dial(onion({ proxy: proxy.slice(0, -1) }), 'onion:abc.onion:1'))
    expect(error.code).toBe('CONNECT_FAILED')
    for (const place of proxy.slice(0, -1)) expect(error.message).toContain(place)
    expect(error.message).toContain('the proxy says: the host is unreachable')
    expect(error.message).toContain('ECONNREFUSED')
    const only = await failure(dial(onion({ proxy: http.place }), 'onion:abc.onion:1'))
    expect(only).toMatchObject({ code: 'PROTOCOL' })
  })

  it.each([
    ['says nothing', []],
    ['stops in the middle', [5, 0, 5, 0, 0]],
  ])('ends with its signal and leaves no socket when the proxy %s', async (_what, answer) => {
    const proxy = await startProxy((socket) => answer.length > 0 && socket.write(Uint8Array.from(answer)))
    const stop = new AbortController()
    const dialing = failure(
      dial(onion({ proxy: [proxy.place, proxy.place] }), 'onion:abc.onion:1', stop.signal),
    )
    await vi.waitFor(() => expect(proxy.heard.length).toBeGreaterThan(0))
    stop.abort(new Error('enough'))
    expect(await dialing).toMatchObject({ code: 'ABORTED' })
    await vi.waitFor(() => expect(proxy.sockets.every((socket) => socket.destroyed)).toBe(true))
    expect(proxy.sockets).toHaveLength(1)
  })

  it('ends with the deadline of the dial when the proxy says nothing', async () => {
    const proxy = await startProxy(() => undefined)
    const ms = MultiServer([onion({ proxy: proxy.place })])
    const error = await failure(ms.client('onion:abc.onion:1', { timeoutMs: 100 }))
    expect(error).toMatchObject({ code: 'TIMEOUT' })
    await vi.waitFor(() => expect(proxy.sockets.every((socket) => socket.destroyed)).toBe(true))
  })

  it('rejects with the reason of an abort even where bytes have come with the answer', async () => {
    const proxy = await startProxy((socket) => socket.write(Uint8Array.from([...fine, 1, 2, 3])))
    const stream = await dial(onion({ proxy: proxy.place }), 'onion:abc.onion:1')
    const reason = new Error('enough')
    stream.abort(reason)
    await expect(stream.read()).rejects.toBe(reason)
    await stream.closed
  })
})

describe.skipIf(!hasMicrosocks)(`through ${microsocks}`, () => {
  it('reaches a name, an IPv4 and an IPv6 address', async () => {
    const proxy = await startProxyOfDebian()
    for (const host of ['localhost', '127.0.0.1', ...(hasIPv6 ? ['::1'] : [])]) {
      const listening = await listen(net({ host }))
      open.push(() => listening.listener.close())
      const stream = await dial(onion({ proxy }), `onion:${host}:${listening.port}`)
      const far = await nextAccepted(listening)
      await stream.write(fromText(host))
      expect(await far.read()).toEqual(fromText(host))
      await far.write(fromText('back'))
      expect(await stream.read()).toEqual(fromText('back'))
      for (const end of [stream, far]) end.abort()
      await Promise.all([stream.closed, far.closed])
    }
  })

  it('carries shs to a server that listens with net', async () => {
    const [keys, proxy] = [await generateKeys(), await startProxyOfDebian()]
    const server = MultiServer([[net(), shs({ keys })]])
    const close = server.server(async (connection) => {
      for await (const chunk of connection) await connection.write(chunk)
      await connection.close()
    })
    open.push(close)
    await close.listening
    const client = MultiServer([[onion({ proxy }), shs({ keys: await generateKeys() })]])
    const connection = await client.client(server.stringify().replace('net:', 'onion:'))
    expect(connection.remote).toEqual(keys.publicKey)
    await connection.write(fromText('echo'))
    expect(await connection.read()).toEqual(fromText('echo'))
    await connection.close()
    expect(connection.error).toBeUndefined()
  })

  it('says in words why the proxy could not connect', async () => {
    const proxy = await startProxyOfDebian()
    const error = await failure(dial(onion({ proxy }), `onion:127.0.0.1:${await freePort()}`))
    expect(error).toMatchObject({ code: 'CONNECT_FAILED' })
    expect(error.message).toBe(`through the proxy ${proxy}: the proxy says: the connection was refused`)
  })

  it('proves itself with a username and a password', async () => {
    const proxy = await startProxyOfDebian('-u', 'user', '-P', 'secret word')
    const listening = await listen(net())
    open.push(() => listening.listener.close())
    const section = `onion:localhost:${listening.port}`
    const stream = await dial(onion({ proxy, username: 'user', password: 'secret word' }), section)
    const far = await nextAccepted(listening)
    await stream.write(fromText('let in'))
    expect(await far.read()).toEqual(fromText('let in'))
    for (const end of [stream, far]) end.abort()
    await Promise.all([stream.closed, far.closed])
    const wrong = await failure(dial(onion({ proxy, username: 'user', password: 'guess' }), section))
    expect(wrong.message).toContain('refused the user name and the password')
    const none = await failure(dial(onion({ proxy }), section))
    expect(none.message).toContain('serves nobody without a username and a password')
    expect(listening.accepted).toHaveLength(1)
  })
})

if (hasMicrosocks) {
  const { proxy, stop } = await startMicrosocks()
  afterAll(stop)
  runCases('onion as a stream, through microsocks', streamCases, {
    halfClose: false,
    backpressure: true,
    // What the proxy does when one side is reset is its affair; this one just hangs up.
    abortShows: false,
    async connect() {
      const listening = await listen(net())
      const client = await dial(onion({ proxy }), `onion:localhost:${listening.port}`)
      const server = await nextAccepted(listening)
      await listening.listener.close()
      return { client, server }
    },
  })
}

/** A proxy of which only the answer is told: what it says to whoever comes. */
async function startProxy(answer: (socket: Socket) => unknown) {
  const sockets: Socket[] = []
  const heard: Buffer[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => heard.push(chunk))
    answer(socket)
  })
  const port = await listenAnywhere(server)
  open.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { place: `127.0.0.1:${port}`, sockets, heard }
}

/** `HOST:PORT` of a microsocks of this test. */
async function startProxyOfDebian(...options: string[]): Promise<string> {
  const { proxy, stop } = await startMicrosocks(...options)
  open.push(stop)
  return proxy
}

function listenAnywhere(server: ReturnType<typeof createServer>): Promise<number> {
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)),
  )
}
