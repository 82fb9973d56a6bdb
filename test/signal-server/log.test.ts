import { PassThrough } from 'node:stream'
import { afterEach, describe, expect, it } from 'vitest'
import { toBase64Url } from '../../core/bytes.ts'
import { type RunningHub, startHub, type StartHubOptions } from '../../signal-server/index.ts'
import { neighbourOf, networkOf } from '../../signal-server/log.ts'
import { HubClient, newId, testKeys } from './hub-client.ts'

type Line = Record<string, unknown>

const running: RunningHub[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((hub) => hub.close()))
})

async function startLogged(level: string, options: StartHubOptions = {}) {
  const stream = new PassThrough()
  const hub = await startHub({ logger: { level, stream }, trustProxy: ['127.0.0.1'], ...options })
  running.push(hub)
  /** All lines until now, and the text that they came as. */
  const read = () => {
    const text = String(stream.read() ?? '')
    const lines = text.split('\n').filter((line) => line !== '')
    return { text, lines: lines.map((line) => JSON.parse(line) as Line) }
  }
  return { hub, read }
}

describe('the network of an address', () => {
  it.each([
    ['192.0.2.77', '192.0.2.0/24'],
    ['::ffff:192.0.2.77', '192.0.2.0/24'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1::/48'],
    ['2001:db8::1', '2001:db8::/48'],
    ['fe80::1%eth0', 'fe80::/48'],
    ['127.0.0.1', '127.0.0.0/24'],
    ['no address', 'unknown'],
  ])('of %s is %s', (address, network) => {
    expect(networkOf(address)).toBe(network)
  })

  it.each([
    ['10.1.2.3', '10.1.2.3'],
    ['127.0.0.1', '127.0.0.1'],
    ['fd00::7', 'fd00::7'],
    ['8.8.8.8', '8.8.8.0/24'],
    ['2606:4700::1111', '2606:4700::/48'],
  ])('is told of a proxy unless it is near: %s as %s', (address, told) => {
    expect(neighbourOf(address)).toBe(told)
  })
})

describe('the log', () => {
  it('begins with one line that says what is on, and no secret', async () => {
    const { read } = await startLogged('info', {
      hubNames: ['wss://hub.example.com/'],
      iceServers: [{ urls: ['turn:own.example.com'], username: 'me', credential: 'hidden1' }],
      turn: { urls: ['turn:turn.example.com'], secret: 'hidden2' },
      metrics: { token: 'hidden3' },
      limits: { registeredPeers: 5 },
    })
    const { text, lines } = read()
    const started = lines.filter(({ msg }) => msg === 'the hub is up')
    expect(started).toEqual([
      expect.objectContaining({
        version: expect.stringMatching(/^\d/) as string,
        names: ['wss://hub.example.com'],
        trustProxy: ['127.0.0.1'],
        origins: 'any',
        iceServers: ['turn:own.example.com'],
        turn: ['turn:turn.example.com'],
        metrics: 'with a token',
        page: false,
        limits: { registeredPeers: 5 },
      }),
    ])
    expect(text).not.toContain('hidden')
  })

  it('has at debug a line for each request and socket, with an id, and neither address, key nor payload', async () => {
    const { hub, read } = await startLogged('trace')
    const keys = testKeys()
    const headers = { 'x-forwarded-for': '198.51.100.23' }
    const server = new HubClient(hub.url, { headers })
    await server.register(keys, hub.hubName)
    const client = await new HubClient(hub.url, {
      headers: { 'x-forwarded-for': '2001:db8:aaaa:bbbb::1' },
    }).opened()
    const id = newId()
    client.send({ type: 'introduce', id, to: keys.key })
    client.send({ type: 'signal', id, data: 'payload-payload' })
    await server.next('incoming')
    await server.next('signal')
    const key = toBase64Url(keys.key)
    await fetch(`${hub.url.replace('ws', 'http')}/nowhere/${key}?${key}`, { headers })
    await client.leave()
    await hub.close()

    const { text, lines } = read()
    for (const hidden of ['198.51.100.23', 'bbbb', key, id, 'payload', 'remoteAddress']) {
      expect(text).not.toContain(hidden)
    }
    const said = lines.map(({ msg, req, status, code }) => ({ msg, req, status, code }))
    const far = { method: 'GET', source: '198.51.100.0/24' }
    expect(said).toContainEqual({ msg: 'socket opened', req: { ...far, route: '/' } })
    expect(said).toContainEqual({ msg: 'socket closed', req: { ...far, route: '/' }, code: 1012 })
    expect(said).toContainEqual({ msg: 'request', req: { ...far, route: 'none' }, status: 404 })
    expect(said).toContainEqual({
      msg: 'socket opened',
      req: { method: 'GET', route: '/', source: '2001:db8:aaaa::/48' },
    })
    const ids = lines.filter(({ msg }) => msg === 'socket opened').map(({ reqId }) => reqId)
    expect(new Set(ids).size).toBe(2)
    expect(lines.filter(({ reqId, msg }) => reqId === ids[0] && msg === 'socket closed')).toHaveLength(1)
  })

  it('has nothing of peers at info', async () => {
    const { hub, read } = await startLogged('info')
    read()
    const client = await new HubClient(hub.url).opened()
    client.socket.send('not JSON')
    await client.closed
    await fetch(`${hub.url.replace('ws', 'http')}/nowhere`)
    expect(read().lines).toEqual([])
  })

  it('has at error what went wrong in the hub itself', async () => {
    const { hub, read } = await startLogged('info', {
      extend: (app) =>
        app.get('/broken', () => {
          throw Object.assign(new Error('broken on purpose'), {
            code: 'E_BROKEN',
            rawPacket: 'received bytes',
          })
        }),
    })
    read()
    await fetch(`${hub.url.replace('ws', 'http')}/broken`)
    const { text, lines } = read()
    expect(lines).toEqual([
      expect.objectContaining({
        level: 50,
        status: 500,
        req: { method: 'GET', route: '/broken', source: '127.0.0.0/24' },
        err: expect.objectContaining({ message: 'broken on purpose', code: 'E_BROKEN' }) as object,
      }),
    ])
    expect(text).not.toContain('received bytes')
  })
})
