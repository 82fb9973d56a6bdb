import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { request } from 'node:http'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import Fastify from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import { hubCloseCodes, hubSubprotocol } from '../../core/hub-protocol.ts'
import hub, { type RunningHub, startHub, type StartHubOptions } from '../../signal-server/index.ts'
import { rawSocket, upgradeRequest } from '../../bench/hub/raw-socket.ts'
import { defaultLimits } from '../../signal-server/limits.ts'
import { HubClient, newId, proof, refusedStatus, testKeys, type TestKeys } from './hub-client.ts'
import { programFile } from './hub-program.ts'

const running: { close(): Promise<void> }[] = []
const clients: HubClient[] = []

async function start(options: StartHubOptions = {}): Promise<RunningHub> {
  const started = await startHub(options)
  running.push(started)
  return started
}

function connectTo(url: string, options = {}): HubClient {
  const client = new HubClient(url, options)
  clients.push(client)
  return client
}

async function registeredAt({ url, hubName }: RunningHub, keys: TestKeys = testKeys()): Promise<HubClient> {
  const client = connectTo(url)
  await client.register(keys, hubName)
  return client
}

/** Resolves when the hub has said `words` on a bare socket. */
function hear(socket: Socket, words: string): Promise<void> {
  return new Promise((resolve) => {
    let heard = ''
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1')
      if (heard.includes(words)) resolve()
    })
  })
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((started) => started.close()))
  for (const client of clients.splice(0)) {
    client.socket.resume()
    await client.closed
  }
})

describe('registering', () => {
  it('welcomes with its limits and registers who signs the challenge', async () => {
    const started = await start({ iceServers: [{ urls: ['stun:stun.example.com'] }] })
    const client = connectTo(started.url)
    const welcome = await client.next('welcome')
    expect(welcome.hub).toBe(started.hubName)
    expect(welcome.limits).toEqual(defaultLimits)
    expect(welcome.iceServers).toEqual([{ urls: ['stun:stun.example.com'] }])
    expect(welcome.relay).toBe(true)
    client.send(proof(testKeys(), started.hubName, welcome.challenge))
    expect((await client.next('registered')).iceServers).toEqual(welcome.iceServers)
  })

  it('accepts each of its names', async () => {
    const hubNames = ['wss://hub.example.com/', 'wss://other.example.com/prefix']
    const started = await start({ hubNames })
    expect(started.hubName).toBe('wss://hub.example.com')
    for (const name of ['wss://hub.example.com', 'wss://other.example.com/prefix']) {
      await connectTo(started.url).register(testKeys(), name)
    }
  })

  it('replaces the older socket of a key', async () => {
    const started = await start()
    const keys = testKeys()
    const old = await registeredAt(started, keys)
    await registeredAt(started, keys)
    await old.next('replaced')
    expect((await old.closed).code).toBe(hubCloseCodes.replaced)
  })

  it.each([
    ['another key', (keys: TestKeys) => ({ ...keys, key: testKeys().key })],
    ['a small-order key', (keys: TestKeys) => ({ ...keys, key: new Uint8Array(32).fill(1, 0, 1) })],
    ['a non-canonical key', (keys: TestKeys) => ({ ...keys, key: new Uint8Array(32).fill(255) })],
  ])('refuses a signature of %s', async (_what, changed) => {
    const started = await start()
    const client = connectTo(started.url)
    const { challenge } = await client.next('welcome')
    client.send(proof(changed(testKeys()), started.hubName, challenge))
    expect((await client.next('error')).code).toBe('BAD_SIGNATURE')
  })

  it("refuses another socket's challenge, and one that was used", async () => {
    const started = await start()
    const other = await connectTo(started.url).next('welcome')
    const client = connectTo(started.url)
    const { challenge } = await client.next('welcome')
    const keys = testKeys()
    client.send(proof(keys, started.hubName, other.challenge))
    expect((await client.next('error')).code).toBe('BAD_SIGNATURE')
    client.send(proof(keys, started.hubName, challenge))
    expect((await client.next('error')).code).toBe('BAD_SIGNATURE')
  })

  it('refuses a signature for a hub that it is not, and says so when it was dialed as that', async () => {
    const started = await start({ hubNames: ['wss://hub.example.com'] })
    const client = connectTo(started.url)
    client.send(proof(testKeys(), started.url, (await client.next('welcome')).challenge))
    expect((await client.next('error')).code).toBe('WRONG_HUB')
    const other = connectTo(started.url)
    other.send(proof(testKeys(), 'wss://evil.example.com', (await other.next('welcome')).challenge))
    expect((await other.next('error')).code).toBe('BAD_SIGNATURE')
  })
})

describe('introducing', () => {
  it('passes signals in order, both ways, also what was sent before welcome came', async () => {
    const started = await start()
    const keys = testKeys()
    const server = await registeredAt(started, keys)
    const client = await connectTo(started.url).opened()
    const id = newId()
    client.send({ type: 'introduce', id, to: keys.key })
    for (const data of ['a', 'b', 'c']) client.send({ type: 'signal', id, data })
    await client.next('welcome')
    expect((await client.next('introduced')).id).toBe(id)
    expect((await server.next('incoming')).id).toBe(id)
    for (const data of ['a', 'b', 'c'])
      expect(await server.next('signal')).toEqual({ type: 'signal', id, data })
    server.send({ type: 'signal', id, data: 'd' })
    expect(await client.next('signal')).toEqual({ type: 'signal', id, data: 'd' })
    server.send({ type: 'close', id, reason: 'open' })
    expect(await client.next('closed')).toEqual({ type: 'closed', id, reason: 'open' })
    client.send({ type: 'signal', id, data: 'e' })
    expect(await client.next('error')).toMatchObject({ code: 'NO_INTRODUCTION', id })
  })

  it('answers at once that a peer is not there', async () => {
    const started = await start()
    const client = connectTo(started.url)
    await client.next('welcome')
    const id = newId()
    client.send({ type: 'introduce', id, to: testKeys().key })
    expect(await client.next('error')).toMatchObject({ code: 'PEER_NOT_FOUND', id })
  })

  it('tells the other side when a socket goes', async () => {
    const started = await start()
    const keys = testKeys()
    const server = await registeredAt(started, keys)
    const client = connectTo(started.url)
    await client.next('welcome')
    const id = newId()
    client.send({ type: 'introduce', id, to: keys.key })
    await server.next('incoming')
    client.socket.terminate()
    expect(await server.next('closed')).toEqual({ type: 'closed', id, reason: 'gone' })
  })
})

describe('sockets that misbehave', () => {
  it.each([
    ['binary', (client: HubClient) => client.socket.send(Uint8Array.of(1))],
    ['broken JSON', (client: HubClient) => client.socket.send('{')],
    ['something else than an object', (client: HubClient) => client.socket.send('[]')],
    ['too deep', (client: HubClient) => client.socket.send('{"type":{"a":{"b":{"c":{}}}}}')],
  ])('are closed for a message that is %s', async (_what, send) => {
    const client = connectTo((await start()).url)
    await client.next('welcome')
    send(client)
    expect((await client.closed).code).toBe(hubCloseCodes.protocol)
  })

  it('are closed for a message that is too long', async () => {
    const client = connectTo((await start()).url)
    await client.next('welcome')
    client.socket.send('x'.repeat(64 * 1024 + 1))
    expect((await client.closed).code).toBe(1009)
  })

  it('are closed at the deadline when they neither register nor are introduced', async () => {
    const client = connectTo((await start({ limits: { registerMs: 200 } })).url)
    await client.next('welcome')
    expect((await client.closed).code).toBe(hubCloseCodes.deadline)
  })

  it('are closed at the deadline when they never ask for the upgrade', async () => {
    const started = await start({ limits: { registerMs: 200 } })
    const socket = connect(Number(new URL(started.url).port), '127.0.0.1')
    socket.resume()
    await once(socket, 'close')
  })

  it('have the time before the upgrade counted', async () => {
    // Long enough for a machine that has other things to do.
    const limits = { registerMs: 3_000 }
    const { url } = await start({ limits })
    const port = Number(new URL(url).port)
    const from = performance.now()
    const early = connect(port, '127.0.0.1')
    await once(early, 'connect')
    // Half the time goes by before the request does; this is what is measured here.
    await new Promise((resolve) => setTimeout(resolve, limits.registerMs / 2))
    const late = connect(port, '127.0.0.1')
    const closed: string[] = []
    const closing = [
      hear(early, 'neither registered').then(() => closed.push('early')),
      hear(late, 'neither registered').then(() => closed.push('late')),
    ]
    // The late one has its upgrade first: by that it would be closed first.
    late.write(upgradeRequest(url))
    await hear(late, 'welcome')
    early.write(upgradeRequest(url))
    await closing[0]
    expect(performance.now() - from).toBeGreaterThanOrEqual(limits.registerMs - 1)
    await closing[1]
    expect(closed).toEqual(['early', 'late'])
    for (const socket of [early, late]) socket.destroy()
  })

  it('are closed when they do not answer a ping', async () => {
    const started = await start({ limits: { pingMs: 50, pongMs: 100 } })
    const client = connectTo(started.url, { autoPong: false })
    expect((await client.closed).code).toBe(hubCloseCodes.deadline)
  })

  it('are read no faster than they may send, and closed when they go on', async () => {
    const limits = { messagesBurst: 10, messagesPerSecond: 10, floodMs: 500 }
    const started = await start({ limits })
    const from = performance.now()
    const client = connectTo(started.url)
    await client.next('welcome')
    let answers = 0
    client.socket.on('message', () => (answers += 1))
    for (let sent = 0; sent < 1_000; sent += 1) client.socket.send('{"type":"x"}')
    expect((await client.closed).code).toBe(hubCloseCodes.flood)
    expect(answers).toBeGreaterThanOrEqual(10)
    const seconds = (performance.now() - from) / 1000
    expect(answers).toBeLessThanOrEqual(limits.messagesBurst + limits.messagesPerSecond * seconds + 1)
  })

  it('are read again after a burst, with nothing lost and nothing out of order', async () => {
    const started = await start({ limits: { messagesBurst: 5, messagesPerSecond: 100 } })
    const client = connectTo(started.url)
    await client.next('welcome')
    const ids = Array.from({ length: 40 }, newId)
    for (const id of ids) client.send({ type: 'close', id, reason: '' })
    for (const id of ids) expect((await client.next('error')).id).toBe(id)
  })

  it('are dropped when they do not read, have the longest queue, and all together are too long', async () => {
    const rates = { messagesPerSecond: 1e6, messagesBurst: 1e6, bytesPerSecond: 1e9, bytesBurst: 1e9 }
    const queues = { queueBytes: 1e9, queueBytesInAll: 1e5 }
    const started = await start({ limits: { ...rates, ...queues, signalsPerSide: 1e5 } })
    const keys = testKeys()
    const slow = await registeredAt(started, keys)
    const client = connectTo(started.url)
    await client.next('welcome')
    const id = newId()
    client.send({ type: 'introduce', id, to: keys.key })
    await client.next('introduced')
    await slow.next('incoming')
    slow.socket.pause()
    const data = 'x'.repeat(16_384)
    const closed = client.next('closed')
    for (let sent = 0; sent < 2_000; sent += 1) {
      client.send({ type: 'signal', id, data })
      if (client.socket.bufferedAmount > 1e6) await new Promise((resolve) => setImmediate(resolve))
    }
    expect(await closed).toEqual({ type: 'closed', id, reason: 'gone' })
    slow.socket.resume()
    // The closing frame stands behind what the socket did not read, so it may never come.
    expect([hubCloseCodes.slow, 1006]).toContain((await slow.closed).code)
    await connectTo(started.url).next('welcome')
  })

  it('are not taken beyond what one address may have', async () => {
    const started = await start({ limits: { unregisteredSocketsPerAddress: 2 } })
    for (const _ of [1, 2]) await connectTo(started.url).next('welcome')
    expect(await refusedStatus(started.url, hubSubprotocol, {})).toBe(503)
  })

  it('are not taken faster than one address may open them', async () => {
    const started = await start({
      limits: { newSocketsBurstPerAddress: 2, newSocketsPerSecondPerAddress: 0.01 },
    })
    for (const _ of [1, 2]) await connectTo(started.url).next('welcome')
    expect(await refusedStatus(started.url, hubSubprotocol, {})).toBe(429)
  })

  it('are taken from loopback without these limits where the operator says so', async () => {
    const started = await start({
      exemptLoopback: true,
      limits: { unregisteredSocketsPerAddress: 1, newSocketsBurstPerAddress: 1 },
    })
    for (const _ of [1, 2, 3]) await connectTo(started.url).next('welcome')
  })
})

describe('who may connect', () => {
  it('wants its subprotocol', async () => {
    const { url } = await start()
    expect(await refusedStatus(url, '', {})).toBe(400)
    expect(await refusedStatus(url, 'multiserver-hub.2', {})).toBe(400)
  })

  it('upgrades nothing but its own route', async () => {
    const { url } = await start()
    expect(await refusedStatus(`${url}/limits`, hubSubprotocol, {})).toBe(404)
    expect(await refusedStatus(`${url}/nowhere`, hubSubprotocol, {})).toBe(404)
  })

  it.each(['https://evil.example.com', 'null', 'http://localhost.evil.example.com'])(
    'refuses pages of %s on loopback',
    async (origin) => {
      const { url } = await start()
      expect(await refusedStatus(url, hubSubprotocol, { origin })).toBe(403)
    },
  )

  it.each(['evil.example.com', '127.0.0.1.evil.example.com', 'localhost.'])(
    'refuses to be called %s on loopback',
    async (host) => {
      const { url } = await start()
      expect(await refusedStatus(url, hubSubprotocol, { headers: { host } })).toBe(403)
      expect(await statusOf(`${url.replace('ws', 'http')}/limits`, { host })).toBe(403)
    },
  )

  it('takes pages of this machine on loopback', async () => {
    const { url } = await start()
    await connectTo(url, { origin: 'http://localhost:5173' }).next('welcome')
  })

  it('takes pages from anywhere once it has a public name, or from a list only', async () => {
    const open = await start({ hubNames: ['wss://hub.example.com'] })
    await connectTo(open.url, { origin: 'https://anyone.example.com' }).next('welcome')
    const listed = await start({ hubNames: ['wss://hub.example.com'], origins: ['https://a.example.com'] })
    await connectTo(listed.url, { origin: 'https://a.example.com' }).next('welcome')
    expect(await refusedStatus(listed.url, hubSubprotocol, { origin: 'https://b.example.com' })).toBe(403)
  })

  it('does not start in public without a name', async () => {
    await expect(startHub({ host: '0.0.0.0' })).rejects.toMatchObject({ code: 'LISTEN_FAILED' })
    const app = Fastify()
    running.push(app)
    await app.register(hub)
    await expect(app.listen({ host: '0.0.0.0', port: 0 })).rejects.toThrow('hubNames')
    expect(app.server.listening).toBe(false)
  })

  it('has a name on loopback when it is given none', async () => {
    for (const hubNames of [undefined, []]) {
      const started = await start({ hubNames })
      expect(started.hubName).toBe(started.url)
      await registeredAt(started)
    }
  })

  it.each([
    ['messageBytes', 64 * 1024],
    ['dataCharacters', 16_384],
  ])('does not start with %s above what the protocol allows', async (name, most) => {
    await expect(startHub({ limits: { [name]: most + 1 } })).rejects.toMatchObject({
      code: 'LISTEN_FAILED',
      message: expect.stringContaining(name),
    })
    await start({ limits: { [name]: most } })
    await start({ limits: { [name]: most - 1 } })
  })

  it('counts by the address that a listed proxy forwards, and by the proxy otherwise', async () => {
    const limits = { unregisteredSocketsPerAddress: 1 }
    const from = (address: string) => ({ headers: { 'x-forwarded-for': address } })
    const trusting = await start({ limits, trustProxy: ['127.0.0.1'] })
    await connectTo(trusting.url, from('192.0.2.1')).next('welcome')
    await connectTo(trusting.url, from('192.0.2.2')).next('welcome')
    expect(await refusedStatus(trusting.url, hubSubprotocol, from('192.0.2.2'))).toBe(503)
    const other = await start({ limits })
    await connectTo(other.url, from('192.0.2.1')).next('welcome')
    expect(await refusedStatus(other.url, hubSubprotocol, from('192.0.2.2'))).toBe(503)
  })
})

describe('over HTTP', () => {
  it('tells its limits, and that it is alive and ready', async () => {
    const { app } = await start()
    const headers = { host: 'localhost' }
    const limits = await app.inject({ url: '/limits', headers })
    expect(limits.json()).toEqual(defaultLimits)
    expect(limits.headers['access-control-allow-origin']).toBe('*')
    expect(limits.headers['set-cookie']).toBeUndefined()
    expect((await app.inject({ url: '/livez', headers })).statusCode).toBe(200)
    expect((await app.inject({ url: '/readyz', headers })).statusCode).toBe(200)
    expect((await app.inject({ url: '/', headers })).statusCode).toBe(426)
  })

  it('serves a page under a strict policy, and the hub at the same place', async () => {
    const page = await mkdtemp(join(tmpdir(), 'multiserver-page-'))
    try {
      await writeFile(join(page, 'index.html'), '<p>hello')
      await writeFile(join(page, 'app.js'), '1')
      await writeFile(join(page, '.secret'), '1')
      const { app, url } = await start({ page })
      const headers = { host: 'localhost' }
      const root = await app.inject({ url: '/', headers })
      expect(root.body).toBe('<p>hello')
      expect(root.headers['content-type']).toContain('text/html')
      expect(root.headers['content-security-policy']).toContain("default-src 'none'")
      expect((await app.inject({ url: '/app.js', headers })).statusCode).toBe(200)
      expect((await app.inject({ url: '/.secret', headers })).statusCode).toBe(403)
      expect((await app.inject({ url: '/limits', headers })).json()).toEqual(defaultLimits)
      await connectTo(url).next('welcome')
      expect(await refusedStatus(`${url}/app.js`, hubSubprotocol, {})).toBe(404)
    } finally {
      await rm(page, { recursive: true })
    }
  })

  it('serves routes of the operator behind its gate', async () => {
    const { url } = await start({ extend: (app) => app.get('/mine', () => 'mine') })
    const mine = `${url.replace('ws', 'http')}/mine`
    expect(await statusOf(mine, { host: 'localhost' })).toBe(200)
    expect(await statusOf(mine, { host: 'evil.example.com' })).toBe(403)
    expect(await statusOf(mine, { host: 'localhost', origin: 'https://evil.example.com' })).toBe(403)
    expect(await refusedStatus(`${url}/mine`, hubSubprotocol, {})).toBe(404)
  })

  it.each(['/hub', 'hub', '/a/hub'])('starts under the prefix %s, which is in its name', async (prefix) => {
    const started = await start({ prefix })
    expect(new URL(started.url).pathname).toBe(prefix.replace(/^(?!\/)/, '/'))
    expect(started.hubName).toBe(started.url)
    await registeredAt(started)
    expect(await refusedStatus(new URL('/', started.url).href, hubSubprotocol, {})).toBe(404)
    const named = await start({ prefix, hubNames: ['ws://localhost/behind/a/proxy'] })
    expect(named.hubName).toBe('ws://localhost/behind/a/proxy')
    await registeredAt(named)
  })

  it.each([
    ['/nowhere', 404],
    ['/hub/nowhere', 404],
    ['/mine', 200],
  ])(
    'lets go of the socket that asked for an upgrade of %s, answered %i in an app of somebody else',
    async (path, status) => {
      const app = Fastify()
      app.get('/mine', () => 'mine')
      await app.register(hub, { prefix: '/hub' })
      await app.listen({ port: 0, host: '127.0.0.1' })
      const { port } = app.server.address() as AddressInfo
      const socket = connect(port, '127.0.0.1')
      socket.write(
        `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
          `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
      )
      const chunks: Buffer[] = []
      for await (const chunk of socket) chunks.push(chunk as Buffer)
      expect(Buffer.concat(chunks).toString()).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
      await app.close()
    },
  )

  it('runs under a prefix in an app of somebody else', async () => {
    const app = Fastify()
    running.push(app)
    app.get('/', () => 'mine')
    await app.register(hub, { prefix: '/hub' })
    await app.listen({ port: 0, host: '127.0.0.1' })
    const address = app.server.address()
    const port = typeof address === 'object' ? address?.port : 0
    const name = `ws://127.0.0.1:${port}/hub`
    const { hub: itsName } = await connectTo(name).next('welcome')
    expect(itsName).toBe(name)
    await connectTo(name).register(testKeys(), name)
    expect((await app.inject('/')).body).toBe('mine')
    expect((await app.inject({ url: '/hub/limits', headers: { host: 'localhost' } })).statusCode).toBe(200)
  })
})

describe('closing', () => {
  it('tells every peer when to come back, and leaves nothing open', async () => {
    const before = process.getActiveResourcesInfo().filter(isOurs)
    const started = await startHub()
    const peers = [await registeredAt(started), await registeredAt(started)]
    const waits = peers.map(async (peer) => (await peer.next('restarting')).reconnectAfterMs)
    await started.close()
    expect((await Promise.all(waits)).toSorted((a, b) => a - b)).toEqual([
      0,
      defaultLimits.reconnectSpreadMs / 2,
    ])
    for (const peer of peers) expect((await peer.closed).code).toBe(hubCloseCodes.restarting)
    await new Promise((resolve) => setImmediate(resolve))
    expect(started.app.server.listening).toBe(false)
    // What earlier tests had left and is gone meanwhile does not count.
    const left = process.getActiveResourcesInfo().filter(isOurs)
    for (const resource of before) left.splice(left.indexOf(resource), left.includes(resource) ? 1 : 0)
    expect(left).toEqual([])
  })

  it('does not wait for peers that do not read', async () => {
    const started = await startHub({ limits: { closeMs: 100 } })
    const deaf = await registeredAt(started)
    deaf.socket.pause()
    await started.close()
    expect(started.app.server.listening).toBe(false)
  })

  it('does not wait for a socket that asks for an upgrade while it closes', async () => {
    const started = await startHub({ limits: { closeMs: 200 } })
    const deaf = await registeredAt(started)
    deaf.socket.pause()
    const late = rawSocket(started.url)
    await once(late, 'connect')
    const closed = started.close()
    await new Promise((resolve) => setImmediate(resolve))
    late.write(upgradeRequest(started.url))
    await closed
    late.destroy()
  })
})

describe('the program', () => {
  const programs: ChildProcess[] = []
  afterEach(async () => {
    for (const program of programs.splice(0)) {
      if (program.exitCode !== null || program.signalCode !== null) continue
      const exited = once(program, 'exit')
      program.kill('SIGKILL')
      await exited
    }
  })

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'says where it listens, and after %s sends its peers away and ends well',
    async (signal) => {
      const { program, ended, url } = await run({ PORT: '0' })
      const peer = connectTo(url)
      await peer.register(testKeys(), url)
      program.kill(signal)
      expect(await peer.next('restarting')).toMatchObject({ reconnectAfterMs: 0 })
      expect((await peer.closed).code).toBe(hubCloseCodes.restarting)
      expect(await ended).toEqual({ code: 0, said: '' })
    },
    30_000,
  )

  it.each([
    [2, 'a port that is none', { PORT: '99999' }, /^PORT must be a port \(0 to 65535\), not 99999\n$/],
    [2, 'a port that is no number', { PORT: '80a' }, /^PORT must be a port \(0 to 65535\), not 80a\n$/],
    [
      2,
      'a limit that it does not have',
      { PORT: '0', HUB_LIMITS: 'x=1' },
      /^HUB_LIMITS: the hub has no limit named x\n$/,
    ],
    [2, 'a name that cannot name a hub', { PORT: '0', HUB_NAMES: 'x' }, /^.*x cannot name a hub.*\n$/],
    [1, 'no name in public', { PORT: '0', HOST: '0.0.0.0' }, /^.*HUB_NAMES.*\n$/],
  ])(
    'ends with %i after saying %s in one line',
    async (code, _what, environment, line) => {
      const { ended } = launch(environment)
      expect(await ended).toEqual({ code, said: expect.stringMatching(line) })
    },
    30_000,
  )

  it('tells how it is used, and which version it is, without starting', async () => {
    const ask = async (flag: string) =>
      (await promisify(execFile)(process.execPath, [programFile, flag])).stdout
    expect(await ask('--help')).toMatch(/^Usage: multiserver-hub \[options\]\n/)
    expect(await ask('--version')).toMatch(/^\d+\.\d+\.\d+/)
  })

  it('takes empty variables for absent ones: serves no page, and binds loopback', async () => {
    const { program, ended, url } = await run({ PORT: '0', PAGE: '', HOST: '', HUB_NAMES: '', ORIGINS: '' })
    expect(new URL(url).hostname).toBe('127.0.0.1')
    expect(await statusOf(url.replace('ws', 'http'), {})).toBe(426)
    expect(await statusOf(`${url.replace('ws', 'http')}/package.json`, {})).toBe(404)
    program.kill('SIGTERM')
    expect((await ended).code).toBe(0)
  }, 30_000)

  /** Starts it; `ended` has its exit code, and what it said on the error output. */
  function launch(environment: Record<string, string>) {
    const program = spawn(process.execPath, [programFile], {
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    programs.push(program)
    let said = ''
    program.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
    const ended = once(program, 'close').then(([code]) => ({ code: code as number | null, said }))
    return { program, ended }
  }

  /** Starts it and waits until it listens. */
  async function run(environment: Record<string, string>) {
    const { program, ended } = launch(environment)
    for await (const line of createInterface({ input: program.stdout })) {
      const { msg } = JSON.parse(line) as { msg: string }
      const [address] = /http:\/\/\S+/.exec(msg) ?? []
      if (address === undefined) continue
      program.stdout.resume()
      return { program, ended, url: address.replace('http', 'ws') }
    }
    throw new Error(`it does not listen: ${(await ended).said}`)
  }
})

function isOurs(resource: string): boolean {
  return /^(TCP|Timeout$)/.test(resource)
}

function statusOf(url: string, headers: Record<string, string>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { headers, agent: false }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    sent.on('error', reject)
    sent.end()
  })
}
