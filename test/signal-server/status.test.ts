import { afterEach, describe, expect, it } from 'vitest'
import { hubErrorCodes } from '../../core/hub-protocol.ts'
import { memory } from '../../signal-server/cluster/memory.ts'
import { Health, type RunningHub, startHub, type StartHubOptions } from '../../signal-server/index.ts'
import { limitsWith } from '../../signal-server/limits.ts'
import type { StatusAnswer } from '../../signal-server/status-data.ts'
import { HubStatus, type StatusSources } from '../../signal-server/status.ts'
import { HubClient, newId, testKeys } from './hub-client.ts'
import { askForRelay, introduce, type Introduced, openCircuit } from './relay-client.ts'

/** A bound for what hangs: a sample is taken every two seconds. */
const within = { timeout: 20_000 }
const running: RunningHub[] = []
const clients: HubClient[] = []
const statuses: HubStatus[] = []

afterEach(async () => {
  for (const status of statuses.splice(0)) status.close()
  await Promise.all(running.splice(0).map((started) => started.close()))
  await Promise.all(clients.splice(0).map((client) => client.closed))
})

async function start(options: StartHubOptions = {}): Promise<RunningHub> {
  const started = await startHub(options)
  running.push(started)
  return started
}

async function connectTo({ url }: RunningHub): Promise<HubClient> {
  const client = new HubClient(url)
  clients.push(client)
  return client.opened()
}

async function introduceTo(hub: RunningHub): Promise<Introduced> {
  const introduced = await introduce(hub)
  clients.push(introduced.client, introduced.server)
  return introduced
}

function get({ url }: RunningHub, path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url.replace('ws', 'http')}${path}`, { headers, redirect: 'manual' })
}

async function ask(hub: RunningHub, query = ''): Promise<StatusAnswer> {
  return (await get(hub, `/status/data.json${query}`)).json() as Promise<StatusAnswer>
}

function sum(values: readonly (number | null)[]): number {
  return values.reduce<number>((total, value) => total + (value ?? 0), 0)
}

function basic(user: string, password: string): { authorization: string } {
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` }
}

function makeStatus(sources: Partial<StatusSources> = {}): HubStatus {
  const counts = {
    sockets: 6,
    unregistered: 1,
    anonymous: 2,
    registered: 3,
    introductions: 4,
    targets: 1,
    addresses: 1,
    sites: 0,
  }
  const status = new HubStatus({
    counts: () => counts,
    records: () => 5,
    queuedBytes: () => 7,
    limits: limitsWith(),
    health: new Health(),
    turn: false,
    ...sources,
  })
  statuses.push(status)
  return status
}

describe('the numbers of /status', () => {
  it('are those of what happens in the hub', async () => {
    const hub = await start({ turn: { urls: ['turn:turn.example.com'], secret: 'shared' } })
    const keys = testKeys()
    const server = await connectTo(hub)
    await server.register(keys, hub.hubName)
    const client = await connectTo(hub)
    await client.next('welcome')
    const id = newId()
    client.send({ type: 'introduce', id, to: keys.key })
    await client.next('introduced')
    await server.next('incoming')
    client.send({ type: 'signal', id, data: 'a' })
    await server.next('signal')
    server.send({ type: 'close', id, reason: 'open' })
    await client.next('closed')
    client.send({ type: 'introduce', id: newId(), to: testKeys().key })
    await client.next('error')

    // A sample is taken every two seconds; the last of these is in one of them then.
    await expect.poll(async () => sum((await ask(hub)).columns['refused.PEER_NOT_FOUND']), within).toBe(1)
    const { columns, limits, turn, ready, degraded } = await ask(hub)
    const counted = [
      'registrations',
      'started',
      'signals',
      'turnIssued',
      'ended.open',
      'ended.closed',
    ] as const
    expect(counted.map((name) => sum(columns[name]))).toEqual([1, 1, 1, 2, 1, 0])
    expect([columns.registered.at(-1), columns.anonymous.at(-1), columns.unregistered.at(-1)]).toEqual([
      1, 1, 0,
    ])
    expect(columns.latencyP99Ms.some((latency) => latency !== null && latency > 0)).toBe(true)
    expect({ turn, ready, degraded, peers: limits.registeredPeers }).toEqual({
      turn: true,
      ready: true,
      degraded: [],
      peers: 10_000,
    })
    expect([columns.nodes.at(-1), columns.circuits.at(-1)]).toEqual([null, 0])
  })

  it('say nothing but how many: no key, no address, no token', async () => {
    const secrets = {
      status: { token: 'the-token' },
      turn: { urls: ['turn:turn.example.com'], secret: 'the-secret' },
    }
    const hub = await start(secrets)
    const keys = testKeys()
    const server = await connectTo(hub)
    await server.register(keys, hub.hubName)
    const text = async () => (await get(hub, '/status/data.json', basic('', 'the-token'))).text()
    await expect
      .poll(async () => sum((JSON.parse(await text()) as StatusAnswer).columns.registrations), within)
      .toBe(1)
    const { run, version, columns, limits, degraded, ...flat } = JSON.parse(await text()) as StatusAnswer
    expect(Object.values(flat).filter((value) => !['number', 'boolean'].includes(typeof value))).toEqual([])
    expect([run, version, degraded]).toEqual([
      expect.stringMatching(/^[0-9a-f-]{36}$/),
      expect.any(String),
      [],
    ])
    const numbers = [...Object.values(columns).flat(), ...Object.values(limits)]
    expect(numbers.filter((value) => value !== null && typeof value !== 'number')).toEqual([])
    const told = await text()
    const hidden = [
      'the-token',
      'the-secret',
      'turn.example',
      '127.0.0.1',
      Buffer.from(keys.key).toString('base64url'),
    ]
    expect(hidden.filter((each) => told.includes(each))).toEqual([])
  })

  it('are kept for ten minutes and no longer, whoever asks or not', () => {
    const status = makeStatus()
    for (let count = 0; count < 450; count += 1) status.takeSample()
    const { columns, last, keptSamples } = status.answer()
    expect({ last, keptSamples }).toEqual({ last: 450, keptSamples: 300 })
    expect(new Set(Object.values(columns).map(({ length }) => length))).toEqual(new Set([300]))
    expect(JSON.stringify(status.answer()).length).toBeLessThan(64 * 1024)
  })

  it('are told once to who has said what it has seen, and all to who has seen another run', () => {
    const status = makeStatus()
    for (let count = 0; count < 5; count += 1) status.takeSample()
    const { run, last } = status.answer()
    const samples = (seen?: { run: string; after: number }) => status.answer(seen).columns.lastedMs.length
    expect(samples({ run, after: last })).toBe(0)
    expect(samples({ run, after: last - 2 })).toBe(2)
    expect(samples({ run, after: last + 9 })).toBe(0)
    expect(samples({ run: 'another', after: last })).toBe(5)
    expect(samples()).toBe(5)
  })

  it('count from one sample to the next, and have no latency where nobody signalled', () => {
    const status = makeStatus({ nodes: () => 3, circuits: () => 8 })
    status.refused('RATE')
    status.notTaken('BUSY')
    status.introductionEnded('gone')
    status.crossingAnswered('introduced')
    status.crossingAnswered('PEER_NOT_FOUND')
    for (const afterMs of [1, 1, 1, 40, 90_000]) status.signalPassed(afterMs)
    status.takeSample()
    status.takeSample()
    const { columns } = status.answer()
    expect(columns['refused.RATE']).toEqual([1, 0])
    expect(columns['notTaken.BUSY']).toEqual([1, 0])
    expect(columns['ended.gone']).toEqual([1, 0])
    expect(columns.crossed).toEqual([1, 0])
    expect(columns.signals).toEqual([5, 0])
    expect(columns.latencyP50Ms[0]).toBeCloseTo(1, 1)
    // What takes longer than a minute is shown as one.
    expect((columns.latencyP99Ms[0] ?? 0) / 60_000).toBeCloseTo(1, 1)
    expect([columns.latencyP50Ms[1], columns.latencyP99Ms[1]]).toEqual([null, null])
    expect([columns.nodes, columns.circuits]).toEqual([
      [3, 3],
      [8, 8],
    ])
    expect([columns.registered[1], columns.records[1], columns.queuedBytes[1]]).toEqual([3, 5, 7])
  })

  it('have a column for every code that a hub refuses with', () => {
    const { columns } = makeStatus().answer()
    expect(Object.keys(columns)).toEqual(
      expect.arrayContaining(hubErrorCodes.map((code) => `refused.${code}`)),
    )
  })

  it('take nothing from a query that is none', async () => {
    const hub = await start()
    await expect.poll(async () => (await ask(hub)).last, within).toBeGreaterThan(0)
    const { run } = await ask(hub)
    const all = (await ask(hub)).columns.lastedMs.length
    for (const query of ['?after=x', `?run=${run}&after=-1`, `?run=${run}&after=1&after=2`, '?__proto__=1']) {
      expect((await ask(hub, query)).columns.lastedMs.length).toBeGreaterThanOrEqual(all)
    }
  })

  it('tell how many nodes the cluster has', async () => {
    const cluster = memory()
    await start({ cluster })
    const second = await start({ cluster })
    await expect.poll(async () => (await ask(second)).columns.nodes.at(-1), within).toBe(2)
  })

  it('tell of the circuits of the relay: those open, what passed, and those refused', async () => {
    const hub = await start({ exemptLoopback: true, limits: { relayCircuits: 1 } })
    const ends = await openCircuit(await askForRelay(await introduceTo(hub)))
    ends[0].socket.send(Buffer.alloc(1000))
    await ends[1].until(() => ends[1].frames.length === 1)
    const refused = await introduceTo(hub)
    refused.server.send({ type: 'relay', id: refused.id })
    expect((await refused.server.next('error')).code).toBe('BUSY')
    await expect.poll(async () => sum((await ask(hub)).columns.circuitsRefused), within).toBe(1)
    const { columns, limits } = await ask(hub)
    expect(columns.circuits.at(-1)).toBe(1)
    expect(sum(columns.relayedBytes)).toBe(1000)
    expect(limits.relayCircuits).toBe(1)
    for (const { socket } of ends) socket.terminate()
  })

  it('have no circuits where the hub does not relay', async () => {
    const hub = await start({ relay: false })
    await expect.poll(async () => (await ask(hub)).last, within).toBeGreaterThan(0)
    expect((await ask(hub)).columns.circuits.at(-1)).toBeNull()
  })

  it('say that the hub is about to end', async () => {
    const hub = await start()
    hub.leave()
    expect((await ask(hub)).ready).toBe(false)
  })
})

describe('/status', () => {
  const named = { hubNames: ['wss://hub.example.com'] }

  it('is there on a hub of this machine, and elsewhere when the operator wants it', async () => {
    const status = async (options: StartHubOptions) => (await get(await start(options), '/status/')).status
    expect(await status({})).toBe(200)
    expect(await status({ hubNames: ['ws://localhost:8080'] })).toBe(200)
    expect(await status({ status: false })).toBe(404)
    expect(await status(named)).toBe(404)
    expect(await status({ ...named, status: true })).toBe(200)
  })

  it('of a hub of this machine is for pages and names of this machine', async () => {
    const hub = await start()
    expect((await get(hub, '/status/data.json', { origin: 'https://elsewhere.example' })).status).toBe(403)
  })

  it('asks for its token as browsers understand it, before everything under it', async () => {
    const hub = await start({ ...named, status: { token: 'se:cret' } })
    const wrong = [
      {},
      basic('me', 'secret'),
      basic('se', 'cret'),
      basic('se:cret', ''),
      { authorization: 'Basic' },
      { authorization: 'Basic !!!!' },
      { authorization: 'Bearer se:cre' },
      { authorization: 'se:cret' },
    ]
    for (const path of ['/status', '/status/', '/status/data.json', '/status/status.js', '/status/nothing']) {
      for (const headers of wrong) {
        const refused = await get(hub, path, headers)
        expect([path, refused.status]).toEqual([path, 401])
        expect(refused.headers.get('www-authenticate')).toMatch(/^Basic realm="/)
      }
    }
    for (const right of [
      basic('', 'se:cret'),
      basic('anyone', 'se:cret'),
      { authorization: 'Bearer se:cret' },
    ]) {
      expect((await get(hub, '/status/data.json', right)).status).toBe(200)
    }
  })

  it('does not start with an empty token', async () => {
    await expect(startHub({ status: { token: '' } })).rejects.toMatchObject({ code: 'LISTEN_FAILED' })
  })

  it('may load its own files and nothing else, and its numbers are not stored', async () => {
    const hub = await start()
    const page = await get(hub, '/status/')
    expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'self'; /)
    expect(page.headers.get('content-security-policy')).not.toMatch(/unsafe|\*|data:/)
    const data = await get(hub, '/status/data.json')
    expect(data.headers.get('cache-control')).toBe('no-store')
    expect(data.headers.get('access-control-allow-origin')).toBeNull()
  })

  it('is beside the hub where that is in an app, and its path gets its slash', async () => {
    const hub = await start({ prefix: '/hub' })
    const bare = await get(hub, '/status')
    expect([bare.status, bare.headers.get('location')]).toEqual([301, '/hub/status/'])
    expect((await get(hub, '/status/')).status).toBe(200)
  })

  it('shows nothing beside its folder', async () => {
    const hub = await start()
    for (const path of ['/status/..%2fserver.ts', '/status/%2e%2e/server.ts', '/status/..\\server.ts']) {
      expect([404, 403, 400]).toContain((await get(hub, path)).status)
    }
  })
})
