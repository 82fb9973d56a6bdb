import { networkInterfaces } from 'node:os'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { toBase64 } from '../../../core/bytes.ts'
import { createIdentity, ready } from '../../../core/ed25519.ts'
import { MultiserverError } from '../../../core/errors.ts'
import { sourceOf } from '../../../core/ip.ts'
import { limits } from '../../../core/limits.ts'
import { MultiServer } from '../../../core/multiserver.ts'
import { generateKeys, type Keys } from '../../../plugs/keys.ts'
import { HubSocket, randomId } from '../../../plugs/rtc/hub-socket.ts'
import { IntroductionChannel } from '../../../plugs/rtc/introduction-channel.ts'
import rtc from '../../../plugs/rtc/index.ts'
import { createClientSignals } from '../../../plugs/rtc/signals.ts'
import type { WebRtc } from '../../../plugs/rtc/wrtc.ts'
import shs from '../../../plugs/shs/index.ts'
import { startHub, type RunningHub } from '../../../signal-server/index.ts'
import { areClosed, countingWebRtc, expectNoLeftovers, until } from './leftovers.ts'
import { anyOffer, bytesOf, HandLink, offer } from './played-peers.ts'
import type { ByteStream, Listener } from '../../../core/types.ts'

let keys: Keys
beforeAll(async () => {
  await ready()
  keys = await generateKeys()
})
expectNoLeftovers()

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

/** What this machine's own addresses count as: wrtc connects over them, and not over loopback. */
function ownSources(): (string | undefined)[] {
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
  return addresses.map(({ internal, address }) => (internal ? undefined : sourceOf(address)))
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
