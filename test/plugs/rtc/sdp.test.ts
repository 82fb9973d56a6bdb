import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import wrtc from 'wrtc'
import { rebuildCandidate } from '../../../plugs/rtc/candidates.ts'
import { begunByOfferer, maxMessageSize, rebuildSdp, type SdpType } from '../../../plugs/rtc/sdp.ts'

const FINGERPRINT =
  'D4:09:B6:23:10:36:7C:F4:86:68:1B:13:B5:EB:E8:19:E9:63:6C:58:E7:93:53:2B:EF:E8:E4:9F:B5:4D:C1:87'

/** As Chromium 156 writes it, and wrtc likewise, once candidates were gathered. */
const chromium = [
  'v=0',
  'o=- 5069755546136113128 2 IN IP4 127.0.0.1',
  's=-',
  't=0 0',
  'a=group:BUNDLE 0',
  'a=extmap-allow-mixed',
  'a=msid-semantic: WMS',
  'm=application 33380 UDP/DTLS/SCTP webrtc-datachannel',
  'c=IN IP4 192.0.2.2',
  'a=candidate:559267639 1 udp 2122136831 ::1 52221 typ host generation 0 network-id 4',
  'a=candidate:1286591205 1 udp 2113937151 184cdc6e-bbed-4b94-9844-2085e3501a4c.local 41164 typ host',
  'a=ice-ufrag:8J7D',
  'a=ice-pwd:+PpBqBj/o+7oInPnGRCKIVyn',
  'a=ice-options:trickle',
  `a=fingerprint:sha-256 ${FINGERPRINT}`,
  'a=setup:actpass',
  'a=mid:0',
  'a=sctp-port:5000',
  'a=max-message-size:262144',
  '',
].join('\r\n')

/** Firefox has the fingerprint and the ICE options before the media section. */
const firefox = [
  'v=0',
  'o=mozilla...THIS_IS_SDPARTA-99.0 4189360314203899506 0 IN IP4 0.0.0.0',
  's=-',
  't=0 0',
  'a=sendrecv',
  `a=fingerprint:sha-256 ${FINGERPRINT}`,
  'a=group:BUNDLE 0',
  'a=ice-options:trickle',
  'a=msid-semantic:WMS *',
  'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
  'c=IN IP4 0.0.0.0',
  'a=candidate:0 1 UDP 2122252543 fc8e5fbc-11bb-446e-afa8-f0ec2dc006fe.local 49104 typ host',
  'a=sendrecv',
  'a=end-of-candidates',
  'a=ice-pwd:7d6fa8fd92707c1f8b62be23c447ffc2',
  'a=ice-ufrag:25549086',
  'a=mid:0',
  'a=setup:active',
  'a=sctp-port:5000',
  'a=max-message-size:1073741823',
  '',
].join('\r\n')

const rebuiltChromium = [
  'v=0',
  'o=- 1 1 IN IP4 127.0.0.1',
  's=-',
  't=0 0',
  'a=group:BUNDLE 0',
  'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
  'c=IN IP4 0.0.0.0',
  'a=ice-ufrag:8J7D',
  'a=ice-pwd:+PpBqBj/o+7oInPnGRCKIVyn',
  'a=ice-options:trickle',
  `a=fingerprint:sha-256 ${FINGERPRINT}`,
  'a=setup:actpass',
  'a=mid:0',
  'a=sctp-port:5000',
  'a=max-message-size:262144',
  '',
].join('\r\n')

describe('a rebuilt description', () => {
  it('has of what Chromium and wrtc write only what matters', () => {
    expect(rebuildSdp(chromium, 'offer')).toBe(rebuiltChromium)
    expect(rebuildSdp(chromium.replaceAll('\r\n', '\n'), 'offer')).toBe(rebuiltChromium)
  })

  it('has of what Firefox writes the same, in the same place', () => {
    const expected = rebuiltChromium
      .replace('8J7D', '25549086')
      .replace('+PpBqBj/o+7oInPnGRCKIVyn', '7d6fa8fd92707c1f8b62be23c447ffc2')
      .replace('actpass', 'active')
      .replace('262144', '1073741823')
    expect(rebuildSdp(firefox, 'answer')).toBe(expected)
  })

  it('stays as it is', () => {
    expect(rebuildSdp(rebuiltChromium, 'offer')).toBe(rebuiltChromium)
  })

  it('has no line from elsewhere', () => {
    const more = [
      'a=candidate:1 1 udp 1 169.254.169.254 80 typ host',
      'a=ice-lite',
      'a=identity:x',
      'b=AS:1',
      'a=rtcp-mux',
    ]
    const sdp = chromium.replace('a=mid:0', [...more, 'a=mid:0'].join('\r\n'))
    expect(rebuildSdp(sdp, 'offer')).toBe(rebuiltChromium)
  })

  it('takes a fingerprint by another hash for no fingerprint', () => {
    const other = `a=fingerprint:sha-1 ${FINGERPRINT.slice(0, 59)}`
    expect(rebuildSdp(insert(chromium, other), 'offer')).toBe(rebuiltChromium)
    expect(rebuildSdp(chromium.replace(/a=fingerprint.*/, other), 'offer')).toBeNull()
  })

  it('writes the fingerprint in capitals', () => {
    expect(rebuildSdp(chromium.replace(FINGERPRINT, FINGERPRINT.toLowerCase()), 'offer')).toBe(
      rebuiltChromium,
    )
  })

  it('lets the side begin DTLS that offered', () => {
    expect(begunByOfferer(rebuiltChromium)).toBe(rebuiltChromium.replace('actpass', 'active'))
  })

  it.each(['active', 'passive', 'actpass', 'holdconn'])('has the role %s only where it belongs', (setup) => {
    const sdp = chromium.replace('actpass', setup)
    expect(rebuildSdp(sdp, 'offer') !== null).toBe(setup === 'actpass')
    expect(rebuildSdp(sdp, 'answer') !== null).toBe(setup === 'active' || setup === 'passive')
  })

  it.each(['m=application', 'a=ice-ufrag', 'a=ice-pwd', 'a=fingerprint', 'a=setup', 'a=mid', 'a=sctp-port'])(
    'needs exactly one %s',
    (start) => {
      const line = chromium.split('\r\n').find((candidate) => candidate.startsWith(start)) ?? ''
      expect(rebuildSdp(chromium.replace(`${line}\r\n`, ''), 'offer')).toBeNull()
      expect(rebuildSdp(insert(chromium, line), 'offer')).toBeNull()
    },
  )

  it.each([
    ['m=application 33380', 'm=application 0'],
    ['m=application', 'm=audio'],
    ['UDP/DTLS/SCTP webrtc-datachannel', 'DTLS/SCTP 5000'],
    ['a=ice-ufrag:8J7D', 'a=ice-ufrag:8J7'],
    ['a=ice-ufrag:8J7D', `a=ice-ufrag:${'a'.repeat(257)}`],
    ['a=ice-ufrag:8J7D', 'a=ice-ufrag:8J7-D'],
    ['a=ice-ufrag:8J7D', 'a=ice-ufrag:8J7D\ra=ice-lite'],
    ['a=ice-pwd:+PpBqBj', 'a=ice-pwd:'],
    ['a=ice-pwd:+PpBqBj', `a=ice-pwd:${'a'.repeat(256)}`],
    ['a=ice-pwd:+PpBqBj', 'a=ice-pwd:é+PpBqBj'],
    [FINGERPRINT, FINGERPRINT.slice(3)],
    [FINGERPRINT, `${FINGERPRINT}:00`],
    ['a=mid:0', 'a=mid:'],
    ['a=mid:0', 'a=mid:0 1'],
    ['a=mid:0', `a=mid:${'0'.repeat(33)}`],
    ['a=sctp-port:5000', 'a=sctp-port:0'],
    ['a=sctp-port:5000', 'a=sctp-port:65536'],
    ['a=sctp-port:5000', 'a=sctp-port:5e3'],
    ['a=max-message-size:262144', 'a=max-message-size:1023'],
    ['a=mid:0', `a=mid:0\r\nx=${'y'.repeat(8192)}`],
  ])('is none when %j is %j', (was, is) => {
    expect(chromium).toContain(was)
    expect(rebuildSdp(chromium.replace(was, is), 'offer')).toBeNull()
  })

  it('is none without anything', () => {
    expect(rebuildSdp('', 'offer')).toBeNull()
    expect(rebuildSdp('v=0\r\n', 'answer')).toBeNull()
  })

  it('is fixed by its first rebuilding and never throws, whatever comes', () => {
    fc.assert(
      fc.property(arbitrarySdp(), fc.constantFrom<SdpType>('offer', 'answer'), (sdp, type) => {
        const rebuilt = rebuildSdp(sdp, type)
        if (rebuilt === null) return
        expect(rebuildSdp(rebuilt, type)).toBe(rebuilt)
        expect(maxMessageSize(rebuilt)).toBe(maxMessageSize(sdp))
        expect(rebuilt.split('\r\n')).toHaveLength(16)
        expect(rebuilt).toMatch(/^[\r\n -~]+$/)
        expect(rebuilt).not.toContain('candidate')
      }),
      { numRuns: 35_000 },
    )
  })
})

describe('the longest message', () => {
  it.each([
    ['a=max-message-size:262144', 262_144],
    ['a=max-message-size:0', Number.POSITIVE_INFINITY],
    ['', 65_536],
    ['a=max-message-size:-1', 65_536],
    ['a=max-message-size:1\r\na=max-message-size:2', 65_536],
  ])('of %j is %d', (line, bytes) => {
    const sdp = chromium.replace('a=max-message-size:262144', line)
    expect(maxMessageSize(sdp)).toBe(bytes)
    const rebuilt = rebuildSdp(sdp, 'offer')
    expect(rebuilt && maxMessageSize(rebuilt)).toBe(bytes)
  })
})

describe('two peers of wrtc', () => {
  const peers: RTCPeerConnection[] = []

  afterEach(() => {
    for (const peer of peers.splice(0)) peer.close()
  })

  it('connect by rebuilt descriptions and candidates', async () => {
    const [client, server] = [createPeer(), createPeer()]
    const clientChannel = client.createDataChannel('test', { negotiated: true, id: 0 })
    const serverChannel = server.createDataChannel('test', { negotiated: true, id: 0 })
    const opened = new Promise<void>((resolve) => {
      clientChannel.onopen = () => resolve()
    })
    const received = new Promise((resolve) => {
      serverChannel.onmessage = (event) => resolve(event.data)
    })
    const gatheredByClient = gatherLoopback(client)
    const gatheredByServer = gatherLoopback(server)

    await client.setLocalDescription(await client.createOffer())
    const offered = await gatheredByClient
    const offer = rebuild(client, 'offer')
    await server.setRemoteDescription({ type: 'offer', sdp: offer })
    await server.setLocalDescription(await server.createAnswer())
    const answered = await gatheredByServer
    const answer = rebuild(server, 'answer')
    await client.setRemoteDescription({ type: 'answer', sdp: answer })
    for (const candidate of offered) await server.addIceCandidate({ candidate, sdpMid: '0' })
    for (const candidate of answered) await client.addIceCandidate({ candidate, sdpMid: '0' })

    await opened
    clientChannel.send('over rebuilt descriptions')
    expect(await received).toBe('over rebuilt descriptions')
  })

  function createPeer(): RTCPeerConnection {
    const peer = new wrtc.RTCPeerConnection({ iceServers: [] })
    peers.push(peer)
    return peer
  }
})

/** What would be sent of the peer's description, which has candidates in it by now, and then arrive. */
function rebuild(peer: RTCPeerConnection, type: SdpType): string {
  const sdp = peer.localDescription?.sdp ?? ''
  expect(sdp).toContain('a=candidate:')
  const sent = rebuildSdp(sdp, type) ?? ''
  return rebuildSdp(sent, type) ?? ''
}

/** The candidates of this machine alone, rebuilt, once there are no more to come. */
function gatherLoopback(peer: RTCPeerConnection): Promise<string[]> {
  const candidates: string[] = []
  return new Promise((resolve) => {
    peer.onicecandidate = ({ candidate }) => {
      if (candidate === null) return resolve(candidates)
      const filter = { loopbackHub: true, privateCandidates: false, relayOnly: false }
      const rebuilt = rebuildCandidate(candidate.candidate, filter)
      if (rebuilt?.includes(' 127.0.0.1 ') === true) candidates.push(rebuilt)
      return undefined
    }
  })
}

function insert(sdp: string, line: string): string {
  return `${sdp}${line}\r\n`
}

/** Lines of real descriptions and hostile ones, in any order and number, and real ones with a bit of damage. */
function arbitrarySdp(): fc.Arbitrary<string> {
  const lines = [
    ...chromium.split('\r\n'),
    ...firefox.split('\r\n'),
    'm=audio 9 RTP/AVP 0',
    'a=ice-lite',
    'a=mid:1',
    'a=max-message-size:0',
  ]
  const shuffled = fc
    .array(fc.oneof(fc.constantFrom(...lines), fc.string({ maxLength: 30 })), { maxLength: 30 })
    .map((all) => all.join('\r\n'))
  const real = fc.constantFrom(chromium, firefox, rebuiltChromium)
  const reordered = real.chain((sdp) => {
    const all = sdp.split('\r\n')
    return fc.shuffledSubarray(all, { minLength: all.length - 1 }).map((some) => some.join('\n'))
  })
  const damaged = fc
    .tuple(
      real,
      fc.nat(),
      fc.nat(4),
      fc.string({ unit: fc.constantFrom(...Array.from('\r\n 0Aa=:/é')), maxLength: 3 }),
    )
    .map(([sdp, at, length, text]) => {
      const index = at % sdp.length
      return sdp.slice(0, index) + text + sdp.slice(index + length)
    })
  return fc.oneof(shuffled, reordered, damaged, fc.string({ maxLength: 200 }))
}
