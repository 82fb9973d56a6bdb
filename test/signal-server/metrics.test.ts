import { spawnSync } from 'node:child_process'
import { afterEach, describe, expect, it } from 'vitest'
import { hubCloseCodes, hubErrorCodes } from '../../core/hub-protocol.ts'
import { memory } from '../../signal-server/cluster/memory.ts'
import { type RunningHub, startHub, type StartHubOptions } from '../../signal-server/index.ts'
import { crossingAnswers, relayOutcomes } from '../../signal-server/hub-observer.ts'
import { defaultLimits } from '../../signal-server/limits.ts'
import { canRun, titleOf } from '../support/can-run.ts'
import { ClusterNodes } from './cluster-nodes.ts'
import { HubClient, newId, proof, testKeys, type TestKeys } from './hub-client.ts'

const running: RunningHub[] = []
const clients: HubClient[] = []

afterEach(async () => {
  await Promise.all(running.splice(0).map((started) => started.close()))
  await Promise.all(clients.splice(0).map((client) => client.closed))
})

async function start(options: StartHubOptions = {}): Promise<RunningHub> {
  const started = await startHub({ metrics: true, ...options })
  running.push(started)
  return started
}

async function connectTo({ url }: RunningHub): Promise<HubClient> {
  const client = new HubClient(url)
  clients.push(client)
  return client.opened()
}

async function registeredAt(hub: RunningHub, keys: TestKeys): Promise<HubClient> {
  const client = await connectTo(hub)
  await client.register(keys, hub.hubName)
  return client
}

async function get({ url }: RunningHub, authorization?: string) {
  const headers = authorization === undefined ? {} : { authorization }
  const response = await fetch(`${url.replace('ws', 'http')}/metrics`, { headers })
  return { status: response.status, type: response.headers.get('content-type'), text: await response.text() }
}

/** The samples by name and labels, as in `name{label="value"}`. */
async function samples(hub: RunningHub): Promise<Map<string, number>> {
  const { text } = await get(hub)
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ')
      return [line.slice(0, at).replace('multiserver_hub_', ''), Number(line.slice(at + 1))]
    }),
  )
}

/** Introduces `client` and waits until both sides know. */
async function introduce(client: HubClient, server: HubClient, to: TestKeys['key']): Promise<string> {
  const id = newId()
  client.send({ type: 'introduce', id, to })
  await client.next('introduced')
  await server.next('incoming')
  return id
}

describe('the metrics', () => {
  it('count sockets by stage, registrations, introductions by outcome, and signals with their latency', async () => {
    const hub = await start({ turn: { urls: ['turn:turn.example.com'], secret: 'shared' } })
    const keys = testKeys()
    const server = await registeredAt(hub, keys)
    const client = await connectTo(hub)
    await client.next('welcome')
    expect((await samples(hub)).get('sockets{stage="new"}')).toBe(1)

    const opened = await introduce(client, server, keys.key)
    for (const data of ['a', 'b']) client.send({ type: 'signal', id: opened, data })
    for (const _ of 'ab') await server.next('signal')
    server.send({ type: 'close', id: opened, reason: 'open' })
    await client.next('closed')
    const closed = await introduce(client, server, keys.key)
    // Only the hub itself says how an introduction ended.
    client.send({ type: 'close', id: closed, reason: 'expired' })
    await server.next('closed')
    await introduce(client, server, keys.key)
    await client.leave()
    await server.next('closed')

    const seen = await samples(hub)
    const expected = {
      'sockets{stage="new"}': 0,
      'sockets{stage="anonymous"}': 0,
      'sockets{stage="registered"}': 1,
      introductions: 0,
      registrations_total: 1,
      introductions_started_total: 3,
      'introductions_ended_total{outcome="open"}': 1,
      'introductions_ended_total{outcome="closed"}': 1,
      'introductions_ended_total{outcome="gone"}': 1,
      'introductions_ended_total{outcome="expired"}': 0,
      // One for the server, one for each introduction.
      turn_credentials_total: 4,
      signal_latency_seconds_count: 2,
      'sockets_closed_total{by="peer",code="1005"}': 1,
      queued_bytes: 0,
    }
    expect(Object.fromEntries(Object.keys(expected).map((name) => [name, seen.get(name)]))).toEqual(expected)
    expect(seen.get('signal_latency_seconds_bucket{le="+Inf"}')).toBe(2)
    expect(seen.get('received_bytes_total')).toBeGreaterThan(100)
    expect(seen.get('sent_bytes_total')).toBeGreaterThan(1000)
    expect(seen.get('process_resident_memory_bytes')).toBeGreaterThan(1e7)
    expect(seen.get('process_cpu_seconds_total')).toBeGreaterThan(0)
    expect(seen.get('event_loop_active_seconds_total')).toBeGreaterThan(0)
  })

  it('count refusals, sockets that were not taken, and closings by whoever closed', async () => {
    const hub = await start({ limits: { socketsPerAddress: 4 } })
    const client = await connectTo(hub)
    const { challenge } = await client.next('welcome')
    client.send({ ...proof(testKeys(), hub.hubName, challenge), key: testKeys().key })
    await client.next('error')
    client.send({ type: 'introduce', id: newId(), to: testKeys().key })
    await client.next('error')
    client.socket.send('not JSON')
    await client.closed
    const leaving = await connectTo(hub)
    leaving.socket.close(4999)
    await leaving.closed
    for (let count = 0; count < 4; count += 1) await connectTo(hub)
    const refused = new HubClient(hub.url)
    await refused.closed

    const seen = await samples(hub)
    expect(seen.get('refusals_total{code="BAD_SIGNATURE"}')).toBe(1)
    expect(seen.get('refusals_total{code="PEER_NOT_FOUND"}')).toBe(1)
    expect(seen.get('sockets_closed_total{by="hub",code="4000"}')).toBe(1)
    expect(seen.get('sockets_closed_total{by="peer",code="other"}')).toBe(1)
    expect(seen.get('sockets_refused_total{code="BUSY"}')).toBe(1)
  })

  it('have labels that nobody on the network can choose, none of them a key or an address', async () => {
    const hub = await start()
    const keys = testKeys()
    const server = await registeredAt(hub, keys)
    const client = await connectTo(hub)
    await client.next('welcome')
    const id = await introduce(client, server, keys.key)
    client.send({ type: 'close', id, reason: 'my own words' })
    await server.next('closed')
    client.socket.close(3456, 'my own words')
    await client.closed
    const words =
      'new anonymous registered waiting open closed gone expired hub peer other p50 p99 max alone lost joined'.split(
        ' ',
      )
    const limitNames = Object.keys(defaultLimits)
    const closeCodes = Object.values(hubCloseCodes).map(String)
    const allowed = new Set<string>([
      ...words,
      ...hubErrorCodes,
      ...relayOutcomes,
      ...crossingAnswers,
      ...closeCodes,
      process.version,
      ...limitNames,
    ])
    const { text } = await get(hub)
    const labels = [...text.matchAll(/(\w+)="([^"]*)"/g)].filter(
      ([, name]) => !/^(le|version)$/.test(name ?? ''),
    )
    expect(labels.length).toBeGreaterThan(20)
    expect(labels.map(([, , value]) => value).filter((value) => !allowed.has(value ?? ''))).toEqual([])
  })

  it('count what reaches over to other nodes where the client is, with how long the answer took', async () => {
    const nodes = new ClusterNodes()
    try {
      const cluster = memory()
      const there = await nodes.start(cluster, { metrics: true })
      const here = await nodes.start(cluster, { metrics: true })
      const keys = testKeys()
      const server = await nodes.register(there, keys)
      const client = await nodes.client(here)
      const first = await introduce(client, server, keys.key)
      const during = await samples(here)
      client.send({ type: 'close', id: first, reason: 'open' })
      await server.next('closed')
      const second = await introduce(client, server, keys.key)
      client.send({ type: 'close', id: second, reason: 'another way' })
      await server.next('closed')
      client.send({ type: 'introduce', id: newId(), to: testKeys().key })
      await client.next('error')

      const seen = await samples(here)
      const expected = {
        'cluster_state{state="joined"}': 1,
        'cluster_state{state="lost"}': 0,
        'cluster_state{state="alone"}': 0,
        cluster_nodes: 2,
        cluster_neighbours: 0,
        cluster_sought_keys: 0,
        'crossings_answered_total{answer="introduced"}': 2,
        'crossings_answered_total{answer="PEER_NOT_FOUND"}': 1,
        'crossings_answered_total{answer="BUSY"}': 0,
        'crossings_ended_total{outcome="open"}': 1,
        'crossings_ended_total{outcome="closed"}': 1,
        'introductions_ended_total{outcome="open"}': 1,
        crossing_latency_seconds_count: 2,
      }
      expect(Object.fromEntries(Object.keys(expected).map((name) => [name, seen.get(name)]))).toEqual(
        expected,
      )
      expect(seen.get('crossing_latency_seconds_sum')).toBeGreaterThan(0)
      expect(during.get('cluster_neighbours')).toBe(1)
      const elsewhere = await samples(there)
      expect(elsewhere.get('crossings_answered_total{answer="introduced"}')).toBe(0)
      expect(elsewhere.get('introductions_ended_total{outcome="open"}')).toBe(0)
    } finally {
      await nodes.close()
    }
  })

  it('say of a hub that is alone that it is', async () => {
    const seen = await samples(await start())
    expect(seen.get('cluster_state{state="alone"}')).toBe(1)
    expect(seen.get('cluster_nodes')).toBe(1)
  })

  it('show an event loop that was held up', async () => {
    const hub = await start()
    // It looks at the loop every few milliseconds, and what comes before its first look it can't tell.
    const max = async () => (await samples(hub)).get('event_loop_delay_seconds{of="max"}')
    await expect.poll(max).toBeGreaterThan(0)
    const untilMs = performance.now() + 300
    while (performance.now() < untilMs);
    const seen = await samples(hub)
    expect(seen.get('event_loop_delay_seconds{of="max"}')).toBeGreaterThan(0.2)
    expect(seen.get('event_loop_delay_seconds{of="max"}')).toBeGreaterThanOrEqual(
      seen.get('event_loop_delay_seconds{of="p50"}') ?? Infinity,
    )
  })

  it('of two hubs in one process are apart', async () => {
    const [one, other] = [await start(), await start()]
    await registeredAt(one, testKeys())
    expect((await samples(one)).get('registrations_total')).toBe(1)
    expect((await samples(other)).get('registrations_total')).toBe(0)
  })
})

describe('/metrics', () => {
  it('is not there unless the operator wants it', async () => {
    expect((await get(await start({ metrics: undefined }))).status).toBe(404)
    expect((await get(await start({ metrics: false }))).status).toBe(404)
  })

  it('is there for who has the token, where there is one', async () => {
    const hub = await start({ metrics: { token: 'secret' } })
    for (const wrong of [undefined, 'secret', 'Bearer', 'Bearer secret2', 'bearer secret']) {
      expect((await get(hub, wrong)).status).toBe(401)
    }
    expect((await get(hub, 'Bearer secret')).status).toBe(200)
  })

  it('does not start with an empty token', async () => {
    await expect(startHub({ metrics: { token: '' } })).rejects.toMatchObject({ code: 'LISTEN_FAILED' })
  })
})

describe.skipIf(!canRun('promtool'))(titleOf('promtool'), () => {
  it('finds nothing wrong with their format, their names and their texts', async () => {
    const { type, text } = await get(await start())
    expect(type).toMatch(/^text\/plain; version=0\.0\.4/)
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
      input: text,
      encoding: 'utf8',
    })
    expect({ status, said: stdout + stderr }).toEqual({ status: 0, said: '' })
  })
})
