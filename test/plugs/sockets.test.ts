import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { MultiserverError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { listenHosts } from '../../plugs/listen-hosts.ts'
import { listenOnHosts } from '../../plugs/listen-sockets.ts'
import { SocketStream } from '../../plugs/socket-stream.ts'
import { WebSocketStream } from '../../plugs/websocket-stream.ts'
import type { WebSocketHandlers, WebSocketLike } from '../../plugs/websocket.ts'
import { failure } from '../support/failure.ts'

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
})

describe('SocketStream', () => {
  it('reads plain byte arrays, not Buffers', async () => {
    const [near, far] = await socketPair()
    far.write('x')
    const chunk = await new SocketStream(near).read()
    expect(chunk?.constructor).toBe(Uint8Array)
  })

  it('stops the socket while nobody reads, and starts it again', async () => {
    const [near, far] = await socketPair()
    const stream = new SocketStream(near)
    far.write(new Uint8Array(8_000_000))
    await vi.waitFor(() => expect(near.isPaused()).toBe(true))
    far.end()
    let length = 0
    for (let chunk = await stream.read(); chunk !== null; chunk = await stream.read()) length += chunk.length
    expect(length).toBe(8_000_000)
  })

  it('gives what had come before a reset, then CONNECTION_LOST with the cause', async () => {
    const [near, far] = await socketPair()
    const stream = new SocketStream(near)
    far.write('before')
    await vi.waitFor(() => expect(near.bytesRead).toBe(6))
    far.resetAndDestroy()
    await stream.closed
    expect(Buffer.from((await stream.read()) ?? []).toString()).toBe('before')
    expect(await failure(stream.read())).toMatchObject({
      code: 'CONNECTION_LOST',
      cause: { code: 'ECONNRESET' },
    })
    expect(await failure(stream.end())).toMatchObject({ code: 'CONNECTION_LOST' })
  })

  it('resets the connection when it is aborted, so that the peer sees no clean end', async () => {
    const [near, far] = await socketPair()
    const peer = new SocketStream(far)
    new SocketStream(near).abort()
    expect(await failure(peer.read())).toMatchObject({ code: 'CONNECTION_LOST' })
  })
})

describe('WebSocketStream over a socket that can not be paused, as in a browser', () => {
  const most = limits.connection.unpausableReceiveBytes

  it('keeps what arrives unread up to a limit, and is RECEIVE_OVERFLOW beyond', async () => {
    const { stream, handlers, terminate } = acceptUnpausable()
    const half = new Uint8Array(most / 2 - 1024)
    handlers().onMessage(half)
    handlers().onMessage(half)
    expect(terminate).not.toHaveBeenCalled()
    handlers().onMessage(half)
    expect(terminate).toHaveBeenCalledOnce()
    expect(await failure(stream.read())).toMatchObject({ code: 'RECEIVE_OVERFLOW' })
  })

  it('takes any amount while somebody reads', async () => {
    const { stream, handlers, terminate } = acceptUnpausable()
    for (let total = 0; total <= most * 2; total += most / 4) {
      handlers().onMessage(new Uint8Array(most / 4))
      expect(await stream.read()).toHaveLength(most / 4)
    }
    expect(terminate).not.toHaveBeenCalled()
  })
})

function acceptUnpausable() {
  let handlers: WebSocketHandlers | undefined
  const terminate = vi.fn()
  const socket: WebSocketLike = {
    send: () => Promise.resolve(),
    queuedBytes: 0,
    isStranded: false,
    seesPings: false,
    close: () => undefined,
    terminate,
    on: (given) => (handlers = given),
  }
  const stream = WebSocketStream.accept(socket, {})
  return {
    stream,
    terminate,
    handlers: () => {
      if (handlers === undefined) throw new Error('nobody listens to the socket')
      return handlers
    },
  }
}

describe('the hosts that a scope binds and prints', () => {
  it('are loopback alone by default', () => {
    expect(listenHosts({}).bind()).toEqual(['localhost'])
    expect(listenHosts({}).print('device')).toEqual(['localhost'])
    expect(listenHosts({}).print('local')).toEqual([])
  })

  it('are every interface for public', () => {
    expect(listenHosts({ scope: 'public' }).bind()).toEqual([undefined])
    expect(listenHosts({ scope: ['device', 'local', 'public'] }).bind()).toEqual([undefined])
  })

  it('are loopback and the private ones for local, never a link-local one', () => {
    const hosts = listenHosts({ scope: ['device', 'private'] })
    expect(hosts.bind()).toEqual(['localhost', ...hosts.print('local')])
    expect(hosts.print('local').filter((host) => /^fe80/i.test(host))).toEqual([])
  })

  it.each(['0.0.0.0', '::', ''])('print no wildcard for the host %j', (host) => {
    expect(listenHosts({ host }).bind()).toEqual([host])
    expect(listenHosts({ host }).print('device')).toEqual(['localhost'])
  })

  it('are the host given, whatever the scope', () => {
    const hosts = listenHosts({ host: '192.0.2.1', scope: ['local', 'public'], external: 'x.example' })
    expect(hosts.bind()).toEqual(['192.0.2.1'])
    expect(hosts.print('device')).toEqual([])
    expect(hosts.print('local')).toEqual(['192.0.2.1'])
    expect(hosts.print('public')).toEqual(['x.example'])
  })
})

describe('listenOnHosts', () => {
  it('binds every host on one port', async () => {
    const hosts = ['127.0.0.1', '127.0.0.2']
    const listening = await listenOnHosts(
      () => createServer(),
      hosts,
      0,
      () => undefined,
    )
    open.push(listening.close)
    for (const host of hosts) {
      const socket = connect({ host, port: listening.port })
      await new Promise((resolve) => socket.once('connect', resolve))
      socket.destroy()
    }
  })

  it('leaves nothing bound when one host fails', async () => {
    const servers: ReturnType<typeof createServer>[] = []
    const makeServer = () => {
      const server = createServer()
      servers.push(server)
      return server
    }
    const error = await failure(listenOnHosts(makeServer, ['127.0.0.1', '192.0.2.1'], 0, () => undefined))
    expect(error).toMatchObject({ code: 'LISTEN_FAILED', message: expect.stringContaining('192.0.2.1') })
    expect(servers.map((server) => server.listening)).toEqual([false, false])
  })

  it('tells of errors that come later', async () => {
    const onError = vi.fn()
    const server = createServer()
    const listening = await listenOnHosts(() => server, ['127.0.0.1'], 0, onError)
    open.push(listening.close)
    const later = new MultiserverError('CONNECTION_LOST', 'EMFILE')
    server.emit('error', later)
    expect(onError.mock.calls).toEqual([[later]])
  })
})

async function socketPair(): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const accepting = new Promise<Socket>((resolve) => server.once('connection', resolve))
  const near = connect({ host: '127.0.0.1', port, allowHalfOpen: true })
  const far = await accepting
  if (near.connecting) await once(near, 'connect')
  far.on('error', () => undefined)
  server.close()
  open.push(
    () => near.destroy(),
    () => far.destroy(),
  )
  return [near, far]
}
