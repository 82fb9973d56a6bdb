import { createServer, type AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { WebSocket } from 'ws'
import { toBase64Url } from '../../../core/bytes.ts'
import { createIdentity, ready } from '../../../core/ed25519.ts'
import { type MultiserverError } from '../../../core/errors.ts'
import { limits } from '../../../core/limits.ts'
import { MultiServer } from '../../../core/multiserver.ts'
import { generateKeys } from '../../../plugs/keys.ts'
import rtc from '../../../plugs/rtc/index.ts'
import { HubSocket } from '../../../plugs/rtc/hub-socket.ts'
import { Registration, type RegistrationOptions } from '../../../plugs/rtc/registration.ts'
import shs from '../../../plugs/shs/index.ts'
import { openWebSocket } from '../../../plugs/websocket.ts'
import { startHub } from '../../../signal-server/index.ts'
import { FakeHub, welcome, type FakeHubPeer, type FakeHubRules } from './fake-hub.ts'
import { resources, until, untilOnly } from './leftovers.ts'
import type { Identity } from '../../../core/types.ts'

vi.mock('node:os', async (load) => {
  const os = await load<typeof import('node:os')>()
  return { ...os, networkInterfaces: vi.fn(os.networkInterfaces) }
})

vi.mock('../../../plugs/websocket.ts', async (load) => {
  const real = await load<typeof import('../../../plugs/websocket.ts')>()
  return { ...real, openWebSocket: vi.fn(real.openWebSocket) }
})
const { openWebSocket: openRealWebSocket } = await vi.importActual<
  typeof import('../../../plugs/websocket.ts')
>('../../../plugs/websocket.ts')

beforeAll(ready)
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
  vi.mocked(networkInterfaces).mockReset()
  vi.mocked(openWebSocket).mockReset()
})

describe('a registration', () => {
  it('is made again after its hub was restarted, and each loss is reported once', async () => {
    const before = resources()
    const first = await startHub({ port: 0 })
    const port = Number(new URL(first.url).port)
    const { registration, errors } = await register({ hubUrl: first.url })
    await registration.registered
    for (let losses = 1; losses <= 2; losses++) {
      const old = losses === 1 ? first : await again()
      await until(() => registration.isRegistered, 'registered again')
      await old.close()
      await until(() => errors.length >= losses, 'the loss is reported')
      expect(registration.isRegistered).toBe(false)
    }
    const last = await again()
    await until(() => registration.isRegistered, 'registered again')
    expect(errors.map(({ code }) => code)).toEqual(['HUB_LOST', 'HUB_LOST'])
    await registration.close()
    await last.close()
    await untilOnly(before)

    function again() {
      return startHub({ port })
    }
  }, 30_000)

  it('reports a hub that is away once, however often it tries', async () => {
    const before = resources()
    let tries = 0
    const dead = createServer((socket) => {
      tries += 1
      socket.destroy()
    })
    await new Promise<void>((resolve) => dead.listen(0, '127.0.0.1', resolve))
    const hubUrl = `ws://127.0.0.1:${(dead.address() as AddressInfo).port}`
    const { errors, registration } = await register({ hubUrl })
    await until(() => tries === 3, 'the third try')
    expect(errors.map(({ code, address }) => [code, address])).toEqual([['HUB_LOST', hubUrl]])
    await registration.close()
    await new Promise((resolve) => dead.close(resolve))
    await untilOnly(before)
  }, 20_000)

  it('is made again when the socket is cut without a word', async () => {
    const hub = await FakeHub.start()
    const { registration, errors } = await register({ hubUrl: hub.url })
    await registration.registered
    ;(await hub.peer(0)).socket.terminate()
    await hub.peer(1)
    await until(() => registration.isRegistered, 'registered again')
    expect(errors.map(({ code }) => code)).toEqual(['HUB_LOST'])
    await registration.close()
    await hub.close()
  })

  it('reports why its hub hung up in text that can be printed', async () => {
    const hub = await FakeHub.start()
    const { registration, errors } = await register({ hubUrl: hub.url })
    await registration.registered
    const reason = 'go\u001B[31m \r\n\u0000away\u202E\u2028\u0085, now! \u0007'
    ;(await hub.peer(0)).socket.close(4000, `${reason}${'\u009B'.repeat(20)}`)
    await until(() => errors.length > 0, 'the loss is reported')
    expect(errors[0]).toMatchObject({
      code: 'HUB_LOST',
      message: `${hub.url}: the hub closed the connection (4000: go[31m away, now! )`,
    })
    await registration.close()
    await hub.close()
  })

  it('obeys a hub that restarts: comes back when it was told to, and soon', async () => {
    const hub = await FakeHub.start()
    const { registration, errors } = await register({ hubUrl: hub.url })
    await registration.registered
    const peer = await hub.peer(0)
    peer.say({ type: 'restarting', reconnectAfterMs: 700, tryForMs: 10_000 })
    const told = performance.now()
    peer.socket.close(1012)
    await hub.peer(1)
    const afterMs = performance.now() - told
    expect(afterMs).toBeGreaterThan(690)
    await until(() => registration.isRegistered, 'registered again')
    expect(errors.map(({ code }) => code)).toEqual(['HUB_LOST'])
    await registration.close()
    await hub.close()
  })

  it('asks its hub at once when it is to hurry, and is made again when that has nothing to say', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], shouldAdvanceTime: true })
    const hub = await FakeHub.start()
    const { registration } = await register({ hubUrl: hub.url })
    await registration.registered
    const peer = await hub.peer(0)
    registration.hurry()
    await peer.heardThat(isQuestion, 1)
    // Any word will do.
    peer.say({ type: 'ice-servers', iceServers: [] })
    await new Promise((resolve) => peer.socket.once('pong', resolve).ping())
    await vi.advanceTimersByTimeAsync(limits.hub.urgentProbeMs)
    expect(registration.isRegistered).toBe(true)
    registration.hurry()
    await peer.heardThat(isQuestion, 2)
    await vi.advanceTimersByTimeAsync(limits.hub.urgentProbeMs)
    expect(registration.isRegistered).toBe(false)
    await vi.advanceTimersByTimeAsync(2 * limits.hub.shortestBackoffMs)
    await hub.peer(1)
    await registration.close()
    await hub.close()
  })

  it('asks its hub again and again while a peer waits, whose router may forget the socket meanwhile', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], shouldAdvanceTime: true })
    const hub = await FakeHub.start()
    let isUrgent = true
    const { registration } = await register({ hubUrl: hub.url, isUrgent: () => isUrgent })
    await registration.registered
    const peer = await hub.peer(0)
    for (let asked = 1; asked < 4; asked += 1) {
      await vi.advanceTimersByTimeAsync(limits.hub.urgentAskMs)
      await peer.heardThat(isQuestion, asked)
      peer.say({ type: 'ice-servers', iceServers: [] })
      await new Promise((resolve) => peer.socket.once('pong', resolve).ping())
    }
    await vi.advanceTimersByTimeAsync(limits.hub.urgentAskMs + limits.hub.urgentProbeMs)
    expect(registration.isRegistered).toBe(false)
    await vi.advanceTimersByTimeAsync(limits.hub.urgentBackoffMs)
    const again = await hub.peer(1)
    await until(() => registration.isRegistered, 'registered again')
    isUrgent = false
    await vi.advanceTimersByTimeAsync(3 * limits.hub.urgentAskMs)
    expect(again.heard.filter(isQuestion)).toEqual([])
    await registration.close()
    await hub.close()
  })

  it.each([
    { what: 'whose PING is overdue', pings: [25_000], askedAfterMs: 27_500 },
    { what: 'that asks very often, after 15 s of silence', pings: [100, 100], askedAfterMs: 15_000 },
    { what: 'that has pinged once, when its next PING is overdue', pings: [], askedAfterMs: 27_500 },
    { what: 'whose last PINGs came late and then in time', pings: [40_000, 10_000], askedAfterMs: 27_500 },
    { what: 'that pings seldom', pings: [35_000, 35_000], askedAfterMs: 38_500 },
    { what: 'whose PINGs are not to be seen, after 45 s', pings: [], seesPings: false, askedAfterMs: 45_000 },
  ])('asks a hub $what', async ({ pings, seesPings = true, askedAfterMs }) => {
    vi.mocked(openWebSocket).mockImplementation((url, options) => {
      const socket = openRealWebSocket(url, options)
      const on: typeof socket.on = (handlers) =>
        socket.on({ ...handlers, onPing: seesPings ? handlers.onPing : undefined })
      return { ...socket, on, seesPings }
    })
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const hub = await FakeHub.start()
    const { registration } = await register({ hubUrl: hub.url })
    await registration.registered
    const peer = await hub.peer(0)
    const ping = () => new Promise((resolve) => peer.socket.once('pong', resolve).ping())
    await ping()
    for (const apartMs of pings) {
      await vi.advanceTimersByTimeAsync(apartMs / 2)
      // Is no PING, and yet no silence.
      peer.say({ type: 'ice-servers', iceServers: [] })
      await arrived()
      await vi.advanceTimersByTimeAsync(apartMs / 2)
      await ping()
    }
    await vi.advanceTimersByTimeAsync(askedAfterMs - 1)
    await arrived()
    expect(peer.heard.filter(isQuestion)).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    await peer.heardThat(isQuestion, 1)
    await registration.close()
    await hub.close()
  })

  it('hears the answer of its hub that came while its process stood still', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const hub = await FakeHub.start()
    const { registration } = await register({ hubUrl: hub.url })
    await registration.registered
    registration.hurry()
    const wokeAt = performance.now() + 30_000
    vi.spyOn(performance, 'now').mockReturnValue(wokeAt)
    // Timers first, then sockets.
    await vi.advanceTimersByTimeAsync(limits.hub.urgentProbeMs)
    ;(await hub.peer(0)).say({ type: 'ice-servers', iceServers: [] })
    await arrived()
    await vi.advanceTimersByTimeAsync(limits.session.lateTimerMs)
    expect(registration.isRegistered).toBe(true)
    registration.hurry()
    await vi.advanceTimersByTimeAsync(limits.hub.urgentProbeMs)
    expect(registration.isRegistered).toBe(false)
    await registration.close()
    await hub.close()
  })

  it('does not wait for the end of TCP behind the goodbye of its hub', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const hub = await FakeHub.start()
    const { registration } = await register({ hubUrl: hub.url })
    await registration.registered
    const { socket, tcp } = await hub.peer(0)
    vi.spyOn(tcp, 'end').mockReturnValue(tcp)
    socket.close(1012)
    await new Promise((resolve) => tcp.once('data', resolve))
    await vi.advanceTimersByTimeAsync(limits.hub.closeTimeoutMs)
    await until(() => !registration.isRegistered, 'lost')
    await registration.close()
    await hub.close()
  })

  it('is away at most as long again as its hub was', async () => {
    const { hub, registration, mood, lose, pauseOver } = await registerAtMoody()
    const lostAt = performance.now()
    mood.isAway = true
    lose()
    let pausedMs = 0
    for (let tries = 0; tries < 10; tries++) {
      const awayMs = performance.now() - lostAt
      pausedMs = await pauseOver()
      expect(pausedMs).toBeLessThanOrEqual(Math.max(1_000, Math.min(awayMs, 60_000)))
    }
    expect(pausedMs).toBe(59_940)
    await registration.close()
    await hub.close()
  })

  it('does not wait longer for the time in which a restarting hub was not to be there yet', async () => {
    const { hub, registration, mood, pauseOver } = await registerAtMoody()
    hub.peers[0]?.say({ type: 'restarting', reconnectAfterMs: 0, tryForMs: 7_000 })
    hub.peers[0]?.socket.close(1012)
    mood.isAway = true
    for (let tries = 0; tries < 12; tries++) expect(await pauseOver()).toBe(499)
    await vi.advanceTimersByTimeAsync(1_100)
    expect(await pauseOver()).toBeLessThan(1_000)
    await registration.close()
    await hub.close()
  })

  it.each([
    { stoodMs: 0, pauseMs: 59_940 },
    { stoodMs: 15_000, pauseMs: 15_984 },
    { stoodMs: 22_500, pauseMs: 7_992 },
  ])(
    'lost ten times after a moment, then after $stoodMs ms, waits $pauseMs ms',
    async ({ stoodMs, pauseMs }) => {
      const { hub, registration, lose, comesBack } = await registerAtMoody()
      for (let losses = 0; losses < 10; losses++) {
        lose()
        await comesBack()
      }
      await vi.advanceTimersByTimeAsync(stoodMs)
      lose()
      expect(await comesBack()).toBe(pauseMs)
      await registration.close()
      await hub.close()
    },
  )

  it('grants a hub that says nothing no more time for being asked again', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const hub = await FakeHub.start()
    const { registration, errors } = await register({ hubUrl: hub.url })
    await registration.registered
    for (let ms = 0; ms < limits.hub.urgentProbeMs; ms += 500) {
      registration.hurry()
      expect(errors).toEqual([])
      await vi.advanceTimersByTimeAsync(500)
    }
    expect(errors.map(({ code }) => code)).toEqual(['HUB_LOST'])
    await registration.close()
    await hub.close()
  })

  it('that hurries waits at most 1 s for its next try, after however many failures', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], shouldAdvanceTime: true })
    vi.spyOn(Math, 'random').mockReturnValue(0.999)
    const hub = await FakeHub.start()
    const { registration, errors } = await register({ hubUrl: hub.url, isUrgent: () => true })
    await registration.registered
    const { port } = hub
    await hub.close()
    await until(() => errors.length > 0, 'the loss is reported')
    // Without a bound the seventh pause would be of 64 s.
    for (let failures = 0; failures < 8; failures++) await vi.advanceTimersByTimeAsync(60_000)
    const back = await FakeHub.start({}, port)
    registration.hurry()
    await vi.advanceTimersByTimeAsync(limits.hub.urgentBackoffMs)
    await back.peer(0)
    await until(() => registration.isRegistered, 'registered again')
    await registration.close()
    await back.close()
  })

  it.each<[string, FakeHubRules]>([
    ['says nothing', { greet: null }],
    ['says welcome and no more', { onRegister: () => undefined }],
  ])('that hurries begins anew when the hub %s for 4 s', async (_what, rules) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], shouldAdvanceTime: true })
    const hub = await FakeHub.start(rules)
    const { registration } = await register({ hubUrl: hub.url, isUrgent: () => true })
    const first = await hub.peer(0)
    if (rules.onRegister !== undefined) await first.heardThat(({ type }) => type === 'register', 1)
    await vi.advanceTimersByTimeAsync(limits.hub.urgentAnswerTimeoutMs + limits.hub.urgentBackoffMs)
    await hub.peer(1)
    await registration.close()
    await hub.close()
  })

  it('keeps the socket of a hub that has fallen silent until it is registered again, for the hub goes by that', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], shouldAdvanceTime: true })
    let answers = true
    const onRegister = (peer: FakeHubPeer) => {
      if (answers) peer.say({ type: 'registered', iceServers: [] })
    }
    const hub = await FakeHub.start({ onRegister })
    const { registration } = await register({ hubUrl: hub.url, isUrgent: () => true })
    await registration.registered
    const [first] = hub.peers
    answers = false
    registration.hurry()
    await vi.advanceTimersByTimeAsync(limits.hub.urgentProbeMs)
    expect(registration.isRegistered).toBe(false)
    await vi.advanceTimersByTimeAsync(limits.hub.urgentBackoffMs)
    await (await hub.peer(1)).heardThat(({ type }) => type === 'register', 1)
    expect(first?.socket.readyState).toBe(WebSocket.OPEN)
    answers = true
    hub.peers[1]?.say({ type: 'registered', iceServers: [] })
    await until(() => first?.socket.readyState === WebSocket.CLOSED, 'the first is gone')
    expect(registration.isRegistered).toBe(true)
    await registration.close()
    await hub.close()
  })

  it('keeps it for ten seconds at most', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], shouldAdvanceTime: true })
    const onRegister = (peer: FakeHubPeer) => {
      if (hub.peers.indexOf(peer) === 0) peer.say({ type: 'registered', iceServers: [] })
    }
    const hub: FakeHub = await FakeHub.start({ onRegister })
    const { registration } = await register({ hubUrl: hub.url, isUrgent: () => true })
    await registration.registered
    const [first] = hub.peers
    registration.hurry()
    await vi.advanceTimersByTimeAsync(limits.hub.urgentProbeMs + limits.hub.formerMs - 1)
    expect(first?.socket.readyState).toBe(WebSocket.OPEN)
    await vi.advanceTimersByTimeAsync(1)
    await until(() => first?.socket.readyState === WebSocket.CLOSED, 'it is gone')
    await registration.close()
    await hub.close()
  })

  it('leaves nothing of the socket of a hub that has fallen silent', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], shouldAdvanceTime: true })
    const hub = await FakeHub.start()
    const { registration } = await register({ hubUrl: hub.url })
    await registration.registered
    const [first] = hub.peers
    registration.hurry()
    await vi.advanceTimersByTimeAsync(limits.hub.urgentProbeMs)
    expect(registration.isRegistered).toBe(false)
    await registration.close()
    await until(() => first?.socket.readyState === WebSocket.CLOSED, 'it is gone')
    await hub.close()
  })

  it('is registered again when a registration that it gave up arrives late and replaces it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], shouldAdvanceTime: true })
    const onRegister = (peer: FakeHubPeer) => {
      if (hub.peers.indexOf(peer) > 0) peer.say({ type: 'registered', iceServers: [] })
    }
    const hub = await FakeHub.start({ onRegister })
    const { registration, errors } = await register({ hubUrl: hub.url, isUrgent: () => true })
    await (await hub.peer(0)).heardThat(({ type }) => type === 'register', 1)
    await vi.advanceTimersByTimeAsync(limits.hub.urgentAnswerTimeoutMs + limits.hub.urgentBackoffMs)
    const second = await hub.peer(1)
    await until(() => registration.isRegistered, 'registered')
    second.say({ type: 'replaced' })
    second.socket.close(4001)
    await until(() => !registration.isRegistered, 'replaced')
    await vi.advanceTimersByTimeAsync(limits.hub.urgentBackoffMs)
    await hub.peer(2)
    await until(() => registration.isRegistered, 'registered again')
    expect(errors.map(({ code }) => code)).not.toContain('HUB_REPLACED')
    await registration.close()
    await hub.close()
  })

  it('waits at most 5 s for its next try while nobody answers or refuses, after however many failures', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    // Taken once for each pause.
    const random = vi.spyOn(Math, 'random').mockReturnValue(0.999)
    // Nothing can leave for it.
    const { registration } = await register({ hubUrl: 'ws://255.255.255.255:1' })
    // Without a bound the seventh pause would be of 64 s.
    for (let failures = 0; failures <= 8;) {
      failures = random.mock.calls.length
      await vi.advanceTimersByTimeAsync(limits.hub.unreachedBackoffMs)
      await until(() => random.mock.calls.length > failures, `failure ${failures + 1}`)
    }
    await registration.close()
  })

  it.each<[boolean, string, (port: number) => string]>([
    [true, 'has no way to it', () => 'ws://255.255.255.255:1'],
    [false, 'is refused', (port) => `ws://127.0.0.1:${port}`],
  ])('knows that it reached nobody (%s) where it %s', async (isUnreached, _where, urlOf) => {
    const hub = await FakeHub.start()
    const { port } = hub
    await hub.close()
    const socket = new HubSocket(urlOf(port))
    await expect(socket.welcome).rejects.toMatchObject({ code: 'HUB_LOST' })
    expect(socket.isUnreached).toBe(isUnreached)
    await socket.closed
  })

  it('has reached a hub that takes its connection and says nothing', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const hub = await FakeHub.start({ greet: null })
    const socket = new HubSocket(hub.url)
    await hub.peer(0)
    await vi.advanceTimersByTimeAsync(limits.hub.answerTimeoutMs)
    await socket.closed
    expect(socket.isUnreached).toBe(false)
    await hub.close()
  })

  it('does not hurry before its hub is back, which has said when that is', async () => {
    const hub = await FakeHub.start()
    const { registration, errors } = await register({ hubUrl: hub.url, isUrgent: () => true })
    await registration.registered
    const peer = await hub.peer(0)
    peer.say({ type: 'restarting', reconnectAfterMs: 700, tryForMs: 10_000 })
    const told = performance.now()
    peer.socket.close(1012)
    await until(() => errors.length > 0, 'the loss is reported')
    registration.hurry()
    await hub.peer(1)
    expect(performance.now() - told).toBeGreaterThan(690)
    await registration.close()
    await hub.close()
  })

  it('whose machine has slept asks its hub at once, and tries at once where that is away', async () => {
    vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'],
      shouldAdvanceTime: true,
    })
    vi.spyOn(Math, 'random').mockReturnValue(0.999)
    const sleep = async () => {
      vi.setSystemTime(Date.now() + 3_600_000)
      await vi.advanceTimersByTimeAsync(limits.machine.lookMs)
    }
    const hub = await FakeHub.start()
    const { port } = hub
    const { registration, errors } = await register({ hubUrl: hub.url })
    await registration.registered
    await sleep()
    await (await hub.peer(0)).heardThat(({ type }) => type === 'close', 1)
    // The socket is dead.
    await vi.advanceTimersByTimeAsync(limits.hub.urgentProbeMs)
    expect(errors.map(({ code }) => code)).toEqual(['HUB_LOST'])
    await hub.close()
    for (let failures = 0; failures < 8; failures++) await vi.advanceTimersByTimeAsync(60_000)
    const back = await FakeHub.start({}, port)
    await sleep()
    await vi.advanceTimersByTimeAsync(limits.hub.shortestBackoffMs)
    await back.peer(0)
    await until(() => registration.isRegistered, 'registered again')
    await registration.close()
    await back.close()
  })

  it('connects anew without asking when its machine has lost the address that it was dialed from', async () => {
    const hub = await FakeHub.start()
    const { registration, errors } = await register({ hubUrl: hub.url })
    await registration.registered
    vi.mocked(networkInterfaces).mockReturnValue({})
    registration.wake()
    expect(errors.map(({ code }) => code)).toEqual(['HUB_LOST'])
    await hub.peer(1)
    await until(() => registration.isRegistered, 'registered again')
    // Of this one nothing is known of the kind: it is asked.
    registration.wake()
    await (await hub.peer(1)).heardThat(({ type }) => type === 'close', 1)
    expect((await hub.peer(0)).heard.map(({ type }) => type)).toEqual(['register'])
    await registration.close()
    await hub.close()
  })

  it('goes to whoever registers the key anew, and the old one tells HUB_REPLACED and stays away', async () => {
    const before = resources()
    const hub = await startHub({ port: 0 })
    const identity = createIdentity(await generateKeys())
    const old = await register({ hubUrl: hub.url, identity })
    await old.registration.registered
    const anew = await register({ hubUrl: hub.url, identity })
    await anew.registration.registered
    await until(() => old.errors.length > 0, 'it is told')
    expect(old.errors.map(({ code, address }) => [code, address])).toEqual([['HUB_REPLACED', hub.url]])
    expect(anew.registration.isRegistered).toBe(true)
    await anew.registration.close()
    await hub.close()
    // No timer of the old one either: nothing could make it come back.
    await untilOnly(before)
    expect(old.errors).toHaveLength(1)
    expect(anew.errors).toEqual([])
  })

  it('that was given up by its own process is not told to be replaced', async () => {
    const hub = await FakeHub.start()
    const { registration, errors } = await register({ hubUrl: hub.url })
    await registration.registered
    const closing = registration.close()
    hub.peers[0]?.say({ type: 'replaced' })
    await closing
    expect(errors).toEqual([])
    await hub.close()
  })

  it('for a key that one does not hold is refused', async () => {
    const hub = await startHub({ port: 0 })
    const mine = createIdentity(await generateKeys())
    const { publicKey } = await generateKeys()
    const { registration, errors } = await register({ hubUrl: hub.url, identity: { ...mine, publicKey } })
    await until(() => errors.length > 0, 'it is refused')
    expect(errors[0]).toMatchObject({ code: 'HUB_REFUSED' })
    expect(errors[0]?.message).toContain('BAD_SIGNATURE')
    expect(registration.isRegistered).toBe(false)
    await registration.close()
    await expect(registration.registered).rejects.toMatchObject({ code: 'ABORTED' })
    await hub.close()
  })

  it('tells why it fails when the identity cannot sign', async () => {
    const hub = await FakeHub.start()
    const identity = createIdentity(await generateKeys())
    const sign = () => Promise.reject(new Error('the token was pulled out'))
    const { registration, errors } = await register({ hubUrl: hub.url, identity: { ...identity, sign } })
    await until(() => errors.length > 0, 'it is told')
    expect(errors[0]).toMatchObject({ code: 'HUB_LOST', message: 'the token was pulled out' })
    await registration.close()
    await hub.close()
  })

  it.each(['closes at once', 'closes when the hub has not answered', 'closes while it waits to try again'])(
    '%s and leaves nothing',
    async (name) => {
      const before = resources()
      const silent = createServer()
      await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
      const sockets: { destroy(): void }[] = []
      const connected = new Promise<void>((resolve) => {
        silent.on('connection', (socket) => {
          sockets.push(socket.resume())
          resolve()
        })
      })
      const hubUrl = `ws://127.0.0.1:${(silent.address() as AddressInfo).port}`
      const { registration, errors } = await register({ hubUrl })
      if (name !== 'closes at once') await connected
      if (name === 'closes while it waits to try again') {
        for (const socket of sockets) socket.destroy()
        await until(() => errors.length > 0, 'the loss is reported')
      }
      await registration.close()
      await expect(registration.registered).rejects.toMatchObject({ code: 'ABORTED' })
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => silent.close(resolve))
      await untilOnly(before)
    },
  )

  it('closes in time although the hub does not say goodbye', async () => {
    const before = resources()
    const hub = await FakeHub.start()
    const { registration } = await register({ hubUrl: hub.url })
    await registration.registered
    // What is not read is not answered.
    hub.peers[0]?.socket.pause()
    const started = performance.now()
    await registration.close()
    expect(performance.now() - started).toBeLessThan(4000)
    await hub.close()
    await untilOnly(before)
  })

  it('takes the ICE servers that come with it, and those that follow', async () => {
    const hub = await FakeHub.start({
      greet: (peer) => peer.say({ ...welcome(), iceServers: [{ urls: ['stun:192.0.2.1'] }] }),
      onRegister: (peer) => peer.say({ type: 'registered', iceServers: [{ urls: ['stun:192.0.2.2'] }] }),
    })
    const seen: string[] = []
    const { registration } = await register({
      hubUrl: hub.url,
      onIncoming: (channel, servers) => {
        seen.push(servers.flatMap(({ urls }) => urls).join())
        channel.close('seen')
      },
    })
    await registration.registered
    const peer = await hub.peer(0)
    peer.say({ type: 'incoming', id: toBase64Url(new Uint8Array(16)) })
    peer.say({ type: 'ice-servers', iceServers: [{ urls: ['stun:192.0.2.3'] }] })
    peer.say({ type: 'incoming', id: toBase64Url(new Uint8Array(16).fill(1)) })
    await peer.heardThat(({ type }) => type === 'close', 2)
    expect(seen).toEqual(['stun:192.0.2.2', 'stun:192.0.2.3'])
    await registration.close()
    await hub.close()
  })
})

describe('listening stacks', () => {
  it('are unreachable while their hub is away, and listening again once it is back', async () => {
    const before = resources()
    const first = await startHub({ port: 0 })
    const port = Number(new URL(first.url).port)
    const errors: MultiserverError[] = []
    const ms = MultiServer([[rtc({ hub: first.url }), shs({ keys: await generateKeys() })]])
    const stateOf = () => ms.status().stacks.map(({ state }) => state)
    const address = ms.stringify()
    const close = ms.server(
      () => undefined,
      (error) => errors.push(error),
    )
    expect(stateOf()).toEqual(['starting'])
    await close.listening
    expect(stateOf()).toEqual(['listening'])
    await first.close()
    await until(() => errors.length > 0, 'the loss is reported')
    expect(stateOf()).toEqual(['unreachable'])
    // Where it will be again.
    expect(ms.stringify()).toBe(address)
    const second = await startHub({ port })
    await until(() => stateOf()[0] === 'listening', 'it listens again', 20_000)
    expect(errors.map(({ code }) => code)).toEqual(['HUB_LOST'])
    await close()
    await second.close()
    await untilOnly(before)
  }, 30_000)

  it('with one key at one hub share a registration, each with its own transforms', async () => {
    const before = resources()
    const hub = await FakeHub.start()
    const keys = await generateKeys()
    const errors: MultiserverError[] = []
    const onError = (error: MultiserverError) => errors.push(error)
    const one = MultiServer([[rtc({ hub: hub.url }), shs({ keys })]])
    const other = MultiServer([[rtc({ hub: hub.url }), named('twice', shs({ keys }))]])
    const closeOne = one.server(() => undefined, onError)
    const closeOther = other.server(() => undefined, onError)
    await Promise.all([closeOne.listening, closeOther.listening])
    expect(hub.peers).toHaveLength(1)
    await closeOne()
    expect(hub.peers[0]?.socket.readyState).toBe(1)
    await closeOther()
    expect(errors).toEqual([])
    await hub.close()
    await untilOnly(before)
  })

  it('refuse to be the second with the same transforms', async () => {
    const hub = await FakeHub.start()
    const keys = await generateKeys()
    const one = MultiServer([[rtc({ hub: hub.url }), shs({ keys })]])
    const closeOne = one.server(() => undefined)
    await closeOne.listening
    const closeTwo = MultiServer([[rtc({ hub: hub.url }), shs({ keys })]]).server(
      () => undefined,
      () => undefined,
    )
    await expect(closeTwo.listening).rejects.toMatchObject({ code: 'LISTEN_FAILED' })
    await closeTwo()
    expect(hub.peers.map(({ socket }) => socket.readyState)).toEqual([1])
    await closeOne()
    await hub.close()
  })

  it('register anew when they are started again after HUB_REPLACED', async () => {
    const hub = await startHub({ port: 0 })
    const keys = await generateKeys()
    const errors: MultiserverError[] = []
    const ms = MultiServer([[rtc({ hub: hub.url }), shs({ keys })]])
    const close = ms.server(
      () => undefined,
      (error) => errors.push(error),
    )
    await close.listening
    const rival = await register({ hubUrl: hub.url, identity: createIdentity(keys) })
    await rival.registration.registered
    await until(() => errors.length > 0, 'it is told')
    expect(errors.map(({ code }) => code)).toEqual(['HUB_REPLACED'])
    const closeAgain = ms.server(() => undefined)
    await closeAgain.listening
    await until(() => rival.errors.length > 0, 'the rival is told')
    expect(rival.errors.map(({ code }) => code)).toEqual(['HUB_REPLACED'])
    await close()
    await closeAgain()
    await rival.registration.close()
    await hub.close()
  })
})

/** Whether its hub is there. */
function isQuestion({ type }: { type: string }): boolean {
  return type === 'close'
}

/** What was sent over loopback has come, also where timers stand still. */
async function arrived(): Promise<void> {
  for (let turns = 0; turns < 10; turns++) await new Promise(setImmediate)
}

/** A registration at a hub that hangs up on everyone while it is away; with timers that stand still, and the longest pauses. */
async function registerAtMoody() {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  // Taken once for each pause.
  const random = vi.spyOn(Math, 'random').mockReturnValue(0.999)
  const mood = { isAway: false }
  const hub = await FakeHub.start({
    greet: (peer) => (mood.isAway ? peer.socket.terminate() : peer.say(welcome())),
  })
  const { registration } = await register({ hubUrl: hub.url })
  await registration.registered
  let pauses = 0
  /** How long the next pause takes, by fake time. */
  async function pauseOver(): Promise<number> {
    await until(() => random.mock.calls.length > pauses, 'a pause')
    pauses += 1
    const [from, tries] = [performance.now(), vi.mocked(openWebSocket).mock.calls.length]
    while (vi.mocked(openWebSocket).mock.calls.length === tries) await vi.advanceTimersToNextTimerAsync()
    return Math.round(performance.now() - from)
  }
  async function comesBack(): Promise<number> {
    const ms = await pauseOver()
    await until(() => registration.isRegistered, 'registered again')
    return ms
  }
  return { hub, registration, mood, pauseOver, comesBack, lose: () => hub.peers.at(-1)?.socket.terminate() }
}

async function register(
  options: Pick<RegistrationOptions, 'hubUrl'> & Partial<RegistrationOptions>,
): Promise<{ registration: Registration; errors: MultiserverError[] }> {
  const errors: MultiserverError[] = []
  const identity: Identity = options.identity ?? createIdentity(await generateKeys())
  const registration = new Registration({
    onIncoming: () => undefined,
    onError: (error) => errors.push(error),
    ...options,
    identity,
  })
  return { registration, errors }
}

/** The same transform under another name: another stack. */
function named(name: string, transform: ReturnType<typeof shs>): ReturnType<typeof shs> {
  const section = () => transform.section().replace(/^shs/, name)
  return { ...transform, name, section, accept: transform.accept.bind(transform), parse: () => null }
}
