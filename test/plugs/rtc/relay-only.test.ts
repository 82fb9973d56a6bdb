import { beforeAll, describe, expect, it } from 'vitest'
import { fromBase64Url, toBase64, toBase64Url } from '../../../core/bytes.ts'
import { createIdentity, ready } from '../../../core/ed25519.ts'
import { MultiServer } from '../../../core/multiserver.ts'
import { generateKeys, type Keys } from '../../../plugs/keys.ts'
import rtc from '../../../plugs/rtc/index.ts'
import { createClientSignals, createServerSignals } from '../../../plugs/rtc/signals.ts'
import { WebRtcLink } from '../../../plugs/rtc/webrtc-link.ts'
import shs from '../../../plugs/shs/index.ts'
import { FakeHub, type FakeHubPeer } from './fake-hub.ts'
import { areClosed, countingWebRtc, expectNoLeftovers, until } from './leftovers.ts'
import type { Signal } from '../../../plugs/rtc/signal-payload.ts'
import type { WebRtc } from '../../../plugs/rtc/wrtc.ts'

let keys: Keys
beforeAll(async () => {
  await ready()
  keys = await generateKeys()
})
expectNoLeftovers()

/** As a TURN server's and a STUN server's would be found; the related address tells of this network. */
const found = {
  srflx: 'candidate:2 1 udp 1677729535 203.0.113.7 5000 typ srflx raddr 10.1.2.3 rport 6000',
  relay: 'candidate:3 1 udp 33562367 198.51.100.9 7000 typ relay raddr 203.0.113.7 rport 5000',
}
const allThatMayLeave = ['candidate:3 1 udp 33562367 198.51.100.9 7000 typ relay raddr 0.0.0.0 rport 0', '']

describe('a peer that may only be relayed', () => {
  it('tells a server nothing of its addresses, although its WebRTC finds and offers all of them', async () => {
    const said: Signal[] = []
    const { webRtc, connections, hasFoundHosts } = indiscreet()
    let played = Promise.resolve()
    const controller = new AbortController()
    const hub = await FakeHub.start({
      onIntroduce(peer, id) {
        const signals = createServerSignals({ id: bytesOf(id), identity: createIdentity(keys) })
        peer.say({ type: 'introduced', id, iceServers: [] })
        played = (async () => {
          const offer = await signals.open(await nextSignal(peer, 0))
          said.push(offer)
          if (offer.kind !== 'offer') return
          const sdp = offer.sdp.replace('a=setup:actpass', 'a=setup:active')
          const answer = { kind: 'answer', sdp, relayKey: new Uint8Array(32) } as const
          peer.say({ type: 'signal', id, data: await signals.seal(answer) })
          while (!isEnd(said.at(-1))) said.push(await signals.open(await nextSignal(peer, said.length)))
          controller.abort()
        })()
      },
    })
    const stack = [
      rtc({ iceTransportPolicy: 'relay', wrtc: webRtc }),
      shs({ keys: await generateKeys() }),
    ] as const
    const dial = MultiServer([stack]).client(`rtc:127.0.0.1!:${hub.port}~shs:${toBase64(keys.publicKey)}`, {
      signal: controller.signal,
      timeoutMs: 20_000,
    })
    await expect(dial).rejects.toMatchObject({ code: 'ABORTED' })
    await played
    expectDiscretion(said)
    expect(hasFoundHosts()).toBe(true)
    await until(() => areClosed(connections), 'the WebRTC connection is closed')
    await hub.close()
  })

  it('tells a client nothing of its addresses, although its WebRTC finds and offers all of them', async () => {
    const { webRtc, connections, hasFoundHosts } = indiscreet()
    const hub = await FakeHub.start()
    const stack = [rtc({ hub: hub.url, iceTransportPolicy: 'relay', wrtc: webRtc }), shs({ keys })] as const
    const close = MultiServer([stack]).server(
      () => undefined,
      () => undefined,
    )
    await close.listening
    const peer = await hub.peer(0)
    const id = toBase64Url(crypto.getRandomValues(new Uint8Array(16)))
    const signals = createClientSignals({ id: bytesOf(id), serverKey: keys.publicKey })
    const offer = {
      kind: 'offer',
      session: new Uint8Array(16),
      resume: false,
      transforms: ['shs'],
      relay: 'never',
      sdp: await anyOffer(),
    } as const
    peer.say({ type: 'incoming', id })
    peer.say({ type: 'signal', id, data: await signals.seal(offer) })
    const said: Signal[] = []
    while (!isEnd(said.at(-1))) said.push(await signals.open(await nextSignal(peer, said.length)))
    expectDiscretion(said)
    expect(hasFoundHosts()).toBe(true)
    await close()
    await until(() => areClosed(connections), 'the WebRTC connection is closed')
    await hub.close()
  })
})

function expectDiscretion(said: readonly Signal[]): void {
  const candidates = said.flatMap((signal) => (signal.kind === 'candidate' ? [signal.candidate] : []))
  expect(candidates).toEqual(allThatMayLeave)
  const [description] = said.flatMap((signal) => ('sdp' in signal ? [signal.sdp] : []))
  expect(description).not.toContain('candidate')
  const addresses = description?.match(/IN IP[46] \S+/g)
  expect(addresses).toEqual(['IN IP4 127.0.0.1', 'IN IP4 0.0.0.0'])
}

/** WebRTC that does not obey `iceTransportPolicy`, and finds candidates of every type. */
function indiscreet() {
  const { webRtc, connections } = countingWebRtc()
  let hosts = 0
  function makeConnection(configuration?: RTCConfiguration): RTCPeerConnection {
    const connection = new webRtc.RTCPeerConnection({ ...configuration, iceTransportPolicy: 'all' })
    const configure = connection.setConfiguration.bind(connection)
    connection.setConfiguration = (next) => configure({ ...next, iceTransportPolicy: 'all' })
    connection.addEventListener('icecandidate', ({ candidate }) => {
      if (candidate?.candidate.includes('typ host') !== true) return
      hosts += 1
      if (hosts > 1) return
      for (const text of Object.values(found)) {
        const event = { candidate: { candidate: text, sdpMid: '0', sdpMLineIndex: 0 } }
        connection.onicecandidate?.(event as RTCPeerConnectionIceEvent)
      }
    })
    return connection
  }
  const RTCPeerConnection = makeConnection as unknown as typeof globalThis.RTCPeerConnection
  return {
    webRtc: { ...webRtc, RTCPeerConnection } satisfies WebRtc,
    connections,
    hasFoundHosts: () => hosts > 0,
  }
}

function isEnd(signal: Signal | undefined): boolean {
  return signal?.kind === 'candidate' && signal.candidate === ''
}

/** The description of a connection that is gone already. */
async function anyOffer(): Promise<string> {
  const link = new WebRtcLink({
    initiator: true,
    webRtc: countingWebRtc().webRtc,
    iceServers: [],
    onCandidate: () => undefined,
  })
  const sdp = await link.description
  link.close()
  await link.closed
  return sdp
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
