import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { connect as connectTls } from 'node:tls'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { rawSocket, upgradeRequest } from '../../../bench/hub/raw-socket.ts'
import { halfOpenStages } from '../../../bench/hub/tasks/half-open.ts'
import { type RunningHub, startHub, type StartHubOptions } from '../../../signal-server/index.ts'
import { defaultLimits } from '../../../signal-server/limits.ts'
import { HubClient, testKeys } from '../hub-client.ts'
import { cert, key } from '../../support/certificate.ts'
import { start } from './started.ts'

describe.concurrent('a connection that stops short', () => {
  it.each(Object.entries(halfOpenStages))(
    'at "%s" is gone when its five seconds are over',
    async (_stage, begin) => {
      // Not `start`: what it ends after each test, other tests that run at the same time still use.
      const started = await startHub()
      try {
        const socket = rawSocket(started.url)
        await once(socket, 'connect')
        begin(socket, started.url)
        await expectClosedInTime(socket)
      } finally {
        await started.close()
      }
    },
  )

  it.each<[string, (socket: Socket) => unknown]>([
    ['before it says hello', () => undefined],
    // The first bytes of a ClientHello that says it has 512.
    [
      'in the middle of its hello',
      (socket) => socket.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01])),
    ],
    ['when the hub has answered its hello', async (socket) => socket.write(await clientHello())],
  ])('in TLS, %s, is gone when its five seconds are over', async (_stage, begin) => {
    const { started, close } = await startWithTls()
    try {
      const socket = rawSocket(started.url)
      await once(socket, 'connect')
      void begin(socket)
      await expectClosedInTime(socket)
    } finally {
      await close()
    }
  })
})

it('one that has become a WebSocket below TLS is not taken for one that stops short', async () => {
  const { started, close } = await startWithTls({ limits: { registerMs: 1_000 } })
  try {
    const peer = new HubClient(started.url, { ca: cert })
    await peer.register(testKeys(), started.hubName)
    const later = rawSocket(started.url)
    await once(later, 'close')
    peer.socket.send('{"type":"x"}')
    expect(await peer.next('error')).toMatchObject({ code: 'UNKNOWN_MESSAGE' })
    peer.socket.terminate()
  } finally {
    await close()
  }
})

async function startWithTls(
  options: StartHubOptions = {},
): Promise<{ started: RunningHub; close: () => Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'multiserver-tls-'))
  const tls = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') }
  writeFileSync(tls.certFile, cert)
  writeFileSync(tls.keyFile, key)
  const started = await startHub({ tls, hubNames: ['wss://localhost'], ...options })
  return {
    started,
    async close() {
      await started.close()
      rmSync(folder, { recursive: true })
    },
  }
}

/** What a client says first, as a server got it. */
async function clientHello(): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connectTls(server.address() as AddressInfo).on('error', () => undefined)
  const [accepted] = (await once(server, 'connection')) as [Socket]
  const [hello] = (await once(accepted, 'data')) as [Buffer]
  client.destroy()
  accepted.destroy()
  server.close()
  return hello
}

/** The hub is in this process: by as much as its event loop is late, the close may be. */
async function expectClosedInTime(socket: Socket): Promise<void> {
  const delay = monitorEventLoopDelay()
  delay.enable()
  const from = performance.now()
  await once(socket, 'close')
  const took = performance.now() - from
  delay.disable()
  expect(took).toBeGreaterThan(defaultLimits.registerMs * 0.9)
  expect(took).toBeLessThan(defaultLimits.registerMs + 1_000 + delay.max / 1e6)
}

describe('connections that have asked for nothing', () => {
  const silent = async (url: string, count: number): Promise<Socket[]> => {
    const sockets = Array.from({ length: count }, () => rawSocket(url))
    await Promise.all(sockets.map((socket) => once(socket, 'connect')))
    return sockets
  }
  /** Whether one more is served. */
  const isServed = async (url: string, from?: string): Promise<boolean> => {
    const socket = rawSocket(url, from)
    const closed = new Promise<boolean>((resolve) => socket.once('close', () => resolve(false)))
    socket.write(`GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    const data = new Promise<boolean>((resolve) => socket.once('data', () => resolve(true)))
    const served = await Promise.race([data, closed])
    socket.destroy()
    return served
  }

  it.each([
    [1, true],
    [2, true],
    [3, false],
  ])('leave room for one more of the same address beside %i of 3: %s', async (open, served) => {
    const started = await start({ limits: { socketsPerAddress: 3 } })
    const sockets = await silent(started.url, open)
    expect(await isServed(started.url)).toBe(served)
    for (const socket of sockets) socket.destroy()
  })

  it.each([
    ['come from a proxy that is listed', { trustProxy: ['127.0.0.0/8'] }],
    ['come from loopback, which is exempt', { exemptLoopback: true }],
  ])('are not counted when they %s', async (_what, options) => {
    const started = await start({ limits: { socketsPerAddress: 1 }, ...options })
    const sockets = await silent(started.url, 3)
    expect(await isServed(started.url)).toBe(true)
    for (const socket of sockets) socket.destroy()
  })

  it('do not count any more once they were served, or have become a WebSocket', async () => {
    const started = await start({ limits: { socketsPerAddress: 2, registerMs: 60_000 } })
    const kept = rawSocket(started.url)
    kept.write(`GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    await once(kept, 'data')
    const upgraded = rawSocket(started.url)
    upgraded.write(upgradeRequest(started.url))
    await once(upgraded, 'data')
    const [quiet] = await silent(started.url, 1)
    expect(await isServed(started.url)).toBe(true)
    for (const socket of [kept, upgraded, quiet]) socket?.destroy()
  })

  it('are told from each other where they come from one port to two addresses of the hub', async () => {
    const hubNames = ['ws://localhost']
    const started = await start({ host: '0.0.0.0', hubNames, limits: { socketsPerAddress: 2 } })
    // Bound, or its port would be no other's.
    const first = rawSocket(started.url, '127.0.0.1')
    await once(first, 'connect')
    const { port } = new URL(started.url)
    const from = { localAddress: '127.0.0.1', localPort: first.localPort }
    const second = connect({ host: '127.0.0.2', port: Number(port), ...from })
    await once(second, 'connect')
    expect(await isServed(started.url)).toBe(false)
    for (const socket of [first, second]) socket.destroy()
  })

  it('are all that an address keeps open: beyond its share it is served and let go, and others find room', async () => {
    const counts = { registeredPeers: 4, anonymousPeers: 4, unregisteredSockets: 2 }
    const started = await start({ limits: { socketsPerAddress: 3, ...counts } })
    const sockets: Socket[] = []
    let answers = 0
    for (let asked = 0; asked < 20; asked += 1) {
      const socket = rawSocket(started.url)
      socket.once('data', () => (answers += 1))
      socket.write(`GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n`)
      await Promise.race([once(socket, 'data'), once(socket, 'close')])
      sockets.push(socket)
    }
    expect(answers).toBe(20)
    expect(await isServed(started.url, '127.0.0.2')).toBe(true)
    for (const socket of sockets) socket.destroy()
  })
})

describe('a long answer', () => {
  const folder = mkdtempSync(join(tmpdir(), 'multiserver-page-'))
  // More than the system takes for a reader that does not read.
  const fileBytes = 24 * 2 ** 20
  writeFileSync(join(folder, 'long'), new Uint8Array(fileBytes))
  afterAll(() => rmSync(folder, { recursive: true }))

  const short = 'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n'
  const long = 'GET /long HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
  const ask = async (requests = long) => {
    const started = await start({ page: folder, limits: { registerMs: 1_000 } })
    const socket = rawSocket(started.url)
    socket.pause()
    socket.write(requests)
    const open = promisify(started.app.server.getConnections.bind(started.app.server))
    return { socket, open }
  }

  it('comes whole to a reader that needs longer than the five seconds', async () => {
    const { socket } = await ask()
    let read = 0
    let taken = 0
    socket.on('data', (chunk) => {
      read += chunk.length
      taken += chunk.length
      // The system asks for more when much of what it had is gone, which a busy machine must not take a second for.
      if (taken < 4 * 2 ** 20) return
      taken = 0
      socket.pause()
      setTimeout(() => socket.resume(), 400)
    })
    socket.resume()
    await once(socket, 'close')
    expect(read).toBeGreaterThan(fileBytes)
  })

  it.each([
    ['asks for it', long, ''],
    ['asks for it right behind something else', short + long, ''],
    ['asks for it after it was answered something else', short, long],
  ])('is cut for one that %s and does not read', async (_when, requests, more) => {
    const { socket, open } = await ask(requests)
    await once(socket, 'readable')
    socket.write(more)
    await expect.poll(open, { timeout: 10_000 }).toBe(0)
    let read = 0
    socket.on('data', (chunk) => (read += chunk.length))
    socket.resume()
    await once(socket, 'close')
    expect(read).toBeLessThan(fileBytes)
  })
})
