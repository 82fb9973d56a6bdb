import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import fastifyWebsocket from '@fastify/websocket'
import Fastify, { type FastifyInstance } from 'fastify'
import { describe, expect, it } from 'vitest'
import { rawSocket, upgradeRequest } from '../../../bench/hub/raw-socket.ts'
import { relayFrameBytes } from '../../../core/relay-protocol.ts'
import hub from '../../../signal-server/index.ts'
import { HubClient } from '../hub-client.ts'
import { connectTo, start } from './started.ts'

const livez = 'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n'
/** Node answers it by itself unless it is told otherwise. */
const expecting = livez.replace('\r\n\r\n', '\r\nExpect: the-unexpected\r\n\r\n')

/** Collects what it is told at WARN and above. */
function listeningLogger() {
  const lines: string[] = []
  return { lines, logger: { level: 'warn', stream: { write: (line: string) => void lines.push(line) } } }
}

async function listen(app: FastifyInstance): Promise<string> {
  await app.listen({ port: 0, host: '127.0.0.1' })
  return `ws://127.0.0.1:${(app.server.address() as AddressInfo).port}`
}

function connectionsOf(app: FastifyInstance): Promise<number> {
  return promisify(app.server.getConnections.bind(app.server))()
}

describe('an upgrade that is asked for behind a request that has no answer yet', () => {
  it.each([
    ['a request', livez],
    ['many', livez.repeat(50)],
    ['one that expects something', expecting],
  ])('ends the connection, behind %s', async (_what, before) => {
    const { lines, logger } = listeningLogger()
    const started = await start({ logger, limits: { registerMs: 60_000 } })
    const socket = rawSocket(started.url)
    socket.write(before + upgradeRequest(started.url))
    await once(socket, 'close')
    await expect.poll(() => connectionsOf(started.app)).toBe(0)
    expect(lines).toEqual([])
    await connectTo(started).next('welcome')
  })

  it.each([
    ['', async () => undefined],
    [
      ' that had WebSockets before',
      async (app: FastifyInstance) => {
        const options = { maxPayload: relayFrameBytes, perMessageDeflate: false }
        await app.register(fastifyWebsocket, { options, preClose: (done) => done() })
      },
    ],
  ])('ends it in an app of somebody else%s, which closes', async (_what, prepare) => {
    const app = Fastify()
    await prepare(app)
    app.get('/livez', () => 'mine')
    await app.register(hub, { prefix: '/hub', relay: true })
    const url = `${await listen(app)}/hub`
    const socket = rawSocket(url)
    socket.write(livez + upgradeRequest(url))
    await once(socket, 'close')
    await app.close()
  })

  it('is not taken for one that another hub of the same app has taken', async () => {
    const app = Fastify({ logger: false })
    await app.register(hub, { prefix: '/one' })
    await app.register(hub, { prefix: '/other' })
    const url = await listen(app)
    for (const prefix of ['/one', '/other']) {
      const client = new HubClient(url + prefix)
      await client.next('welcome')
      client.socket.terminate()
    }
    await app.close()
  })

  it('is upgraded when the answer has gone out', async () => {
    const started = await start({})
    const socket = rawSocket(started.url)
    socket.write(livez)
    await once(socket, 'data')
    socket.write(upgradeRequest(started.url))
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString('latin1')).toContain('101 Switching Protocols')
    socket.destroy()
  })
})

it('an upgrade that never becomes a WebSocket has as long as anything else', async () => {
  const started = await start({
    limits: { registerMs: 300 },
    extend(app) {
      app.get('/never', { config: { isHub: true }, preHandler: () => new Promise(() => {}) }, () => '')
    },
  })
  const socket = rawSocket(started.url)
  socket.write(upgradeRequest(`${started.url}/never`))
  await once(socket, 'close')
})
