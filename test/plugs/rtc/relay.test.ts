import { afterEach, describe, expect, it, vi } from 'vitest'
import { createIdentity } from '../../../core/ed25519.ts'
import { MultiServer } from '../../../core/multiserver.ts'
import { limits as peerLimits } from '../../../core/limits.ts'
import type { MultiserverError } from '../../../core/errors.ts'
import type { Path } from '../../../core/types.ts'
import { generateKeys } from '../../../plugs/keys.ts'
import rtc, { type RtcOptions } from '../../../plugs/rtc/index.ts'
import shs from '../../../plugs/shs/index.ts'
import { startHub, type RunningHub, type StartHubOptions } from '../../../signal-server/index.ts'
import { defaultLimits } from '../../../signal-server/limits.ts'
import { connectOver } from '../../conformance/transport-cases.ts'
import { DirectGate } from './direct-gate.ts'
import { FakeHub } from './fake-hub.ts'
import { FakeRelay, type Tamper } from './fake-relay.ts'
import { countingWebRtc, expectNoLeftovers, until } from './leftovers.ts'
import { connectPair, exchange, type Pair } from './rtc-pair.ts'

const mebibyte = 1024 * 1024
/** WebRTC that finds no candidates, so that there can be no direct path. */
const noDirect = { iceTransportPolicy: 'relay' } as const
const quick = { relayBytesPerSecond: 64 * mebibyte, relayBytesPerSecondPerPeer: 64 * mebibyte }

expectNoLeftovers()

const hubs: RunningHub[] = []
afterEach(async () => {
  for (const hub of hubs.splice(0)) await hub.close()
})

async function start(options: StartHubOptions = {}): Promise<RunningHub> {
  const limits = { ...quick, ...options.limits }
  const hub = await startHub({ port: 0, exemptLoopback: true, metrics: true, ...options, limits })
  hubs.push(hub)
  return hub
}

/** How many circuits the hub has now, or had. */
async function circuits(
  { url }: RunningHub,
  which: 'relay_circuits{stage="open"}' | 'relay_circuits_opened_total',
) {
  const text = await (await fetch(`${url.replace('ws', 'http')}/metrics`)).text()
  return Number(/ (\d+)$/m.exec(text.slice(text.indexOf(`\nmultiserver_hub_${which} `)))?.[1])
}

async function readAll({ server }: Pair): Promise<void> {
  while ((await server.read()) !== null);
}

describe('an rtc connection that can have no direct path', () => {
  it.each(['first', 'fallback'] as const)(
    'opens over the relay of the hub (%s), carries both ways and ends',
    async (relay) => {
      const pair = await connectPair((await start()).url, { ...noDirect, relay })
      expect([pair.client.path, pair.server.path]).toEqual(['relay', 'relay'])
      await exchange(pair, 4 * mebibyte)
      expect([pair.client.error, pair.server.error]).toEqual([undefined, undefined])
      await pair.close()
    },
  )

  it('goes at the rate of the relay, for as long as that takes', async () => {
    const { relayBytesPerSecond, relayBytesPerSecondPerPeer } = defaultLimits
    const hub = await start({ limits: { relayBytesPerSecond, relayBytesPerSecondPerPeer } })
    const pair = await connectPair(hub.url, { ...noDirect, relay: 'first' })
    const begunAt = performance.now()
    await exchange(pair, mebibyte)
    // 2 MiB in all at a quarter of one a second, and the burst of a second and what a read of the sockets is ahead.
    expect(performance.now() - begunAt).toBeGreaterThan(6_000)
    expect(pair.client.stats()).toMatchObject({ pathChanges: 1, resumes: 0 })
    // What went ahead of the circuit, as far as it was not acknowledged by then.
    expect(pair.client.stats()['resentBytes']).toBeLessThanOrEqual(peerLimits.relay.earlyBytes)
    await pair.close()
  }, 60_000)

  it('delivers all that was written before the end, however long that takes', async () => {
    const hub = await start({ limits: { relayBytesPerSecond: 256 * 1024 } })
    const keys = await generateKeys()
    // Far less than the bytes take that a session holds.
    const lingerMs = 2_000
    const plug = () => rtc({ hub: hub.url, ...noDirect, relay: 'first' })
    const server = MultiServer([[plug(), shs({ keys, lingerMs })]])
    const received: number[] = []
    const close = server.server(async (connection) => {
      expect(await connection.read()).toBeNull()
      await connection.write(new Uint8Array(1.5 * mebibyte))
      await connection.end()
    })
    await close.listening
    const client = await MultiServer([[plug(), shs({ keys: await generateKeys() })]]).client(
      server.stringify('device'),
    )
    void client.end()
    for await (const chunk of client) received.push(chunk.length)
    expect(received.reduce((sum, length) => sum + length, 0)).toBe(1.5 * mebibyte)
    await client.close()
    await close()
  }, 60_000)

  it('goes on through a new circuit when hub and relay are restarted', async () => {
    const hub = await start()
    const pair = await connectPair(hub.url, { ...noDirect, relay: 'first' })
    await exchange(pair, 8 * mebibyte, async (read) => {
      await until(() => read() > 2 * mebibyte, 'something has come', 20_000)
      await hub.close()
      await start({ port: Number(new URL(hub.url).port) })
    })
    expect(pair.client.stats()).toMatchObject({ resumes: 1, path: 'relay' })
    await pair.close()
  })

  it.each([
    ['the server does not consent', { client: 'first', server: 'never' }],
    ['the client does not ask', { client: 'never', server: 'first' }],
  ] as const)('is not dialed when %s', async (_why, relay) => {
    const hub = await start()
    const dial = connectPair(hub.url, { ...noDirect, relay: relay.server }, undefined, {
      options: { ...noDirect, relay: relay.client },
      timeoutMs: 3_000,
    })
    await expect(dial).rejects.toMatchObject({ code: 'TIMEOUT' })
    expect(await circuits(hub, 'relay_circuits_opened_total')).toBe(0)
  })
})

describe('an rtc connection that begins on the relay', () => {
  it('moves to the direct path once it stands, in that order, and loses nothing', async () => {
    const gate = new DirectGate()
    const pair = await connectPair((await start()).url, { relay: 'first' }, gate.prepare)
    const changes: [Path[], Path[]] = [[], []]
    pair.client.on('path', (path) => changes[0].push(path))
    pair.server.on('path', (path) => changes[1].push(path))
    expect([pair.client.path, pair.server.path]).toEqual(['relay', 'relay'])
    await exchange(pair, 32 * mebibyte, async (read) => {
      await until(() => read() > 4 * mebibyte, 'something has come', 20_000)
      gate.open()
      await until(() => pair.client.path === 'direct', 'it has moved', 20_000)
    })
    expect(changes).toEqual([['direct'], ['direct']])
    expect(pair.client.stats()).toMatchObject({ pathChanges: 2, resumes: 0 })
    // The dial was over before the direct path was there, which tells of itself.
    expect(pair.client.stats()['stageMs']).not.toHaveProperty('dtls')
    for (const { pathMs } of [pair.client.stats(), pair.server.stats()]) {
      expect(Object.keys(Object(pathMs)).toSorted()).toEqual(['dtls', 'ice', 'relay'])
    }
    await pair.close()
  })

  it('closes the circuit once the direct path has stood for a while', async () => {
    const hub = await start()
    const gate = new DirectGate()
    const pair = await connectPair(hub.url, { relay: 'first' }, gate.prepare)
    await vi.waitFor(async () => expect(await circuits(hub, 'relay_circuits{stage="open"}')).toBe(1))
    gate.open()
    await until(() => pair.client.path === 'direct', 'it has moved', 20_000)
    await until(() => pair.client.stats()['openPaths'] === 1, 'the circuit is closed', 20_000)
    await until(() => pair.server.stats()['openPaths'] === 1, 'the server knows', 20_000)
    await pair.client.write(Uint8Array.of(1))
    expect(await pair.server.read()).toEqual(Uint8Array.of(1))
    expect(await circuits(hub, 'relay_circuits{stage="open"}')).toBe(0)
    await pair.close()
  })

  it('goes back to the relay when the direct path dies, and loses nothing', async () => {
    const gate = new DirectGate()
    gate.open()
    const pair = await connectPair((await start()).url, { relay: 'first' }, gate.prepare)
    await until(() => pair.client.path === 'direct', 'it is direct')
    await exchange(pair, 16 * mebibyte, async (read) => {
      await until(() => read() > 4 * mebibyte, 'something has come', 20_000)
      gate.close()
      pair.clientChannels.at(-1)?.close()
      await until(() => pair.client.path === 'relay', 'it is relayed', 20_000)
      await until(() => pair.server.path === 'relay', 'the server knows', 20_000)
    })
    expect(pair.client.error).toBeUndefined()
    await pair.close()
  })

  it('looks for the direct path again when the first try has found none', async () => {
    let made = 0
    const pair = await connectPair((await start()).url, { relay: 'first' }, (connection) => {
      made += 1
      // Whatever the first two could have connected with is lost.
      if (made <= 2) connection.addIceCandidate = () => Promise.resolve()
    })
    expect([pair.client.path, pair.server.path]).toEqual(['relay', 'relay'])
    await until(() => pair.client.path === 'direct', 'it has moved', 20_000)
    await exchange(pair, mebibyte)
    expect(pair.client.stats()).toMatchObject({ pathChanges: 2, resumes: 0 })
    await pair.close()
  })

  it('moves to the direct path although nobody listens any more', async () => {
    const hub = await start()
    const gate = new DirectGate()
    const { webRtc } = countingWebRtc(gate.prepare)
    const keys = await generateKeys()
    const connecting = connectOver({
      create: () => rtc({ hub: hub.url, wrtc: webRtc }),
      deadSection: '',
      identity: createIdentity(keys),
      remoteKey: keys.publicKey,
    })
    await vi.waitFor(async () => expect(await circuits(hub, 'relay_circuits{stage="open"}')).toBe(1))
    gate.open()
    const [client, server] = await connecting
    await until(() => client.info?.path === 'direct' && server.info?.path === 'direct', 'it has moved')
    client.abort()
    await Promise.all([client.closed, server.closed])
  })

  it('is as any other where the hub does not relay', async () => {
    const pair = await connectPair((await start({ relay: false })).url, { relay: 'first' })
    expect(pair.client.path).toBe('direct')
    await exchange(pair, mebibyte)
    await pair.close()
  })

  it('is direct when a peer has as many circuits as it may', async () => {
    const hub = await start({ limits: { relayCircuitsPerPeer: 1 } })
    const gate = new DirectGate()
    const pair = await connectPair(hub.url, { relay: 'first' }, gate.prepare)
    expect(pair.client.path).toBe('relay')
    // What goes ahead of the circuit is on its path already.
    await expect.poll(() => circuits(hub, 'relay_circuits_opened_total'), { timeout: 10_000 }).toBe(1)
    gate.open()
    const second = await pair.dial()
    expect(second.path).toBe('direct')
    expect(await circuits(hub, 'relay_circuits_opened_total')).toBe(1)
    second.abort()
    await pair.close()
  })
})

describe('the limits of a relay', () => {
  it('are said at four fifths and when they bite, and then that hub is asked for no more', async () => {
    const hub = await start({ limits: { relayBytes: mebibyte } })
    const said: MultiserverError[] = []
    const onRelayLimit = (error: MultiserverError) => said.push(error)
    const options: RtcOptions = { ...noDirect, relay: 'first', resumeMs: 3_000 }
    const pair = await connectPair(hub.url, options, undefined, { options: { ...options, onRelayLimit } })
    const reading = readAll(pair).catch(() => undefined)
    await pair.client.write(new Uint8Array(700 * 1024))
    // What went ahead as signals is not the relay's.
    const { earlyBytes, earlyFrameBytes } = peerLimits.relay
    const leastBytes = 700 * 1024 - earlyBytes - earlyFrameBytes
    await until(() => Number(Object(pair.client.stats()['relay'])['bytes']) > leastBytes, 'it has left')
    expect(said).toEqual([])
    await pair.client.write(new Uint8Array(200 * 1024))
    await until(() => said.length === 1, 'it is said')
    expect(pair.client.stats()['relay']).toMatchObject({ limitBytes: mebibyte, isNearLimit: true })
    for (let chunks = 0; chunks < 10; chunks += 1) await pair.client.write(new Uint8Array(64 * 1024))
    await expect(pair.client.read()).rejects.toMatchObject({
      code: 'PATH_LOST',
      cause: { code: 'RELAY_LIMIT', message: expect.stringContaining('all it may have') },
    })
    expect(said.map(({ code }) => code)).toEqual(['RELAY_LIMIT', 'RELAY_LIMIT'])
    expect(said.map(({ message }) => message)).toEqual([
      expect.stringContaining('80 % of the bytes'),
      expect.stringContaining('all it may have'),
    ])
    expect(await circuits(hub, 'relay_circuits_opened_total')).toBe(1)
    await pair.close()
    await reading
  })
})

describe('a relay that is not honest', () => {
  const flip = (frame: Buffer) => {
    const changed = Buffer.from(frame)
    changed[changed.length >> 1] = (changed[changed.length >> 1] ?? 0) ^ 1
    return changed
  }
  let kept: Buffer | undefined

  it.each<[string, Tamper]>([
    ['changes a bit', (data, index) => [{ data: index === 9 ? flip(data) : data }]],
    ['changes the first message', (data, index) => [{ data: index === 0 ? flip(data) : data }]],
    ['cuts a message', (data, index) => [{ data: index === 9 ? data.subarray(1) : data }]],
    ['repeats a message', (data, index) => (index === 9 ? [{ data }, { data }] : [{ data }])],
    ['loses a message', (data, index) => (index === 9 ? [] : [{ data }])],
    ['sends a message back', (data, index) => (index === 9 ? [{ data, back: true }] : [{ data }])],
    ['makes up a message', (data, index) => (index === 9 ? [{ data: Buffer.alloc(46) }] : [{ data }])],
    ['makes up an empty message', (data, index) => (index === 9 ? [{ data: Buffer.alloc(0) }] : [{ data }])],
    ['says something', (data, index) => (index === 9 ? [{ data: 'open' }, { data }] : [{ data }])],
    [
      'swaps two messages',
      (data, index) => {
        if (index === 9) kept = data
        if (index === 9) return []
        return index === 10 && kept !== undefined ? [{ data }, { data: kept }] : [{ data }]
      },
    ],
  ])('that %s loses its circuit, and the connection goes on through another', async (_what, tamper) => {
    const relay = await FakeRelay.start()
    const honest: Tamper = relay.tamper
    const hub = await FakeHub.start({
      relayUrl(circuitsBefore) {
        relay.tamper = circuitsBefore === 0 ? tamper : honest
        return relay.url
      },
    })
    const gate = new DirectGate()
    const connecting = connectPair(hub.url, { relay: 'first' }, gate.prepare)
    // Whoever is cheated before the session stands has its direct path left.
    const waiting = setTimeout(() => gate.open(), 1_000)
    const pair = await connecting
    clearTimeout(waiting)
    await exchange(pair, 2 * mebibyte)
    expect([pair.client.error, pair.server.error]).toEqual([undefined, undefined])
    await pair.close()
    await hub.close()
    await relay.close()
  })

  it.each(['ws://localhost', 'ws://127.0.0.2', 'wss://127.0.0.1'])(
    'or a hub that would have it at %s, is not connected to',
    async (where) => {
      const relay = await FakeRelay.start()
      const { port } = new URL(relay.url)
      const hub = await FakeHub.start({ relayUrl: () => `${where}:${port}/relay` })
      const pair = await connectPair(hub.url, { relay: 'first' })
      await until(() => pair.client.path === 'direct', 'it is direct')
      expect(relay.sockets).toBe(0)
      await pair.close()
      await hub.close()
      await relay.close()
    },
  )
})
