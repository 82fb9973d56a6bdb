import { WebRtcLink, type LinkStage } from '../../../plugs/rtc/webrtc-link.ts'
import { countingWebRtc } from './leftovers.ts'
import type { FramePath } from '../../../plugs/rtc/frame-path.ts'

interface OpenLink {
  readonly link: WebRtcLink
  /** As they were told. */
  readonly stages: readonly LinkStage[]
  readonly path: FramePath
}

/** Two connections of this process that are open to each other, and the WebRTC that each was made with. */
export async function linkPair() {
  const [nearWebRtc, farWebRtc] = [countingWebRtc(), countingWebRtc()]
  const near = makeLink(true, nearWebRtc.webRtc, (candidate, mid) => far.link.addCandidate(candidate, mid))
  const far = makeLink(false, farWebRtc.webRtc, (candidate, mid) => near.link.addCandidate(candidate, mid))
  far.link.accept(await near.link.description)
  near.link.accept(await far.link.description)
  return { near: await opened(near), far: await opened(far), nearWebRtc, farWebRtc }
}

function makeLink(
  initiator: boolean,
  webRtc: ReturnType<typeof countingWebRtc>['webRtc'],
  onCandidate: (candidate: string, mid: string) => void,
): Omit<OpenLink, 'path'> {
  const stages: LinkStage[] = []
  const link = new WebRtcLink({
    initiator,
    webRtc,
    iceServers: [],
    onCandidate: (found) => found !== null && onCandidate(found.candidate, found.mid),
    onStage: (stage) => stages.push(stage),
  })
  return { link, stages }
}

async function opened(made: Omit<OpenLink, 'path'>): Promise<OpenLink> {
  return { ...made, path: await made.link.opened }
}
