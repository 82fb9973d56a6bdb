import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { fromBase64Url, toBase64, toBase64Url } from '../../../core/bytes.ts'
import { encodeHubMessage } from '../../../core/hub-protocol.ts'
import { limits } from '../../../core/limits.ts'
import { MultiServer } from '../../../core/multiserver.ts'
import { generateKeys, type Keys } from '../../../plugs/keys.ts'
import { HubSocket } from '../../../plugs/rtc/hub-socket.ts'
import rtc, { type RtcOptions } from '../../../plugs/rtc/index.ts'
import shs from '../../../plugs/shs/index.ts'
import { FakeHub, welcome, type FakeHubRules, type PassingSignal } from './fake-hub.ts'
import { areClosed, countingWebRtc, resources, until, untilOnly } from './leftovers.ts'
import type { Connection } from '../../../core/connection.ts'
import type { MultiserverError } from '../../../core/errors.ts'

/** Without a TURN server there is no candidate but the empty one: what comes late is found out before any path. */
const noPath: RtcOptions = { iceTransportPolicy: 'relay' }

let before: string[] = []
let peers: Peer[] = []
let hub: FakeHub | undefined

beforeEach(() => {
  before = resources()
})
afterEach(async () => {
  vi.useRealTimers()
  for (const peer of peers) await peer.close()
  await hub?.close()
  const connections = peers.flatMap((peer) => peer.webRtc.connections)
  peers = []
  hub = undefined
  await until(() => areClosed(connections), 'every WebRTC connection is closed')
  await untilOnly(before)
})

describe('a hub', () => {
  it('that is honest connects, and leaves nothing', async () => {
    const { client, server } = await meet({})
    const connection = await dial(client, server)
    expect(connection.remote).toEqual(server.keys.publicKey)
    await connection.write(Uint8Array.of(1, 2, 3))
    expect(await (await server.accepted()).read()).toEqual(Uint8Array.of(1, 2, 3))
    connection.abort()
    await connection.closed
  })

  it('that introduces another peer than was asked for connects nobody', async () => {
    let other = ''
    const { client, server } = await meet({ choose: () => other })
    const impostor = await listening()
    other = toBase64(impostor.keys.publicKey)
    expect(await failure(client, server)).toMatchObject({ code: 'CONNECT_FAILED' })
    await until(() => impostor.errors.length > 0, 'the other peer notices')
    expect(impostor.errors[0]).toMatchObject({ code: 'SIGNAL_INVALID' })
    expect([impostor, server].flatMap(({ connections }) => connections)).toEqual([])
    expect(impostor.webRtc.connections).toEqual([])
  })

  it('that swaps the offers of two introductions connects nobody', async () => {
    const { client, server } = await meet({ onSignal: swapFirst('client') })
    const second = dialer()
    const failures = await Promise.all([failure(client, server), failure(second, server)])
    expect(failures.map(({ code }) => code)).toEqual(['CONNECT_FAILED', 'CONNECT_FAILED'])
    await until(() => server.errors.length >= 2, 'the server notices')
    expect(server.errors.map(({ code }) => code)).toEqual(['SIGNAL_INVALID', 'SIGNAL_INVALID'])
    expect(server.webRtc.connections).toEqual([])
  })

  it('that swaps the answers of two introductions connects nobody', async () => {
    const { client, server } = await meet({ onSignal: swapFirst('server') })
    const second = dialer()
    const failures = await Promise.all([failure(client, server), failure(second, server)])
    expect(failures.map(({ code }) => code)).toEqual(['SIGNAL_INVALID', 'SIGNAL_INVALID'])
    await until(() => server.errors.length >= 2, 'the server hears of it')
    expect(server.connections).toEqual([])
  })

  it.each([
    ['the offer at once', 'client', 0, 'server'],
    ['the answer at once', 'server', 0, 'client'],
    ['the end of the candidates of the client', 'client', 1, 'server'],
    ['the end of the candidates of the server', 'server', 1, 'client'],
  ] as const)('that repeats %s is found out', async (_name, from, index, victim) => {
    const onSignal = (signal: PassingSignal) =>
      signal.from === from && signal.index === index ? [signal, signal] : [signal]
    await expectFoundOut({ onSignal }, victim, index === 0 ? {} : noPath)
  })

  it('that repeats an offer in another introduction opens nothing', async () => {
    const offers: string[] = []
    const { client, server } = await meet({
      onSignal(signal) {
        if (signal.from === 'client' && signal.index === 0) offers.push(signal.data)
        return [
          {
            id: signal.id,
            data: signal.from === 'client' && signal.index === 0 ? (offers[0] ?? '') : signal.data,
          },
        ]
      },
    })
    const first = await dial(client, server)
    const made = server.webRtc.connections.length
    expect(await failure(client, server)).toMatchObject({ code: 'CONNECT_FAILED' })
    await until(() => server.errors.length > 0, 'the server notices')
    expect(server.errors[0]).toMatchObject({ code: 'SIGNAL_INVALID' })
    expect(server.webRtc.connections).toHaveLength(made)
    first.abort()
    await first.closed
  })

  it.each([
    ['client', 'server'],
    ['server', 'client'],
  ] as const)('that reorders the candidates of the %s is found out', async (from, victim) => {
    let held: PassingSignal | undefined
    const onSignal = (signal: PassingSignal) => {
      // Those of the other side would let a path open first.
      if (signal.from !== from) return signal.index === 0 ? [signal] : []
      if (signal.index === 0) return [signal]
      if (signal.index === 1) held = signal
      return signal.index === 1 || held === undefined ? [] : [signal, held]
    }
    await expectFoundOut({ onSignal }, victim)
  })

  it.each([
    ['an offer', 'client', 0, 'server'],
    ['an answer', 'server', 0, 'client'],
    ['the end of the candidates of the client', 'client', 1, 'server'],
    ['the end of the candidates of the server', 'server', 1, 'client'],
  ] as const)('that changes one bit of %s is found out', async (_name, from, index, victim) => {
    const onSignal = (signal: PassingSignal) =>
      signal.from === from && signal.index === index ? [{ ...signal, data: flipBit(signal.data) }] : [signal]
    await expectFoundOut({ onSignal }, victim, index === 0 ? {} : noPath)
  })

  it.each([
    ['offers', 'client'],
    ['all that the server says', 'server'],
  ] as const)('that drops %s ends in the deadline of the dial', async (_name, from) => {
    const { client, server } = await meet({
      onSignal: (signal) => (signal.from === from ? [] : [signal]),
    })
    const started = performance.now()
    await expect(client.ms.client(addressOf(server), { timeoutMs: 800 })).rejects.toMatchObject({
      code: 'TIMEOUT',
    })
    expect(performance.now() - started).toBeLessThan(2000)
  })

  it('that drops answers alone is found out by what follows', async () => {
    const onSignal = (signal: PassingSignal) =>
      signal.from === 'server' && signal.index === 0 ? [] : [signal]
    await expectFoundOut({ onSignal }, 'client')
  })

  it('that drops every candidate ends in the deadline of the dial', async () => {
    const { client, server } = await meet({ onSignal: (signal) => (signal.index > 0 ? [] : [signal]) })
    await expect(client.ms.client(addressOf(server), { timeoutMs: 1500 })).rejects.toMatchObject({
      code: 'TIMEOUT',
    })
    await until(() => areClosed(server.webRtc.connections), 'the server gives up with the client')
  })

  it.each([
    ['binary', (peer) => peer.socket.send(Uint8Array.of(1, 2, 3)), 'HUB_LOST'],
    ['garbage', (peer) => peer.socket.send('{"type":'), 'HUB_LOST'],
    ['a list', (peer) => peer.socket.send('[]'), 'HUB_LOST'],
    ['too much', (peer) => peer.socket.send('x'.repeat(100_000)), 'HUB_LOST'],
    [
      'deep nesting',
      (peer) => peer.socket.send(`{"a":${'['.repeat(30_000)}${']'.repeat(30_000)}}`),
      'HUB_LOST',
    ],
    ['a goodbye', (peer) => peer.socket.close(4408, 'go away'), 'HUB_LOST'],
    ['a cut', (peer) => peer.socket.terminate(), 'HUB_LOST'],
    ['BUSY', (peer, id) => peer.say({ type: 'error', code: 'BUSY', message: '', id }), 'BUSY'],
    ['RATE', (peer, id) => peer.say({ type: 'error', code: 'RATE', message: '', id }), 'BUSY'],
    ['INVALID', (peer, id) => peer.say({ type: 'error', code: 'INVALID', message: '', id }), 'HUB_REFUSED'],
    [
      'an absent peer',
      (peer, id) => peer.say({ type: 'error', code: 'PEER_NOT_FOUND', message: '', id }),
      'PEER_NOT_FOUND',
    ],
    ['closed', (peer, id) => peer.say({ type: 'closed', id, reason: 'no' }), 'CONNECT_FAILED'],
    [
      'a signal that is none',
      (peer, id) => {
        peer.say({ type: 'introduced', id, iceServers: [] })
        peer.say({ type: 'signal', id, data: toBase64Url(new Uint8Array(200)) })
      },
      'SIGNAL_INVALID',
    ],
  ] as [string, NonNullable<FakeHubRules['onIntroduce']>, string][])(
    'that answers with %s gives an error at once',
    async (_name, onIntroduce, code) => {
      const { client, server } = await meet({ onIntroduce })
      const started = performance.now()
      expect(await failure(client, server)).toMatchObject({ code })
      expect(performance.now() - started).toBeLessThan(2000)
    },
  )

  it.each([
    ['nothing', null],
    ['what is not its turn', (peer) => peer.say({ type: 'registered', iceServers: [] })],
  ] as [string, NonNullable<FakeHubRules['greet']> | null][])(
    'that says %s and never answers ends in the deadline of the dial',
    async (_name, greet) => {
      hub = await FakeHub.start({ greet, onIntroduce: () => undefined })
      const client = dialer()
      const address = `rtc:127.0.0.1!:${hub.port}~shs:${toBase64((await generateKeys()).publicKey)}`
      await expect(client.ms.client(address, { timeoutMs: 400 })).rejects.toMatchObject({ code: 'TIMEOUT' })
    },
  )

  it('that keeps talking and never says welcome is given up in time', async () => {
    hub = await FakeHub.start({ greet: null })
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const socket = new HubSocket(hub.url)
    const peer = await hub.peer(0)
    for (let round = 0; round < 9; round++) {
      vi.advanceTimersByTime(limits.hub.answerTimeoutMs / 10)
      const answered = once(peer.socket, 'pong')
      peer.say({ type: 'ice-servers', iceServers: [] })
      peer.socket.ping()
      await answered
    }
    expect(peer.socket.readyState).toBe(1)
    vi.advanceTimersByTime(limits.hub.answerTimeoutMs / 10)
    await expect(socket.welcome).rejects.toMatchObject({ code: 'HUB_LOST' })
    await socket.closed
    expect(vi.getTimerCount()).toBe(0)
  })

  it('that announces thousands of introductions gets BUSY, and no WebRTC connection is made', async () => {
    const { server } = await meet({})
    const peer = await hubOf().peer(0)
    for (let count = 0; count < 5000; count++) peer.say({ type: 'incoming', id: newId() })
    const isBusy = (message: { type: string; reason?: string }) =>
      message.type === 'close' && message.reason === 'BUSY'
    await peer.heardThat(isBusy, 5000 - limits.introduction.unopened)
    expect(server.errors).toEqual([])
    await peer.heardThat(isBusy, 5000)
    expect(server.errors).toHaveLength(limits.introduction.unopened)
    expect(server.errors.every(({ code }) => code === 'BUSY')).toBe(true)
    expect(server.webRtc.connections).toEqual([])
  }, 20_000)

  it('that sends signals of its own making opens nothing', async () => {
    const { server } = await meet({})
    const peer = await hubOf().peer(0)
    for (let count = 0; count < 60; count++) {
      const id = newId()
      peer.say({ type: 'incoming', id })
      peer.say({ type: 'signal', id, data: toBase64Url(Uint8Array.from(randomBytes(32 + count * 10))) })
    }
    await peer.heardThat(({ type }) => type === 'close', 60)
    expect(server.errors.map(({ code }) => code)).toEqual(Array(60).fill('SIGNAL_INVALID'))
    expect(server.webRtc.connections).toEqual([])
  })

  it('that makes a server answer and does not read is dropped before the memory is filled', async () => {
    const { server } = await meet({})
    const peer = await hubOf().peer(0)
    peer.socket.pause()
    const lost = () => server.errors.some(({ code }) => code === 'HUB_LOST')
    // The sockets between take some megabytes of it.
    for (let count = 0; !lost() && count < 400_000; count++) {
      peer.say({ type: 'incoming', id: newId() })
      if (count % 1000 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await until(lost, 'the hub is dropped')
    expect(server.errors.find(({ code }) => code === 'HUB_LOST')?.message).toContain('does not read')
    peer.socket.terminate()
  }, 30_000)

  it('that names evil ICE servers has them left out, and the rest rewritten', async () => {
    const evil = [
      { urls: ['stun:169.254.169.254', 'stun:[fd00:ec2::254]', 'stun:0.0.0.0', 'stun:[ff02::1]:3478'] },
      { urls: ['turn:192.0.2.1'] },
      { urls: ['turn:168.63.129.16?transport=udp'], username: 'u', credential: 'c' },
      { urls: ['stun:127.0.0.1:9', 'stun:%00', 'stun:a b', 'stun:user@192.0.2.1', 'stun:192.0.2.1:99999'] },
    ]
    const { client, server } = await meet({
      greet: (peer) =>
        peer.socket.send(JSON.stringify({ ...JSON.parse(encodeHubMessage(welcome())), iceServers: evil })),
      onIntroduce(peer, id) {
        peer.socket.send(JSON.stringify({ type: 'introduced', id, iceServers: evil }))
      },
    })
    const stop = new AbortController()
    const dialing = client.ms.client(addressOf(server), { signal: stop.signal })
    dialing.catch(() => undefined)
    // As it is made, and as it gathers.
    await until(() => client.webRtc.configurations.length === 2, 'it knows its servers')
    stop.abort()
    await expect(dialing).rejects.toMatchObject({ code: 'ABORTED' })
    const urls = client.webRtc.configurations.flatMap(
      (configuration) => configuration?.iceServers?.flatMap((each) => each.urls) ?? [],
    )
    expect(client.webRtc.connections).toHaveLength(1)
    expect(urls).toEqual(['stun:127.0.0.1:9'])
  })
})

interface Peer {
  readonly ms: ReturnType<typeof MultiServer>
  readonly keys: Keys
  readonly webRtc: ReturnType<typeof countingWebRtc>
  readonly connections: Connection[]
  readonly errors: MultiserverError[]
  accepted(): Promise<Connection>
  close: () => Promise<void>
}

const allKeys = await Promise.all(Array.from({ length: 4 }, () => generateKeys()))

function hubOf(): FakeHub {
  if (hub === undefined) throw new Error('no hub')
  return hub
}

/** A hub with these rules, a server that listens at it and a client. */
async function meet(rules: FakeHubRules, options: RtcOptions = {}): Promise<{ client: Peer; server: Peer }> {
  hub = await FakeHub.start(rules)
  const server = await listening(options)
  return { client: makePeer(options), server }
}

async function listening(options?: RtcOptions): Promise<Peer> {
  const peer = makePeer(options)
  const closeServer = peer.ms.server(
    (connection) => peer.connections.push(connection),
    (error) => peer.errors.push(error),
  )
  peer.close = async () => {
    for (const connection of peer.connections) connection.abort()
    await closeServer()
  }
  await closeServer.listening
  return peer
}

function dialer(): Peer {
  return makePeer()
}

function makePeer(options: RtcOptions = {}): Peer {
  const keys = allKeys[peers.length]
  if (keys === undefined) throw new Error('more peers than keys')
  const webRtc = countingWebRtc()
  const connections: Connection[] = []
  const peer = {
    ms: MultiServer([[rtc({ ...options, hub: hubOf().url, wrtc: webRtc.webRtc }), shs({ keys })]]),
    keys,
    webRtc,
    connections,
    errors: [],
    async accepted() {
      await until(() => connections.length > 0, 'a connection')
      return connections[0] as Connection
    },
    close: () => Promise.resolve(),
  }
  peers.push(peer)
  return peer
}

function addressOf({ keys }: Peer): string {
  return `rtc:127.0.0.1!:${hubOf().port}~shs:${toBase64(keys.publicKey)}`
}

function dial(client: Peer, server: Peer): Promise<Connection> {
  return client.ms.client(addressOf(server), { timeoutMs: 8000 })
}

/** What the attempt failed with. */
async function failure(client: Peer, server: Peer): Promise<MultiserverError> {
  const thrown = await dial(client, server).then(
    () => undefined,
    (error: MultiserverError) => error,
  )
  expect(thrown).toMatchObject({ code: 'DIAL_FAILED' })
  const attempt = thrown?.attempts?.[0]
  if (attempt === undefined) throw new Error('it did not fail')
  return attempt
}

/** The victim notices, and nobody is connected. */
async function expectFoundOut(
  rules: FakeHubRules,
  victim: 'client' | 'server',
  options: RtcOptions = {},
): Promise<void> {
  const { client, server } = await meet(rules, options)
  const error = await failure(client, server)
  if (victim === 'client') expect(error.code).toBe('SIGNAL_INVALID')
  else await until(() => server.errors.some(({ code }) => code === 'SIGNAL_INVALID'), 'the server notices')
  expect(server.connections).toEqual([])
}

/** Exchanges the first signals that `from` sends in two introductions. */
function swapFirst(from: 'client' | 'server'): NonNullable<FakeHubRules['onSignal']> {
  let held: PassingSignal | undefined
  return (signal) => {
    if (signal.from !== from || signal.index !== 0) return [signal]
    if (held === undefined) {
      held = signal
      return []
    }
    return [
      { id: signal.id, data: held.data },
      { id: held.id, data: signal.data },
    ]
  }
}

function flipBit(data: string): string {
  const bytes = fromBase64Url(data)
  if (bytes === null) throw new Error('no base64url')
  const at = bytes.length >> 1
  bytes[at] = (bytes[at] ?? 0) ^ 1
  return toBase64Url(bytes)
}

function newId(): string {
  return toBase64Url(Uint8Array.from(randomBytes(16)))
}
