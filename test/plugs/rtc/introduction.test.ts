import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { fromBase64Url, toBase64, toBase64Url } from '../../../core/bytes.ts'
import { createIdentity, ready } from '../../../core/ed25519.ts'
import { limits } from '../../../core/limits.ts'
import { MultiServer } from '../../../core/multiserver.ts'
import { generateKeys, type Keys } from '../../../plugs/keys.ts'
import { IntroductionChannel } from '../../../plugs/rtc/introduction-channel.ts'
import rtc, { type RtcOptions } from '../../../plugs/rtc/index.ts'
import { createClientSignals, createServerSignals, type ServerSignal } from '../../../plugs/rtc/signals.ts'
import shs from '../../../plugs/shs/index.ts'
import { FakeHub, type FakeHubPeer } from './fake-hub.ts'
import { areClosed, countingWebRtc, resources, until, untilOnly } from './leftovers.ts'
import type { PeerMessage } from '../../../core/hub-protocol.ts'
import type { Offer } from '../../../plugs/rtc/signal-payload.ts'

const id = toBase64Url(new Uint8Array(16).fill(3))
let keys: Keys
let before: string[] = []
beforeAll(async () => {
  await ready()
  keys = await generateKeys()
})
beforeEach(() => {
  before = resources()
})
afterEach(() => untilOnly(before))

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

describe('a client', () => {
  it.each([
    ['BUSY', { kind: 'refused', code: 'BUSY' }],
    ['CONNECT_FAILED', { kind: 'refused', code: 'NO_STACK' }],
    ['CONNECT_FAILED', { kind: 'refused', code: 'NO_SESSION' }],
    ['CONNECT_FAILED', { kind: 'refused', code: 'INVALID' }],
    ['SIGNAL_INVALID', { kind: 'answer', sdp: 'v=0\r\n', relayKey: new Uint8Array(32) }],
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

/** The data of signal number `index` that the peer has sent. */
async function nextSignal(peer: FakeHubPeer, index: number): Promise<string> {
  await peer.heardThat(({ type }) => type === 'signal', index + 1)
  const signals = peer.heard.flatMap((message) => (message.type === 'signal' ? [message.data] : []))
  return signals[index] ?? ''
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return fromBase64Url(text) ?? new Uint8Array(0)
}
