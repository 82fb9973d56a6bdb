import { once } from 'node:events'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { rawSocket, upgradeRequest } from '../../../bench/hub/raw-socket.ts'
import { halfOpenStages } from '../../../bench/hub/tasks/half-open.ts'
import { guardAccept } from '../../../signal-server/accept-guard.ts'
import { startHub } from '../../../signal-server/index.ts'
import { defaultLimits } from '../../../signal-server/limits.ts'
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
        const from = performance.now()
        begin(socket, started.url)
        await once(socket, 'close')
        const took = performance.now() - from
        expect(took).toBeGreaterThan(defaultLimits.registerMs * 0.9)
        expect(took).toBeLessThan(defaultLimits.registerMs + 1_000)
      } finally {
        await started.close()
      }
    },
  )

  it('in the middle of TLS is gone when its five seconds are over', async () => {
    const server = createTlsServer({ key, cert })
    guardAccept(server, { limits: defaultLimits, isProxy: () => false, exemptLoopback: false })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const socket = rawSocket(`wss://127.0.0.1:${port}`)
    await once(socket, 'connect')
    const from = performance.now()
    // The first bytes of a ClientHello that says it has 512.
    socket.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00]))
    await once(socket, 'close')
    expect(performance.now() - from).toBeLessThan(defaultLimits.registerMs + 1_000)
    server.close()
  })
})

describe('connections that have asked for nothing', () => {
  const silent = async (url: string, count: number): Promise<Socket[]> => {
    const sockets = Array.from({ length: count }, () => rawSocket(url))
    await Promise.all(sockets.map((socket) => once(socket, 'connect')))
    return sockets
  }
  /** Whether one more is served. */
  const isServed = async (url: string): Promise<boolean> => {
    const socket = rawSocket(url)
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
})
