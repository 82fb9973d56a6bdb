/**
 * Whom a NAT lets in, found out with nothing but WebRTC. Two connections of this peer: a stranger, who speaks only through
 * the TURN server, and a listener, who is told nothing of the stranger and so can't have sent to it. If ICE connects them
 * all the same, the stranger's packet was let in. What the listener has sent to is one STUN server:
 *
 *   one at another address than the relay's:  let in -> endpoint-independent
 *   one at the relay's address:               let in -> address-dependent, else address-and-port-dependent
 *
 * When nothing came in, the listener is told of the stranger: only if they connect then has the NAT kept it out, and not a
 * TURN server that doesn't send there.
 */
import type { WebRtc } from '#wrtc'
import { firstCandidate, within, type FoundCandidate } from './gather.ts'
import type { Filtering } from './finding.ts'
import type { OneServer, TurnServer } from './servers.ts'
import type { StunExamination } from './stun.ts'

export interface FilteringExamination {
  /** Undefined when nothing can be said. */
  readonly filtering: Filtering | undefined
  /** Whether a STUN server at another address than the relay's took part: without one the first two look alike. */
  readonly hasElsewhere: boolean
}

const gatherMs = 3_000
/** ICE tries a new pair a few times a second. */
const letInMs = 3_000
/** One that has failed for a while is tried seldom: with 5 % loss and a round trip of 200 ms it took 1 to 3 s. */
const controlMs = 6_000

export async function examineFiltering(
  webRtc: WebRtc,
  relay: TurnServer,
  stun: StunExamination,
  servers: readonly OneServer[],
  signal: AbortSignal,
): Promise<FilteringExamination> {
  // Whether a server answers shows only where there is a NAT.
  const asked = stun.mapping === 'none' ? servers : stun.mapped.map(({ server }) => server)
  const isListener = ({ type, address }: FoundCandidate) =>
    stun.mapping === 'none' ? stun.open.includes(address) : type === 'srflx'
  const there = asked.find(({ host }) => host === relay.host)
  const elsewhere = asked.find(({ host }) => host !== relay.host)
  const tryStranger = (listenerAsks: OneServer | undefined) =>
    listenerAsks === undefined ? undefined : letsIn(webRtc, relay, { listenerAsks, isListener }, signal)
  const [fromElsewhere, fromThere] = await Promise.all([tryStranger(elsewhere), tryStranger(there)])
  return { filtering: judge(fromElsewhere, fromThere), hasElsewhere: fromElsewhere !== undefined }
}

function judge(fromElsewhere: boolean | undefined, fromThere: boolean | undefined): Filtering | undefined {
  if (fromElsewhere === true) return 'endpoint-independent'
  if (fromThere === true) return 'address-dependent'
  return fromThere === false ? 'address-and-port-dependent' : undefined
}

interface Listener {
  readonly listenerAsks: OneServer
  /** Which of its candidates the stranger is told. */
  readonly isListener: (candidate: FoundCandidate) => boolean
}

/** Undefined when they don't connect at all. */
async function letsIn(
  webRtc: WebRtc,
  relay: TurnServer,
  { listenerAsks, isListener }: Listener,
  signal: AbortSignal,
): Promise<boolean | undefined> {
  const stranger = new webRtc.RTCPeerConnection({
    iceServers: [relay.server],
    iceTransportPolicy: 'relay',
  })
  const listener = new webRtc.RTCPeerConnection({ iceServers: [listenerAsks.server] })
  try {
    const strangerAt = firstCandidate(stranger, ({ type }) => type === 'relay')
    const listenerAt = firstCandidate(listener, isListener)
    const connected = untilConnected(listener)
    await exchangeDescriptions(stranger, listener)
    const found = await within(Promise.all([strangerAt, listenerAt]), gatherMs, signal)
    if (found === undefined) return undefined
    const [strangerCandidate, listenerCandidate] = found
    await stranger.addIceCandidate(asInit(listenerCandidate))
    if ((await within(connected, letInMs, signal)) === true) return true
    await listener.addIceCandidate(asInit(strangerCandidate))
    return (await within(connected, controlMs, signal)) === true ? false : undefined
  } finally {
    stranger.close()
    listener.close()
  }
}

async function exchangeDescriptions(
  offering: RTCPeerConnection,
  answering: RTCPeerConnection,
): Promise<void> {
  offering.createDataChannel('doctor')
  const offer = withoutCandidates(await offering.createOffer())
  await offering.setLocalDescription(offer)
  await answering.setRemoteDescription(offer)
  const answer = withoutCandidates(await answering.createAnswer())
  await answering.setLocalDescription(answer)
  await offering.setRemoteDescription(answer)
}

function withoutCandidates({ type, sdp = '' }: RTCSessionDescriptionInit): RTCSessionDescriptionInit {
  return { type, sdp: sdp.replace(/^a=(candidate:.*|end-of-candidates)\r\n/gm, '') }
}

function untilConnected(connection: RTCPeerConnection): Promise<true> {
  return new Promise((resolve) => {
    connection.addEventListener('iceconnectionstatechange', () => {
      const { iceConnectionState: state } = connection
      if (state === 'connected' || state === 'completed') resolve(true)
    })
  })
}

function asInit({ text }: FoundCandidate): RTCIceCandidateInit {
  return { candidate: text, sdpMLineIndex: 0, sdpMid: '0' }
}
