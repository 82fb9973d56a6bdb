import { beforeAll, describe, expect, it } from 'vitest'
import { toBase64Url } from '../../../core/bytes.ts'
import { ready } from '../../../core/ed25519.ts'
import { limits } from '../../../core/limits.ts'
import { MultiServer } from '../../../core/multiserver.ts'
import { generateKeys, type Keys } from '../../../plugs/keys.ts'
import rtc from '../../../plugs/rtc/index.ts'
import { createClientSignals, type ServerSignal } from '../../../plugs/rtc/signals.ts'
import { WebRtcLink } from '../../../plugs/rtc/webrtc-link.ts'
import { loadWebRtc } from '../../../plugs/rtc/wrtc.ts'
import shs from '../../../plugs/shs/index.ts'
import { FakeHub } from './fake-hub.ts'
import { areClosed, countingWebRtc, expectNoLeftovers, until } from './leftovers.ts'
import { anyOffer, bytesOf, dialPlayed, HandLink, nextSignal, offer } from './played-peers.ts'
import type { DialStage } from '../../../core/types.ts'
import type { Offer } from '../../../plugs/rtc/signal-payload.ts'

const id = toBase64Url(new Uint8Array(16).fill(3))
let keys: Keys
beforeAll(async () => {
  await ready()
  keys = await generateKeys()
})
expectNoLeftovers()

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

describe('a client', () => {
  it('says once that it has no more candidates, although its WebRTC says so at each change', async () => {
    const ended: number[] = []
    const stages: DialStage[] = []
    const { dial, end } = await dialPlayed({
      keys,
      async serve(signals, peer, introduced) {
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
      onStage: (stage) => stages.push(stage),
    })
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
    const { dial, connections, end } = await dialPlayed({
      keys,
      async serve(signals, peer, introduced) {
        await signals.open(await nextSignal(peer, 0))
        peer.say({ type: 'signal', id: introduced, data: await signals.seal(reply) })
      },
    })
    await expect(dial).rejects.toMatchObject({ attempts: [{ code }] })
    await until(() => areClosed(connections), 'the WebRTC connection is closed')
    await end()
  })

  it('tells nothing of its addresses in the offer, and no candidate before the answer', async () => {
    const { dial, controller, end } = await dialPlayed({
      keys,
      async serve(signals, peer) {
        const first = await signals.open(await nextSignal(peer, 0))
        expect(first).toMatchObject({ kind: 'offer', resume: false, transforms: ['shs'] })
        const { sdp } = first as Offer
        expect(sdp).not.toContain('a=candidate')
        expect(
          sdp.match(/\d+\.\d+\.\d+\.\d+/g)?.filter((ip) => ip !== '0.0.0.0' && ip !== '127.0.0.1'),
        ).toEqual([])
        controller.abort()
      },
    })
    await expect(dial).rejects.toMatchObject({ code: 'ABORTED' })
    expect((await end()).filter(({ type }) => type === 'signal')).toHaveLength(1)
  })

  it('that may only be relayed offers no other candidate', async () => {
    const candidates: string[] = []
    const { dial, controller, end } = await dialPlayed({
      keys,
      options: { iceTransportPolicy: 'relay' },
      async serve(signals, peer, introduced) {
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
    })
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

function ignore(): void {
  // Nothing.
}
