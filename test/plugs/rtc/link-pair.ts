import { WebRtcLink, type LinkStage } from '../../../plugs/rtc/webrtc-link.ts'
import { countingWebRtc } from './leftovers.ts'
import type { FramePath } from '../../../plugs/rtc/frame-path.ts'

interface MadeLink {
  readonly link: WebRtcLink
  /** As they were told. */
  readonly stages: readonly LinkStage[]
}

interface OpenLink extends MadeLink {
  readonly path: FramePath
}

interface PairOptions {
  /** Whether each is told that the other says it. @default true, true */
  readonly bye?: { readonly near: boolean; readonly far: boolean }
  readonly onNearStage?: (stage: LinkStage) => void
  readonly onFarStage?: (stage: LinkStage) => void
  /** What is done to each connection as it is made. */
  readonly prepare?: (connection: RTCPeerConnection) => void
}

/** Two connections of this process that are open to each other, and the WebRTC that each was made with. */
export async function linkPair(options: PairOptions = {}) {
  const { near, far, describe, ...webRtc } = makePair(options)
  await describe()
  return { near: await opened(near), far: await opened(far), ...webRtc }
}

/** Two connections that have not been described to each other. */
export function makePair({
  bye = { near: true, far: true },
  onNearStage = () => undefined,
  onFarStage = () => undefined,
  prepare,
}: PairOptions) {
  const [nearWebRtc, farWebRtc] = [countingWebRtc(prepare), countingWebRtc(prepare)]
  const near = makeLink(true, nearWebRtc.webRtc, onNearStage, () => far.link)
  const far = makeLink(false, farWebRtc.webRtc, onFarStage, () => near.link)
  async function describe(): Promise<void> {
    far.link.accept(await near.link.description, { bye: bye.far })
    near.link.accept(await far.link.description, { bye: bye.near })
  }
  return { near, far, describe, nearWebRtc, farWebRtc }
}

function makeLink(
  initiator: boolean,
  webRtc: ReturnType<typeof countingWebRtc>['webRtc'],
  onStage: (stage: LinkStage) => void,
  other: () => WebRtcLink,
): MadeLink {
  const stages: LinkStage[] = []
  const link: WebRtcLink = new WebRtcLink({
    initiator,
    webRtc,
    iceServers: [],
    onCandidate: (found) => found !== null && other().addCandidate(found.candidate, found.mid),
    onStage(stage) {
      stages.push(stage)
      onStage(stage)
    },
  })
  return { link, stages }
}

async function opened(made: MadeLink): Promise<OpenLink> {
  return { ...made, path: await made.link.opened }
}

/** For a path whose messages nobody wants. */
export const ignored = {
  onMessage: () => undefined,
  onDrain: () => undefined,
  onDoubt: () => undefined,
  onKind: () => undefined,
  onClose: () => undefined,
}
