import { beforeAll, describe, expect, it, vi } from 'vitest'
import { toBase64 } from '../../../core/bytes.ts'
import { createIdentity, ready } from '../../../core/ed25519.ts'
import { goneReason } from '../../../core/hub-protocol.ts'
import { limits } from '../../../core/limits.ts'
import { MultiServer } from '../../../core/multiserver.ts'
import { generateKeys, type Keys } from '../../../plugs/keys.ts'
import { decodeFrame, encodeFrame } from '../../../plugs/rtc/frames.ts'
import rtc from '../../../plugs/rtc/index.ts'
import { SignalPath } from '../../../plugs/rtc/signal-path.ts'
import { SessionPath } from '../../../plugs/rtc/session-path.ts'
import shs from '../../../plugs/shs/index.ts'
import { FakeHub, type FakeHubPeer } from './fake-hub.ts'
import { areClosed, countingWebRtc, expectNoLeftovers, until } from './leftovers.ts'
import { connectPair } from './rtc-pair.ts'
import type { PeerMessage } from '../../../core/hub-protocol.ts'
import type { ByteStream, Listener } from '../../../core/types.ts'

let keys: Keys
beforeAll(async () => {
  await ready()
  keys = await generateKeys()
})
expectNoLeftovers()

/** WebRTC that finds no candidates, so that there can be no direct path. */
const noDirect = { iceTransportPolicy: 'relay' } as const
const token = new Uint8Array(32)
const grant = { type: 'relay', token, limits: {} } as const

/**
 * Two peers and a hub that passes nothing on by itself. There is no other way between them: what a peer sends, it sends knowing
 * no more than what the test has passed on to it. So the test counts what depends on what, and no time.
 */
async function connect(options: { client?: object; server?: object } = {}) {
  let introduced = ''
  const hub = await FakeHub.start({
    onIntroduce: (_peer, id) => (introduced = id),
    // Nobody is there.
    relayUrl: () => 'ws://127.0.0.1:9/relay',
  })
  const [atClient, atServer] = [countingWebRtc(), countingWebRtc()]
  const accepted: ByteStream[] = []
  const plug = rtc({ ...noDirect, hub: hub.url, wrtc: atServer.webRtc, ...options.server })
  const listener = (await plug.listen?.((stream) => accepted.push(stream), {
    signal: new AbortController().signal,
    identity: createIdentity(keys),
    transforms: ['shs'],
    onError: () => undefined,
    onConnectionError: () => undefined,
  })) as Listener
  const ms = MultiServer([
    [rtc({ ...noDirect, wrtc: atClient.webRtc, ...options.client }), shs({ keys: await generateKeys() })],
  ])
  const stop = new AbortController()
  const address = `rtc:127.0.0.1!:${hub.port}~shs:${toBase64(keys.publicKey)}`
  const dial = ms.client(address, { signal: stop.signal })
  dial.catch(() => undefined)
  const [server, client] = [await hub.peer(0), await hub.peer(1)]
  await client.heardThat(isOf('introduce'), 1)
  return {
    client: new Side(client, () => introduced),
    server: new Side(server, () => introduced),
    accepted,
    madeAtServer: atServer.connections,
    close: async () => {
      stop.abort()
      await expect(dial).rejects.toMatchObject({ code: 'ABORTED' })
      for (const stream of accepted) stream.abort()
      await listener.close()
      await until(() => areClosed([...atClient.connections, ...atServer.connections]), 'all is closed')
      await hub.close()
    },
  }
}

const isOf = (type: PeerMessage['type']) => (message: PeerMessage) => message.type === type

/** A peer at the hub of a test. */
class Side {
  readonly #peer: FakeHubPeer
  readonly #id: () => string
  #passed = 0

  constructor(peer: FakeHubPeer, id: () => string) {
    this.#peer = peer
    this.#id = id
  }

  /** What it hears from the hub itself. */
  say(type: 'introduced' | 'incoming' | 'relay'): void {
    const id = this.#id()
    if (type === 'introduced') this.#peer.say({ type, id, iceServers: [] })
    else if (type === 'incoming') this.#peer.say({ type, id })
    else this.#peer.say({ ...grant, id, url: 'ws://127.0.0.1:9/relay' })
  }

  heard(type: PeerMessage['type'], count = 1): Promise<void> {
    return this.#peer.heardThat(isOf(type), count)
  }

  hasSaid(type: PeerMessage['type']): boolean {
    return this.#peer.heard.some(isOf(type))
  }

  /** Passes on what it has sent until now and was not passed on. */
  passTo(other: Side): void {
    const sent = this.#peer.heard.flatMap((message) => (message.type === 'signal' ? [message.data] : []))
    const id = this.#id()
    for (const data of sent.slice(this.#passed)) other.#peer.say({ type: 'signal', id, data })
    this.#passed = sent.length
  }

  /** From now on, at once. */
  async passAllTo(other: Side): Promise<never> {
    for (;;) {
      await this.heard('signal', this.#passed + 1)
      this.passTo(other)
    }
  }
}

describe('an rtc connection that begins on the relay', () => {
  it('has the first byte of its stream at the server three round trips after the hub is there', async () => {
    const { client, server, accepted, close } = await connect()
    // To the server: the client has heard nothing but welcome.
    await client.heard('signal')
    server.say('incoming')
    client.passTo(server)
    // Back: the server knows the offer, and nothing of a circuit.
    await server.heard('relay')
    await server.heard('signal', 2)
    client.say('introduced')
    client.say('relay')
    server.passTo(client)
    // To the server: that is all that the client ever hears.
    void client.passAllTo(server)
    await until(() => accepted.length > 0, 'it is accepted')
    const [stream] = accepted
    // What shs begins with.
    expect(await stream?.read()).toHaveLength(64)
    expect(stream?.info?.path).toBe('relay')
    await close()
  })

  it('has its first bytes through before the server makes a WebRTC connection or opens a socket to the relay', async () => {
    const { client, server, accepted, madeAtServer, close } = await connect()
    await client.heard('signal')
    // Time stands still: whatever may come later comes not yet.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    server.say('incoming')
    client.passTo(server)
    await server.heard('signal', 2)
    client.say('introduced')
    client.say('relay')
    server.say('relay')
    server.passTo(client)
    void client.passAllTo(server)
    await until(() => accepted.length > 0, 'it is accepted')
    expect(await accepted[0]?.read()).toHaveLength(64)
    expect(madeAtServer).toEqual([])
    await vi.advanceTimersByTimeAsync(limits.relay.headStartMs)
    vi.useRealTimers()
    await until(() => madeAtServer.length === 1, 'it is made')
    await close()
  })

  it('has its offer made while the socket to the hub opens', async () => {
    const hub = await FakeHub.start({ greet: null })
    const { webRtc, connections } = countingWebRtc()
    const ms = MultiServer([[rtc({ wrtc: webRtc }), shs({ keys: await generateKeys() })]])
    const stop = new AbortController()
    const dial = ms.client(`rtc:127.0.0.1!:${hub.port}~shs:${toBase64(keys.publicKey)}`, {
      signal: stop.signal,
    })
    dial.catch(() => undefined)
    // It never says welcome.
    const peer = await hub.peer(0)
    await until(() => connections.length === 1, 'it is made')
    expect(peer.heard).toEqual([])
    stop.abort()
    await expect(dial).rejects.toMatchObject({ code: 'ABORTED' })
    await until(() => areClosed(connections), 'it is closed')
    await hub.close()
  })

  it('makes nothing where no hub is', async () => {
    const hub = await FakeHub.start()
    const address = `rtc:127.0.0.1!:${hub.port}~shs:${toBase64(keys.publicKey)}`
    await hub.close()
    const { webRtc, connections } = countingWebRtc()
    const ms = MultiServer([[rtc({ wrtc: webRtc }), shs({ keys: await generateKeys() })]])
    await expect(ms.client(address)).rejects.toMatchObject({ attempts: [{ code: 'HUB_LOST' }] })
    expect(connections).toEqual([])
  })

  it.each(['client', 'server'] as const)(
    'ends at both ends when the %s leaves before there is any other path: it says so by the same way',
    async (leaver) => {
      const hub = await FakeHub.start({ relayUrl: () => 'ws://127.0.0.1:9/relay' })
      const pair = await connectPair(hub.url, { ...noDirect, relay: 'first' })
      expect([pair.client.path, pair.server.path]).toEqual(['relay', 'relay'])
      const { [leaver]: mine, [leaver === 'client' ? 'server' : 'client']: far } = pair
      mine.abort()
      await expect(mine.read()).rejects.toMatchObject({ code: 'ABORTED' })
      await expect(far.read()).rejects.toMatchObject({ code: 'PEER_RESET' })
      await Promise.all([mine.closed, far.closed])
      await pair.close()
      await hub.close()
    },
  )

  it('looks for another path when each is gone from the hub before there is any but that of signals', async () => {
    const hub = await FakeHub.start({ relayUrl: () => 'ws://127.0.0.1:9/relay' })
    const pair = await connectPair(hub.url, { ...noDirect, relay: 'first', resumeMs: 3_000 })
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], shouldAdvanceTime: true })
    const [server, client] = [await hub.peer(0), await hub.peer(1)]
    const [id = ''] = client.heard.flatMap((message) => (message.type === 'introduce' ? [message.id] : []))
    const ends = [pair.client, pair.server].map((end) => end.read())
    for (const end of ends) end.catch(() => undefined)
    // Neither can know whether the other is gone, or only its socket.
    for (const peer of [server, client]) {
      peer.say({ type: 'closed', id, reason: goneReason })
      await new Promise((resolve) => peer.socket.once('pong', resolve).ping())
    }
    await vi.advanceTimersByTimeAsync(limits.introduction.lastTriesMs)
    for (const end of [pair.client, pair.server])
      await expect.poll(() => end.stats()['isSuspended'], { timeout: 10_000 }).toBe(true)
    const again = await hub.peer(2)
    await again.heardThat(({ type }) => type === 'introduce', 1)
    await vi.advanceTimersByTimeAsync(3_000 + limits.resume.serverGraceMs)
    for (const end of ends) await expect(end).rejects.toMatchObject({ code: 'PATH_LOST' })
    await Promise.all([pair.client.closed, pair.server.closed])
    await pair.close()
    await hub.close()
    vi.useRealTimers()
  })

  it('sends nothing ahead of a circuit that the hub does not grant', async () => {
    const { client, server, accepted, close } = await connect()
    await client.heard('signal')
    server.say('incoming')
    client.passTo(server)
    await server.heard('signal', 2)
    client.say('introduced')
    server.passTo(client)
    // The request for a circuit, and that there are no candidates: nothing of a session.
    await client.heard('signal', 3)
    client.passTo(server)
    expect(accepted).toEqual([])
    await close()
  })

  it.each([
    ['the client', { client: { relay: 'fallback' } }],
    ['the server', { server: { relay: 'never' } }],
  ])(
    'asks for no circuit at once, and sends nothing ahead, when %s does not want that',
    async (_who, options) => {
      const { client, server, accepted, close } = await connect(options)
      await client.heard('signal')
      server.say('incoming')
      client.passTo(server)
      await server.heard('signal', 2)
      client.say('introduced')
      client.say('relay')
      server.passTo(client)
      await client.heard('signal', 2)
      client.passTo(server)
      expect(accepted).toEqual([])
      expect(server.hasSaid('relay')).toBe(false)
      await close()
    },
  )
})

describe('the path of signals', () => {
  it('has a head start that a pause ends, or its time, or that it is full, or that it is over', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const { headStartMs, headStartPauseMs, earlyDataFrames } = limits.relay
    const begin = () => {
      const path = new SignalPath(ignore)
      let isOver = false
      void path.headStart.then(() => (isOver = true))
      path.lead()
      return { path, isOver: () => isOver }
    }
    const pausing = begin()
    await vi.advanceTimersByTimeAsync(headStartPauseMs - 1)
    expect(pausing.isOver()).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(pausing.isOver()).toBe(true)
    const busy = begin()
    for (let ms = 0; ms < headStartMs; ms += 1) {
      expect(busy.isOver()).toBe(false)
      if (ms % 2 === 0) busy.path.receive(new Uint8Array(1))
      else if (ms < earlyDataFrames) busy.path.send(new Uint8Array(1))
      await vi.advanceTimersByTimeAsync(1)
    }
    expect(busy.isOver()).toBe(true)
    const full = begin()
    for (let count = 0; count < earlyDataFrames; count += 1) full.path.send(new Uint8Array(1))
    const closed = begin()
    closed.path.close()
    await Promise.resolve()
    expect([full.isOver(), closed.isOver()]).toEqual([true, true])
    expect(vi.getTimerCount()).toBe(0)
    vi.useRealTimers()
  })

  const session = new Uint8Array(16).fill(1)
  const hello = { type: 'hello', session, received: 0, limit: 65_536 } as const
  const events = { onAnswer: ignore, onFrame: ignore, onRoom: ignore, onChange: ignore, onLost: ignore }

  it('is full for good after a few frames, and still carries the end for a while', () => {
    const sent: string[] = []
    const path = new SignalPath((frame) => sent.push(decodeFrame(frame)?.type ?? ''))
    const above = new SessionPath(path, session, { ...events, onOpen: ignore })
    above.start(hello)
    path.receive(encodeFrame(hello))
    let offset = 0
    for (; above.hasRoom(); offset += 1) above.sendData(offset, 1, (payload) => payload.fill(7))
    expect(sent.length).toBe(limits.relay.earlyDataFrames)
    for (let count = 0; count < 100; count += 1) above.send({ type: 'end', offset })
    expect(sent.length).toBe(limits.relay.earlyFrames)
    expect(above.hasRoom()).toBe(false)
    above.close()
  })

  it('takes no more bytes than it may', () => {
    let bytes = 0
    const path = new SignalPath((frame) => (bytes += frame.length))
    const above = new SessionPath(path, session, { ...events, onOpen: ignore })
    above.start(hello)
    path.receive(encodeFrame(hello))
    for (let offset = 0; above.hasRoom(); offset += 4096) above.sendData(offset, 4096, () => undefined)
    expect(bytes).toBeGreaterThanOrEqual(limits.relay.earlyBytes)
    expect(bytes).toBeLessThan(limits.relay.earlyBytes + limits.relay.earlyFrameBytes)
    above.close()
  })

  it('has begun once the far side has, keeps what comes before it is taken, and gives nothing after its end', async () => {
    const path = new SignalPath(ignore)
    path.receive(encodeFrame(hello))
    await path.begun
    let opened = 0
    const above = new SessionPath(path, session, { ...events, onOpen: () => (opened += 1) })
    above.start(hello)
    expect(opened).toBe(1)
    path.close()
    path.receive(encodeFrame({ type: 'end', offset: 0 }))
    await path.closed
    expect(above.isOpen).toBe(false)
  })
})

function ignore(): void {
  // Nothing.
}
