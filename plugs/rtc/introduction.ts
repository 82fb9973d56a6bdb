import { fromBase64Url } from '../../core/bytes.ts'
import { acceptIceServers, withoutTurn } from './ice-servers.ts'
import { Relaying, type RelayingOptions } from './relaying.ts'
import { SignalPath } from './signal-path.ts'
import { WebRtcLink, type WebRtcLinkOptions } from './webrtc-link.ts'
import type { MultiserverError } from '../../core/errors.ts'
import type { IceServer } from '../../core/hub-protocol.ts'
import type { Bytes } from '../../core/types.ts'
import type { CandidateOutlet } from './candidate-outlet.ts'
import type { CandidateFilter } from './candidates.ts'
import type { IntroductionChannel } from './introduction-channel.ts'
import type { FrameSignal, RelayUse, Signal } from './signal-payload.ts'
import type { Signals } from './signals.ts'
import type { WebRtc } from './wrtc.ts'

/** What both sides of every introduction of a plug have in common. */
export interface IntroductionOptions {
  readonly hubUrl: string
  readonly webRtc: WebRtc
  /** The user's own, beside the hub's. */
  readonly iceServers: readonly IceServer[]
  readonly iceTransportPolicy?: RTCIceTransportPolicy | undefined
  readonly filter: CandidateFilter
  readonly relay: RelayUse
  /** Where a relay may be, beside the hub's own host. */
  readonly relayHosts: readonly string[]
  readonly onRelayLimit: (error: MultiserverError) => void
}

/** What only one side of an introduction knows of its WebRTC connection. */
export interface OwnLinkOptions extends Pick<WebRtcLinkOptions, 'initiator' | 'iceServers' | 'onStage'> {
  readonly candidates: CandidateOutlet
}

/** @throws RTC_LIMIT */
export function makeLink(options: IntroductionOptions, own: OwnLinkOptions): WebRtcLink {
  const { initiator, iceServers, candidates, onStage } = own
  return new WebRtcLink({
    initiator,
    webRtc: options.webRtc,
    iceServers,
    iceTransportPolicy: options.iceTransportPolicy,
    onCandidate: (candidate) => candidates.add(candidate),
    onStage,
  })
}

/**
 * What is gathered with: the user's own ICE servers, and the hub's as far as they may be used. While the hub's relay carries a
 * session there is time to look for the direct path alone, without TURN: its pairs would slow the checks of the others, and where
 * one is found first, DTLS and SCTP take its longer way. And a TURN server is not asked for what most peers don't need.
 */
export function gatheringServers(
  { iceServers, hubUrl, iceTransportPolicy }: IntroductionOptions,
  hubServers: readonly IceServer[],
  { forDirect }: { forDirect: boolean },
): IceServer[] {
  const all = [...iceServers, ...acceptIceServers(hubServers, new URL(hubUrl).hostname)]
  return forDirect && iceTransportPolicy !== 'relay' ? withoutTurn(all) : all
}

/** One side's way to a circuit, not started yet. */
export function makeRelaying(
  channel: IntroductionChannel,
  { hubUrl, relayHosts }: IntroductionOptions,
  own: Omit<RelayingOptions, 'channel' | 'hubUrl' | 'relayHosts'>,
): Relaying {
  return new Relaying({ ...own, channel, hubUrl, relayHosts })
}

/** The path of the first frames, which go as signals of the introduction. */
export function makeSignalPath(
  channel: IntroductionChannel,
  signals: Pick<Signals<FrameSignal, Signal>, 'seal'>,
): SignalPath {
  return new SignalPath((frame) => {
    signals.seal({ kind: 'frame', frame }).then(
      (data) => channel.sendSignal(data),
      () => undefined,
    )
  })
}

/** The 16 bytes that name an introduction. */
export function idOf(channel: IntroductionChannel): Bytes {
  return fromBase64Url(channel.id) ?? new Uint8Array(0)
}
