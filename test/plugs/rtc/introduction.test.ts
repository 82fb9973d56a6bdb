import { networkInterfaces } from 'node:os'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { fromBase64Url, toBase64, toBase64Url } from '../../../core/bytes.ts'
import { createIdentity, ready } from '../../../core/ed25519.ts'
import { MultiserverError } from '../../../core/errors.ts'
import { sourceOf } from '../../../core/ip.ts'
import { limits } from '../../../core/limits.ts'
import { MultiServer } from '../../../core/multiserver.ts'
import { generateKeys, type Keys } from '../../../plugs/keys.ts'
import { HubSocket, randomId } from '../../../plugs/rtc/hub-socket.ts'
import { IntroductionChannel } from '../../../plugs/rtc/introduction-channel.ts'
import rtc, { type RtcOptions } from '../../../plugs/rtc/index.ts'
import { createClientSignals, createServerSignals, type ServerSignal } from '../../../plugs/rtc/signals.ts'
import { WebRtcLink } from '../../../plugs/rtc/webrtc-link.ts'
import { loadWebRtc, type WebRtc } from '../../../plugs/rtc/wrtc.ts'
import shs from '../../../plugs/shs/index.ts'
import { startHub, type RunningHub } from '../../../signal-server/index.ts'
import { FakeHub, type FakeHubPeer } from './fake-hub.ts'
import { areClosed, countingWebRtc, expectNoLeftovers, until } from './leftovers.ts'
import type { PeerMessage } from '../../../core/hub-protocol.ts'
import type { ByteStream, DialStage, Listener } from '../../../core/types.ts'
import type { CandidateSignal, Offer } from '../../../plugs/rtc/signal-payload.ts'

const id = toBase64Url(new Uint8Array(16).fill(3))
let keys: Keys
beforeAll(async () => {
  await ready()
  keys = await generateKeys()
})
expectNoLeftovers()

describe('the channel of an introduction', () => {
  it('keeps the signals that nobody has asked for, up to as many as a hub passes on', async () => {
    const { channel } = openChannel()
    for (let count = 0; count < 2 * limits.hub.signals; count++)
      channel.receive({ type: 'signal', id, data: `${count}` })
    for (let count = 0; count < limits.hub.signals; count++)
      expect(await channel.nextSignal()).toBe(`${count}`)
    channel.receive({ type: 'signal', id, data: 'later' })
    expect(await channel.nextSignal()).toBe('later')
  })

  it('gives what came before the end, then the error', async () => {
    const { channel, isEnded } = openChannel()
    channel.receive({ type: 'signal', id, data: 'last' })
    channel.receive({ type: 'closed', id, reason: 'BUSY' })
    expect(isEnded()).toBe(true)
    expect(await channel.nextSignal()).toBe('last')
    await expect(channel.nextSignal()).rejects.toMatchObject({ code: 'BUSY' })
    await expect(channel.introduced).rejects.toMatchObject({ code: 'BUSY' })
  })

  it('says close once, and nothing after it', () => {
    const { channel, sent } = openChannel()
    channel.close('open')
    channel.close('again')
    channel.sendSignal('data')
    expect(sent).toEqual([{ type: 'close', id, reason: 'open' }])
  })

  it('has the circuit that the hub tells of, asked for or not', async () => {
    const { channel, sent } = openChannel()
    channel.askForRelay()
    expect(sent).toEqual([{ type: 'relay', id }])
    const told = { type: 'relay', id, url: 'wss://hub/relay', token: new Uint8Array(32), limits: {} } as const
    channel.receive(told)
    channel.receive({ ...told, url: 'wss://another/relay' })
    expect((await channel.relayed).url).toBe('wss://hub/relay')
  })

  it.each(['RELAY_OFF', 'QUOTA', 'BUSY', 'INVALID', 'UNKNOWN_MESSAGE'] as const)(
    'goes on when the hub answers %s to who asked for a circuit, and only then',
    async (code) => {
      const { channel, isEnded } = openChannel()
      channel.askForRelay()
      channel.receive({ type: 'error', code, message: '', id })
      await expect(channel.relayed).rejects.toMatchObject({ code: code === 'BUSY' ? 'BUSY' : 'HUB_REFUSED' })
      expect(isEnded()).toBe(false)
      channel.receive({ type: 'error', code, message: '', id })
      expect(isEnded()).toBe(true)
    },
  )

  it('has no circuit any more when it is over', async () => {
    const { channel, sent } = openChannel()
    channel.receive({ type: 'closed', id, reason: 'open' })
    channel.askForRelay()
    expect(sent).toEqual([])
    await expect(channel.relayed).rejects.toMatchObject({ code: 'CONNECT_FAILED' })
  })

  it.each([
    ['open', false],
    ['gone', false],
    ['ABORTED', true],
    ['', true],
  ])('closed by the reason "%s" is given up: %s', (reason, isGivenUp) => {
    const { channel } = openChannel()
    channel.receive({ type: 'closed', id, reason })
    expect(channel.isGivenUp).toBe(isGivenUp)
  })
})

describe('a server peer', () => {
  it.each([
    ['NO_SESSION', 'a session that it does not know', { resume: true }],
    ['NO_STACK', 'transforms that it does not have', { transforms: ['shs', 'shs'] }],
    ['NO_STACK', 'no transforms', { transforms: [] }],
    ['INVALID', 'what describes no data channel', { sdp: 'v=0\r\n' }],
  ] as [string, string, Partial<Offer>][])(
    'refuses %s an offer for %s, and makes nothing',
    async (code, _what, changes) => {
      const hub = await FakeHub.start()
      const { webRtc, connections } = countingWebRtc()
      const close = MultiServer([[rtc({ hub: hub.url, wrtc: webRtc }), shs({ keys })]]).server(
        () => undefined,
      )
      await close.listening
      const peer = await hub.peer(0)
      const signals = createClientSignals({ id: bytesOf(id), serverKey: keys.publicKey })
      peer.say({ type: 'incoming', id })
      peer.say({ type: 'signal', id, data: await signals.seal({ ...offer, ...changes }) })
      const reply = await signals.open(await nextSignal(peer, 0))
      expect(reply).toEqual({ kind: 'refused', code })
      await peer.heardThat(({ type }) => type === 'close', 1)
      expect(connections).toEqual([])
      await close()
      await hub.close()
    },
  )

  it.each([
    ['answers with its description a client that does not say that it may follow', {}, ['answer']],
    ['answers a client that begins on the relay first', { split: true }, ['answer', 'frame', 'description']],
  ])('%s', async (_what, changes, kinds) => {
    const hub = await FakeHub.start({ relayUrl: () => 'ws://127.0.0.1:9/relay' })
    const { webRtc, connections } = countingWebRtc()
    const ms = MultiServer([[rtc({ hub: hub.url, wrtc: webRtc }), shs({ keys })]])
    const close = ms.server(ignore, ignore)
    await close.listening
    const peer = await hub.peer(0)
    const signals = createClientSignals({ id: bytesOf(id), serverKey: keys.publicKey })
    peer.say({ type: 'incoming', id })
    const first = { ...offer, relay: 'first', early: true, sdp: await anyOffer(), ...changes } as const
    peer.say({ type: 'signal', id, data: await signals.seal(first) })
    const isWhole = kinds.length === 1
    for (const [index, kind] of kinds.entries()) {
      const signal = await signals.open(await nextSignal(peer, index))
      expect(signal.kind).toBe(kind)
      if (index === 0) expect('sdp' in signal).toBe(isWhole)
      if (isWhole) expect(connections).toHaveLength(1)
    }
    peer.say({ type: 'closed', id, reason: 'ABORTED' })
    await until(() => areClosed(connections), 'the WebRTC connection is closed')
    await close()
    await hub.close()
  })

  it.each([
    ['a whole answer', {}],
    ['an answer without its description', { split: true }],
  ])(
    'is BUSY for who wants %s, as long as it has all the WebRTC connections it may',
    async (_what, changes) => {
      const hub = await FakeHub.start({ relayUrl: () => 'ws://127.0.0.1:9/relay' })
      const { webRtc, connections } = countingWebRtc()
      const sdp = await anyOffer()
      const ownWebRtc = await loadWebRtc()
      // Who waits for an offer gathers nothing.
      const makeLink = () =>
        new WebRtcLink({ initiator: false, webRtc: ownWebRtc, iceServers: [], onCandidate: ignore })
      const links = Array.from({ length: limits.introduction.connections }, makeLink)
      const codes: string[] = []
      const ms = MultiServer([[rtc({ hub: hub.url, wrtc: webRtc }), shs({ keys })]])
      const close = ms.server(ignore, ({ code }) => codes.push(code))
      await close.listening
      const peer = await hub.peer(0)
      const signals = createClientSignals({ id: bytesOf(id), serverKey: keys.publicKey })
      peer.say({ type: 'incoming', id })
      const first = { ...offer, relay: 'first', early: true, sdp, ...changes } as const
      peer.say({ type: 'signal', id, data: await signals.seal(first) })
      expect(await signals.open(await nextSignal(peer, 0))).toEqual({ kind: 'refused', code: 'BUSY' })
      await peer.heardThat(({ type }) => type === 'close', 1)
      expect(codes).toEqual(['RTC_LIMIT'])
      expect(connections).toEqual([])
      for (const link of links) link.close()
      await Promise.all(links.map(({ closed }) => closed))
      await close()
      await hub.close()
    },
  )

  it('makes nothing of an offer that was sealed for another introduction', async () => {
    const hub = await FakeHub.start()
    const { webRtc, connections } = countingWebRtc()
    const codes: string[] = []
    const close = MultiServer([[rtc({ hub: hub.url, wrtc: webRtc }), shs({ keys })]]).server(
      () => undefined,
      ({ code }) => codes.push(code),
    )
    await close.listening
    const peer = await hub.peer(0)
    const signals = createClientSignals({ id: new Uint8Array(16), serverKey: keys.publicKey })
    peer.say({ type: 'incoming', id })
    peer.say({ type: 'signal', id, data: await signals.seal(offer) })
    await peer.heardThat(({ type }) => type === 'close', 1)
    expect(peer.heard.at(-1)).toEqual({ type: 'close', id, reason: 'SIGNAL_INVALID' })
    expect(codes).toEqual(['SIGNAL_INVALID'])
    expect(connections).toEqual([])
    await close()
    await hub.close()
  })
})

describe('a server peer at a real hub', () => {
  const { unopened, underWay, lastTriesMs } = limits.introduction
  let hub: RunningHub
  let server: Awaited<ReturnType<typeof listenAt>>
  /** The channels of the introductions that were begun, in order. */
  let introduced: IntroductionChannel[] = []
  let links: HandLink[] = []
  beforeEach(async () => {
    introduced = []
    links = []
    hub = await startHub({
      port: 0,
      exemptLoopback: true,
      // More than the server takes by itself.
      limits: { introductionsPerTarget: 2 * underWay, messagesBurst: 1000, bytesBurst: 2 ** 24 },
    })
    server = await listenAt(hub)
  })
  afterEach(async () => {
    vi.restoreAllMocks()
    for (const link of links) link.close()
    await Promise.all(links.map(({ closed }) => closed))
    await server.close()
    await hub.close()
    vi.useRealTimers()
  })

  it.each(['goes away', 'says that its path stands'])(
    'gives up a client that takes the answer and %s after the last tries',
    async (how) => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], shouldAdvanceTime: true })
      const heard = vi.spyOn(IntroductionChannel.prototype, 'receive')
      const { socket, channel } = await takeAnswer(hub)
      const { connections, errors } = server
      expect(areClosed(connections)).toBe(false)
      const reason = how === 'goes away' ? 'gone' : 'open'
      if (reason === 'open') channel.close('open')
      else {
        // Without a word about the introduction.
        channel.fail(new MultiserverError('ABORTED'))
        socket.close()
      }
      const isTold = () => heard.mock.calls.some(([said]) => said.type === 'closed' && said.reason === reason)
      await until(isTold, 'the server is told')
      await new Promise((resolve) => setImmediate(resolve))
      vi.advanceTimersByTime(lastTriesMs - 1000)
      await new Promise((resolve) => setImmediate(resolve))
      expect(areClosed(connections)).toBe(false)
      vi.advanceTimersByTime(1000)
      await until(() => areClosed(connections), 'the WebRTC connection is closed')
      await until(() => errors.length > 0, 'it is told')
      expect(errors).toEqual(['CONNECT_FAILED'])
      expect(connections).toHaveLength(1)
      socket.close()
      await socket.closed
    },
  )

  it('has at most so many paths under way, and takes one more for each that is over', async () => {
    const { connections, errors } = server
    const socket = new HubSocket(hub.url)
    const sdp = await anyOffer()
    const open = () => introduce(socket, { sdp })
    const first = await Promise.all(Array.from({ length: underWay }, () => open().answered))
    expect(first.map((signal) => signal.kind)).toEqual(Array(underWay).fill('answer'))
    expect(connections).toHaveLength(underWay)
    // Not the guard for a flood, which looks the same from here: what it allows in a second is more than what follows.
    expect(underWay).toBeLessThanOrEqual(unopened)
    const now = performance.now.bind(performance)
    vi.spyOn(performance, 'now').mockImplementation(() => now() + 1000)
    await expect(open().answered).rejects.toMatchObject({ code: 'BUSY' })
    expect(connections).toHaveLength(underWay)
    // A path that is given up makes room.
    const [channel] = introduced
    channel?.close('ABORTED')
    await until(() => errors.length === 1, 'one is over')
    expect(connections.filter(({ connectionState }) => connectionState === 'closed')).toHaveLength(1)
    expect((await open().answered).kind).toBe('answer')
    await expect(open().answered).rejects.toMatchObject({ code: 'BUSY' })
    expect(connections).toHaveLength(underWay + 1)
    for (const each of introduced) each.close('ABORTED')
    await until(() => areClosed(connections), 'every WebRTC connection is closed')
    socket.close()
    await socket.closed
  }, 60_000)

  it('refuses the relay with RELAY_OFF and goes on, and says once that it has no more candidates', async () => {
    const { socket, channel, signals, link } = await takeAnswer(hub)
    channel.sendSignal(await signals.seal({ kind: 'relay' }))
    const kinds: string[] = []
    const receiving = (async () => {
      for (;;) {
        const signal = await signals.open(await channel.nextSignal())
        kinds.push(signal.kind === 'refused' ? signal.code : signal.kind)
        if (signal.kind !== 'candidate') continue
        if (signal.candidate === '') kinds.push('no more')
        link.hear(signal)
        // Not before: a path that stands already would end the introduction.
        if (kinds.includes('no more'))
          link.connect(async (mine) => channel.sendSignal(await signals.seal(mine)))
      }
    })()
    // The server ends the introduction once its side of the path stands.
    await expect(receiving).rejects.toMatchObject({
      code: 'CONNECT_FAILED',
      message: expect.stringContaining('open'),
    })
    const path = await link.opened
    expect(kinds.filter((kind) => kind === 'RELAY_OFF')).toHaveLength(1)
    expect(kinds.filter((kind) => kind === 'no more')).toHaveLength(1)
    path.close()
    await path.closed
    socket.close()
    await socket.closed
    expect(server.connections).toHaveLength(1)
  })

  it.each([
    [
      'loopback',
      (report: object) => ({ ...report, address: '127.0.0.1', ip: '127.0.0.1' }),
      { path: 'direct', source: undefined },
    ],
    ['loopback over IPv6', (report: object) => ({ ...report, address: '::1' }), { source: undefined }],
    [
      'this machine by another of its addresses',
      (report: object) => report,
      { path: 'direct', source: expect.toBeOneOf(ownSources()) as unknown },
    ],
    [
      'a network address',
      (report: object) => ({ ...report, address: '192.0.2.7', ip: '192.0.2.7' }),
      { path: 'direct', source: '192.0.2.7' },
    ],
    [
      'an IPv6 address',
      (report: object) => ({ ...report, address: '2001:db8:1:2ff::1' }),
      { path: 'direct', source: '2001:db8:1:200::/56' },
    ],
    [
      'a name',
      (report: object) => ({ ...report, address: 'x.local' }),
      { path: 'direct', source: undefined },
    ],
    [
      'its TURN server',
      (report: object) => ({ ...report, address: '192.0.2.7', candidateType: 'relay' }),
      { path: 'turn', source: undefined },
    ],
  ])('tells of a session from %s what limits may count it by', async (_what, change, info) => {
    server.changeRemoteCandidate(change)
    const { connections, webRtc } = countingWebRtc()
    const ms = MultiServer([[rtc({ wrtc: webRtc, relay: 'never' }), shs({ keys: await generateKeys() })]])
    const dial = ms.client(addressAt(hub), { timeoutMs: 8000 })
    dial.catch(() => undefined)
    await until(() => server.accepted.length > 0, 'it is accepted')
    const [stream] = server.accepted
    expect(stream?.info).toMatchObject(info)
    stream?.abort()
    await expect(dial).rejects.toMatchObject({ code: 'DIAL_FAILED' })
    await until(() => areClosed([...connections, ...server.connections]), 'both sides are closed')
  })

  /** An introduction as far as the answer, by hand. */
  function introduce(socket: HubSocket, { sdp }: { sdp: string }) {
    const channel = socket.openChannel(randomId())
    introduced.push(channel)
    const signals = createClientSignals({ id: bytesOf(channel.id), serverKey: keys.publicKey })
    const session = crypto.getRandomValues(new Uint8Array(16))
    const answer = async () => {
      channel.introduce(keys.publicKey)
      await channel.introduced
      channel.sendSignal(await signals.seal({ ...offer, session, sdp }))
      return signals.open(await channel.nextSignal())
    }
    return { channel, signals, answered: answer() }
  }

  /** A client that has a WebRTC connection of its own and has taken the answer. */
  async function takeAnswer(at: RunningHub) {
    const socket = new HubSocket(at.url)
    const link = new HandLink(true)
    const { channel, signals, answered } = introduce(socket, { sdp: await link.description })
    const answer = await answered
    if (answer.kind !== 'answer') throw new Error(`it said ${answer.kind}`)
    expect(answer.bye).toBe(true)
    link.accept(answer.sdp ?? '', { bye: true })
    links.push(link)
    return { socket, channel, signals, link }
  }
})

describe('a client', () => {
  it('says once that it has no more candidates, although its WebRTC says so at each change', async () => {
    const ended: number[] = []
    const stages: DialStage[] = []
    const { dial, end } = await dialFake(
      {},
      async (signals, peer, introduced) => {
        const link = new HandLink(false)
        const { sdp: offered, bye } = (await signals.open(await nextSignal(peer, 0))) as Offer
        expect(bye).toBe(true)
        link.accept(offered, { bye: true })
        const sdp = await link.description
        const answer = { kind: 'answer', sdp, relayKey: new Uint8Array(32) } as const
        const say = async (signal: ServerSignal) =>
          peer.say({ type: 'signal', id: introduced, data: await signals.seal(signal) })
        await say(answer)
        const closed = peer.heardThat(({ type }) => type === 'close', 1)
        for (let index = 1; ; index++) {
          const next = nextSignal(peer, index).then((data) => signals.open(data))
          const signal = await Promise.race([next, closed])
          if (signal === undefined) break
          if (signal.kind !== 'candidate') continue
          if (signal.candidate === '') ended.push(index)
          link.hear(signal)
          // Not before: a path that stands already would end the introduction.
          if (ended.length > 0) link.connect(say)
        }
        ;(await link.opened).close()
        await link.closed
      },
      (stage) => stages.push(stage),
    )
    await expect(dial).rejects.toMatchObject({ code: 'DIAL_FAILED' })
    await end()
    expect(stages).toContain('path')
    expect(ended).toHaveLength(1)
  })

  it.each([
    ['BUSY', { kind: 'refused', code: 'BUSY' }],
    ['CONNECT_FAILED', { kind: 'refused', code: 'NO_STACK' }],
    ['CONNECT_FAILED', { kind: 'refused', code: 'NO_SESSION' }],
    ['CONNECT_FAILED', { kind: 'refused', code: 'INVALID' }],
    ['SIGNAL_INVALID', { kind: 'answer', sdp: 'v=0\r\n', relayKey: new Uint8Array(32) }],
    // Only who begins on the relay waits for a description that follows.
    ['SIGNAL_INVALID', { kind: 'answer', relayKey: new Uint8Array(32) }],
  ] as [string, ServerSignal][])('fails with %s at %o', async (code, reply) => {
    const { dial, connections, end } = await dialFake({}, async (signals, peer, introduced) => {
      await signals.open(await nextSignal(peer, 0))
      peer.say({ type: 'signal', id: introduced, data: await signals.seal(reply) })
    })
    await expect(dial).rejects.toMatchObject({ attempts: [{ code }] })
    await until(() => areClosed(connections), 'the WebRTC connection is closed')
    await end()
  })

  it('tells nothing of its addresses in the offer, and no candidate before the answer', async () => {
    const { dial, controller, end } = await dialFake({}, async (signals, peer) => {
      const first = await signals.open(await nextSignal(peer, 0))
      expect(first).toMatchObject({ kind: 'offer', resume: false, transforms: ['shs'] })
      const { sdp } = first as Offer
      expect(sdp).not.toContain('a=candidate')
      expect(
        sdp.match(/\d+\.\d+\.\d+\.\d+/g)?.filter((ip) => ip !== '0.0.0.0' && ip !== '127.0.0.1'),
      ).toEqual([])
      controller.abort()
    })
    await expect(dial).rejects.toMatchObject({ code: 'ABORTED' })
    expect((await end()).filter(({ type }) => type === 'signal')).toHaveLength(1)
  })

  it('that may only be relayed offers no other candidate', async () => {
    const candidates: string[] = []
    const { dial, controller, end } = await dialFake(
      { iceTransportPolicy: 'relay' },
      async (signals, peer, introduced) => {
        const { sdp } = (await signals.open(await nextSignal(peer, 0))) as Offer
        const answered = sdp.replace('a=setup:actpass', 'a=setup:active')
        const answer = { kind: 'answer', sdp: answered, relayKey: new Uint8Array(32) } as const
        peer.say({ type: 'signal', id: introduced, data: await signals.seal(answer) })
        for (let index = 1; candidates.at(-1) !== ''; index++) {
          const signal = await signals.open(await nextSignal(peer, index))
          if (signal.kind === 'candidate') candidates.push(signal.candidate)
        }
        controller.abort()
      },
    )
    await expect(dial).rejects.toMatchObject({ code: 'ABORTED' })
    expect(candidates).toEqual([''])
    await end()
  })

  it('needs a key to ask for', async () => {
    const ms = MultiServer([rtc()])
    await expect(ms.client('rtc:127.0.0.1!:1')).rejects.toMatchObject({
      attempts: [{ code: 'ADDRESS_INVALID' }],
    })
  })
})

const offer: Offer = {
  kind: 'offer',
  session: new Uint8Array(16).fill(6),
  resume: false,
  transforms: ['shs'],
  relay: 'never',
  sdp: 'v=0\r\n',
}

function openChannel(): { channel: IntroductionChannel; sent: PeerMessage[]; isEnded: () => boolean } {
  const sent: PeerMessage[] = []
  let ended = false
  const channel = new IntroductionChannel(
    id,
    (message) => sent.push(message),
    () => (ended = true),
  )
  return { channel, sent, isEnded: () => ended }
}

/** Dials a server that is played by `serve`, hub and all. */
async function dialFake(
  options: RtcOptions,
  serve: (
    signals: ReturnType<typeof createServerSignals>,
    peer: FakeHubPeer,
    introduced: string,
  ) => Promise<void>,
  onStage?: (stage: DialStage) => void,
) {
  const played: Promise<void>[] = []
  const hub = await FakeHub.start({
    onIntroduce(peer, introduced) {
      const signals = createServerSignals({ id: bytesOf(introduced), identity: createIdentity(keys) })
      peer.say({ type: 'introduced', id: introduced, iceServers: [] })
      played.push(serve(signals, peer, introduced))
    },
  })
  const { webRtc, connections } = countingWebRtc()
  const controller = new AbortController()
  const ms = MultiServer([[rtc({ ...options, wrtc: webRtc }), shs({ keys: await generateKeys() })]])
  const dial = ms.client(`rtc:127.0.0.1!:${hub.port}~shs:${toBase64(keys.publicKey)}`, {
    timeoutMs: 8000,
    signal: controller.signal,
    onProgress: ({ stage }) => onStage?.(stage),
  })
  dial.catch(() => undefined)
  return {
    dial,
    controller,
    connections,
    /** What the hub has heard. */
    end: async (): Promise<PeerMessage[]> => {
      await Promise.all(played)
      await until(() => areClosed(connections), 'the WebRTC connection is closed')
      await hub.close()
      return hub.peers.flatMap(({ heard }) => heard)
    },
  }
}

/** A WebRTC connection by hand, which makes no use of candidates, its own and the far side's, until it is told to. */
class HandLink extends WebRtcLink {
  readonly #mine: CandidateSignal[]
  readonly #theirs: CandidateSignal[] = []
  #tell: ((signal: CandidateSignal) => Promise<void>) | undefined

  constructor(initiator: boolean) {
    const mine: CandidateSignal[] = []
    super({
      initiator,
      webRtc: countingWebRtc().webRtc,
      iceServers: [],
      onCandidate: (found) => {
        if (found === null) return
        mine.push({ kind: 'candidate', ...found })
        this.#flush()
      },
    })
    this.#mine = mine
  }

  hear(signal: CandidateSignal): void {
    if (signal.candidate !== '') this.#theirs.push(signal)
    this.#flush()
  }

  connect(tell: (signal: CandidateSignal) => Promise<void>): void {
    this.#tell = tell
    this.#flush()
  }

  #flush(): void {
    if (this.#tell === undefined) return
    for (const { candidate, mid } of this.#theirs.splice(0)) this.addCandidate(candidate, mid)
    for (const signal of this.#mine.splice(0)) this.#tell(signal).catch(() => undefined)
  }
}

/** What this machine's own addresses count as: wrtc connects over them, and not over loopback. */
function ownSources(): (string | undefined)[] {
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
  return addresses.map(({ internal, address }) => (internal ? undefined : sourceOf(address)))
}

/** The description of a connection that is gone already: what answers it makes nothing of it. */
async function anyOffer(): Promise<string> {
  const link = new HandLink(true)
  const sdp = await link.description
  link.close()
  await link.closed
  return sdp
}

function addressAt({ url }: RunningHub): string {
  return `rtc:${new URL(url).host.replace(':', '!:')}~shs:${toBase64(keys.publicKey)}`
}

/** The plug alone as a server at `hub`: what it accepts is no connection yet. */
async function listenAt({ url }: RunningHub) {
  const { webRtc, connections } = countingWebRtc()
  let change = (report: object) => report
  const accepted: ByteStream[] = []
  const errors: string[] = []
  const listening = rtc({ hub: url, wrtc: withStats(webRtc, (report) => change(report)) }).listen?.(
    (stream) => accepted.push(stream),
    {
      signal: new AbortController().signal,
      identity: createIdentity(keys),
      transforms: ['shs'],
      onError: () => undefined,
      onConnectionError: (error) => errors.push('code' in error ? String(error.code) : error.message),
    },
  )
  const listener = (await listening) as Listener
  return {
    connections,
    accepted,
    errors,
    changeRemoteCandidate: (how: typeof change) => (change = how),
    async close() {
      for (const stream of accepted) stream.abort()
      await listener.close()
      await until(() => areClosed(connections), 'every WebRTC connection of the server is closed')
    },
  }
}

/** WebRTC that tells other things of the far side's candidates. */
function withStats(webRtc: WebRtc, change: (report: object) => object): WebRtc {
  function makeConnection(configuration?: RTCConfiguration): RTCPeerConnection {
    const connection = new webRtc.RTCPeerConnection(configuration)
    const getStats = connection.getStats.bind(connection)
    connection.getStats = async () => {
      const changed = new Map<string, unknown>()
      ;(await getStats()).forEach((report: { id: string; type: string }) =>
        changed.set(report.id, report.type === 'remote-candidate' ? change({ ...report }) : report),
      )
      return changed
    }
    return connection
  }
  return { ...webRtc, RTCPeerConnection: makeConnection as unknown as typeof RTCPeerConnection }
}

/** The data of signal number `index` that the peer has sent. */
async function nextSignal(peer: FakeHubPeer, index: number): Promise<string> {
  await peer.heardThat(({ type }) => type === 'signal', index + 1)
  const signals = peer.heard.flatMap((message) => (message.type === 'signal' ? [message.data] : []))
  return signals[index] ?? ''
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return fromBase64Url(text) ?? new Uint8Array(0)
}

function ignore(): void {
  // Nothing.
}
