import { once } from 'node:events'
import { request } from 'node:http'
import { connect, createServer, type AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import { afterEach, describe, expect, it, vi } from 'vitest'
import WebSocket, { WebSocketServer } from 'ws'
import { concat, fromText } from '../../core/bytes.ts'
import { MultiServer } from '../../core/multiserver.ts'
import type { ByteStream, Bytes } from '../../core/types.ts'
import memory from '../../plugs/memory.ts'
import ws, { type WsOptions } from '../../plugs/ws.ts'
import { failure } from '../support/failure.ts'
import { dial, listen, nextAccepted, type Listening } from '../support/listening.ts'

const interfaces = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
const outside = interfaces
  .filter(({ internal, address }) => !internal && !address.startsWith('fe80'))
  .map(({ address }) => address)
const hasIPv6 = interfaces.some(({ address }) => address === '::1')
const open: (() => unknown)[] = []

afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
  await vi.waitFor(() => expect(countSockets()).toBe(0))
})

describe('the address of ws', () => {
  it('opens no port with listen: false, and prints no address', async () => {
    const ms = MultiServer([memory({ name: 'beside ws' }), ws({ listen: false, port: 1234 })])
    const close = ms.server(() => undefined)
    await close.listening
    expect(ms.stringify()).toBe('memory:beside ws')
    expect(ms.status().stacks[1]).toMatchObject({ name: 'ws', state: 'dials only' })
    await close()
  })

  it.each([
    'ws://localhost',
    'ws://localhost:8989',
    'ws://localhost:8989/',
    'ws://[::1]:8989/path?query=1',
    'wss://example.com',
    'wss://example.com:8443/prefix/path',
    'ws://192.0.2.1',
  ])('%s can be dialed', (section) => {
    expect(ws().parse(section)).not.toBeNull()
  })

  it.each([
    'ws',
    'ws:',
    'ws:localhost:8989',
    'ws:///path',
    'ws://',
    'ws://host:99999',
    'ws://user@host',
    'ws://user:word@host',
    'ws://host#fragment',
    'ws://a b',
    'http://host',
    'wsx://host',
    'net:host:80',
  ])('%s is none', (section) => {
    expect(ws().parse(section)).toBeNull()
  })

  it('keeps its path and query on the way to the server', async () => {
    const server = await startPlain()
    const seen = once(server, 'connection')
    const stream = await dial(ws(), `ws://127.0.0.1:${portOf(server)}/a/path?query=1`)
    const [, { url }] = (await seen) as [WebSocket, { url: string }]
    expect(url).toBe('/a/path?query=1')
    expect(stream.info?.address).toBe(`ws://127.0.0.1:${portOf(server)}/a/path?query=1`)
    stream.abort()
  })

  it.skipIf(!hasIPv6)('has IPv6 in brackets, as it prints it', async () => {
    const listening = await start({ host: '::1' })
    const [address = ''] = listening.listener.addresses('device')
    expect(address).toBe(`ws://[::1]:${listening.port}`)
    const stream = await dial(ws(), address)
    expect((await nextAccepted(listening)).info?.address).toMatch(/^ws:\/\/\[::1\]:\d+$/)
    stream.abort()
  })
})

describe('listening', () => {
  it('binds loopback only by default', async () => {
    const listening = await start()
    expect(listening.listener.addresses('device')).toEqual([`ws://localhost:${listening.port}`])
    expect(listening.listener.addresses('public')).toEqual([])
    for (const host of outside) {
      const place = host.includes(':') ? `[${host}]` : host
      expect(await failure(dial(ws(), `ws://${place}:${listening.port}`))).toMatchObject({
        code: 'CONNECT_FAILED',
        message: expect.stringContaining('ECONNREFUSED'),
      })
    }
  })

  it('prints external hosts for public', async () => {
    const external = ['a.example', '2001:db8::1']
    const { listener, port } = await start({ scope: ['device', 'public'], external, host: '127.0.0.1' })
    expect(listener.addresses('public')).toEqual([`ws://a.example:${port}`, `ws://[2001:db8::1]:${port}`])
    expect(listener.addresses('device')).toEqual([`ws://127.0.0.1:${port}`])
  })

  it('lets the system choose the port for 0 and for none', async () => {
    for (const options of [{}, { port: 0 }]) {
      expect(ws(options).addresses('device')).toEqual([])
      expect((await start(options)).port).toBeGreaterThan(0)
    }
    expect(ws({ port: 8989 }).addresses('device')).toEqual(['ws://localhost:8989'])
  })

  it('says LISTEN_FAILED when the port is taken, and gives it back when closed', async () => {
    const { listener, port } = await start()
    expect(await failure(listen(ws({ port })))).toMatchObject({
      code: 'LISTEN_FAILED',
      cause: { code: 'EADDRINUSE' },
    })
    await listener.close()
    await start({ port })
  })

  it('answers 426 to a plain request', async () => {
    const { port } = await start()
    const [response] = (await once(request({ port, host: '127.0.0.1' }).end(), 'response')) as [
      { statusCode: number; resume(): void },
    ]
    expect(response.statusCode).toBe(426)
    response.resume()
  })

  it('refuses a broken upgrade without going down', async () => {
    const listening = await start()
    const socket = connect(listening.port, '127.0.0.1')
    socket.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n')
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 400/)
    socket.destroy()
    ;(await dial(ws(), `ws://127.0.0.1:${listening.port}`)).abort()
  })

  it('closes what does not ask for its upgrade within the deadline of a handshake, and nothing else', async () => {
    const quick = await importWithHandshakeTimeout(200)
    const listening = await start({}, quick)
    const stream = await dial(ws(), `ws://127.0.0.1:${listening.port}`)
    const accepted = await nextAccepted(listening)
    const from = performance.now()
    const [silent, slow] = ['', 'GET / HTTP/1.1\r\nhost: x\r\nupgrade: webs'].map((said) => {
      const socket = connect(listening.port, '127.0.0.1').resume()
      socket.on('error', () => undefined)
      if (said !== '') socket.write(said)
      return once(socket, 'close')
    })
    await Promise.all([silent, slow])
    expect(performance.now() - from).toBeGreaterThanOrEqual(190)
    await stream.write(fromText('still here'))
    expect(await accepted.read()).toEqual(fromText('still here'))
    stream.abort()
  })

  it('closes connections that never became a WebSocket', async () => {
    const { listener, port } = await start()
    const silent = connect(port, '127.0.0.1')
    await once(silent, 'connect')
    const halfway = connect(port, '127.0.0.1')
    halfway.write('GET / HTTP/1.1\r\nhost: x\r\n')
    const warm = await dial(ws(), `ws://127.0.0.1:${port}`)
    const closed = Promise.all(
      [silent, halfway].map((socket) =>
        once(
          socket.on('error', () => undefined),
          'close',
        ),
      ),
    )
    await listener.close()
    await closed
    // One that did goes on.
    await warm.write(fromText('x'))
    warm.abort()
  })
})

describe('dialing', () => {
  it('says CONNECT_FAILED with the cause where nobody listens', async () => {
    const { listener, port } = await start()
    await listener.close()
    expect(await failure(dial(ws(), `ws://127.0.0.1:${port}`))).toMatchObject({
      code: 'CONNECT_FAILED',
      cause: { code: 'ECONNREFUSED' },
    })
  })

  it('says CONNECT_FAILED where no WebSocket is spoken', async () => {
    const server = createServer((socket) => socket.resume().end('HTTP/1.1 200 OK\r\n\r\n'))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    open.push(() => server.close())
    const { port } = server.address() as AddressInfo
    expect(await failure(dial(ws(), `ws://127.0.0.1:${port}`))).toMatchObject({ code: 'CONNECT_FAILED' })
  })

  it.each(['before it began', 'while it opens'])('leaves no socket when it is aborted %s', async (when) => {
    // It accepts and never answers.
    const sockets = new Set<{ destroy(): void }>()
    const server = createServer((socket) => sockets.add(socket))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    open.push(() => {
      for (const socket of sockets) socket.destroy()
      server.close()
    })
    const { port } = server.address() as AddressInfo
    const controller = new AbortController()
    if (when === 'before it began') controller.abort()
    const dialing = failure(dial(ws(), `ws://127.0.0.1:${port}`, controller.signal))
    if (when === 'while it opens') {
      await once(server, 'connection')
      controller.abort()
    }
    expect(await dialing).toMatchObject({ code: 'ABORTED' })
    for (const socket of sockets) socket.destroy()
  })
})

describe('a connection over ws', () => {
  it.each([
    ['without a code, as 3.8.2 closes', undefined],
    ['with 1000', 1000],
  ])('ends cleanly when the peer closes %s', async (_how, code) => {
    const { stream, peer } = await dialPlain()
    peer.send(Buffer.from('last words'))
    peer.close(code)
    expect(await readAll(stream)).toEqual(fromText('last words'))
    await stream.closed
  })

  it.each([1001, 1011, 3000, 4000])('is CONNECTION_LOST when the peer closes with %i', async (code) => {
    const { stream, peer } = await dialPlain()
    peer.send(Buffer.from('before'))
    peer.close(code)
    expect(await stream.read()).toEqual(fromText('before'))
    expect(await failure(stream.read())).toMatchObject({
      code: 'CONNECTION_LOST',
      message: expect.stringContaining(String(code)),
    })
    expect(await failure(stream.write(fromText('x')))).toMatchObject({ code: 'CONNECTION_LOST' })
    await stream.closed
  })

  it('is CONNECTION_LOST when the socket is cut', async () => {
    const { stream, peer } = await dialPlain()
    peer.terminate()
    expect(await failure(stream.read())).toMatchObject({ code: 'CONNECTION_LOST' })
    await stream.closed
  })

  it('is PROTOCOL when the peer sends text', async () => {
    const { stream, peer } = await dialPlain()
    peer.send('text')
    expect(await failure(stream.read())).toMatchObject({ code: 'PROTOCOL' })
    await stream.closed
  })

  it.each([
    [999, 'read'],
    [1000, 'read'],
    [1001, 'refused'],
  ])('with maxMessageBytes of 1000, a message of %i is %s, on both sides', async (length, outcome) => {
    const options = { maxMessageBytes: 1000 }
    const { stream: dialed, peer: server } = await dialPlain(options)
    const listening = await start(options)
    const client = new WebSocket(`ws://127.0.0.1:${listening.port}`)
    client.on('error', () => undefined)
    await once(client, 'open')
    const served = await nextAccepted(listening)
    for (const [stream, peer] of [
      [dialed, server],
      [served, client],
    ] as const) {
      peer.send(new Uint8Array(length))
      if (outcome === 'read') expect(await stream.read()).toHaveLength(length)
      else expect(await failure(stream.read())).toMatchObject({ code: 'CONNECTION_LOST' })
      stream.abort()
    }
    client.terminate()
  })

  it('delivers what was queued before the peer closed, however slow the reader', async () => {
    const { stream, peer } = await dialPlain()
    const bytes = new Uint8Array(100_000).map((_, at) => at & 0xff)
    for (let count = 0; count < 30; count++) peer.send(bytes)
    peer.close()
    await new Promise((resolve) => setImmediate(resolve))
    const received = await readAll(stream)
    expect(received).toHaveLength(3_000_000)
    expect(received.subarray(2_900_000)).toEqual(bytes)
    await stream.closed
  })

  it('delivers what it wrote before its end', async () => {
    const { stream, peer } = await dialPlain()
    const chunks: Buffer[] = []
    peer.on('message', (data: Buffer) => chunks.push(data))
    const closed = once(peer, 'close')
    const bytes = new Uint8Array(500_000).fill(3)
    await stream.write(bytes)
    await stream.end()
    const [code] = (await closed) as [number]
    expect(code).toBe(1000)
    expect(Buffer.compare(Buffer.concat(chunks), bytes)).toBe(0)
    await readAll(stream)
    await stream.closed
  })

  it('sends large chunks in messages that any receiver takes', async () => {
    const { stream, peer } = await dialPlain()
    const sizes: number[] = []
    peer.on('message', (data: Buffer) => sizes.push(data.length))
    await stream.write(new Uint8Array(300_000))
    await vi.waitFor(() => expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(300_000))
    expect(Math.max(...sizes)).toBeLessThanOrEqual(128 * 1024)
    stream.abort()
  })

  it.each([
    ['shs', 16 * (4096 + 34)],
    ['shs2', 4 * (16_384 + 34)],
  ])('sends a batch of frames of %s, %i bytes, in one message', async (_name, batchBytes) => {
    const { stream, peer } = await dialPlain()
    const message = once(peer, 'message')
    await stream.write(new Uint8Array(batchBytes))
    const [data] = (await message) as [Buffer]
    expect(data).toHaveLength(batchBytes)
    stream.abort()
  })

  it('goes from one MultiServer to another, and leaves nothing open', async () => {
    const server = MultiServer([ws()])
    const close = server.server(async (connection) => {
      for await (const chunk of connection) await connection.write(chunk)
    })
    await close.listening
    const connection = await MultiServer([ws()]).client(server.stringify())
    await connection.write(fromText('echo'))
    expect(await connection.read()).toEqual(fromText('echo'))
    await connection.close()
    await close()
    expect(connection.error).toBeUndefined()
  })
})

async function start(options: WsOptions = {}, plug = ws): Promise<Listening> {
  const listening = await listen(plug(options))
  open.push(async () => {
    await listening.listener.close()
    for (const stream of listening.accepted) stream.abort()
  })
  return listening
}

/** The plug as it is with another deadline: its own is too long for a test. */
async function importWithHandshakeTimeout(timeoutMs: number): Promise<typeof ws> {
  vi.resetModules()
  vi.doMock('../../core/limits.ts', async (importOriginal) => {
    const { limits } = await importOriginal<typeof import('../../core/limits.ts')>()
    return { limits: { ...limits, handshake: { ...limits.handshake, timeoutMs } } }
  })
  const { ws: plug } = await import('../../plugs/ws.ts')
  vi.doUnmock('../../core/limits.ts')
  return plug
}

/** A server of the package ws, without us. */
async function startPlain(): Promise<WebSocketServer> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  open.push(() => {
    for (const client of server.clients) client.terminate()
    server.close()
  })
  return server
}

function portOf(server: WebSocketServer): number {
  return (server.address() as AddressInfo).port
}

async function dialPlain(options: WsOptions = {}): Promise<{ stream: ByteStream; peer: WebSocket }> {
  const server = await startPlain()
  const connecting = once(server, 'connection')
  const stream = await dial(ws(options), `ws://127.0.0.1:${portOf(server)}`)
  const [peer] = (await connecting) as [WebSocket]
  peer.on('error', () => undefined)
  open.push(() => stream.abort())
  return { stream, peer }
}

async function readAll(stream: ByteStream): Promise<Bytes> {
  const chunks: Bytes[] = []
  for (let chunk = await stream.read(); chunk !== null; chunk = await stream.read()) chunks.push(chunk)
  return concat(...chunks)
}

function countSockets(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind.startsWith('TCP')).length
}
