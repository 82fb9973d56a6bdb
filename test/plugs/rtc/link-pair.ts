import { WebRtcLink } from '../../../plugs/rtc/webrtc-link.ts'
import { countingWebRtc } from './leftovers.ts'
import type { FramePath } from '../../../plugs/rtc/frame-path.ts'

interface OpenLink {
  readonly link: WebRtcLink
  readonly path: FramePath
}

/** Two connections of this process that are open to each other, and the WebRTC that each was made with. */
export async function linkPair() {
  const [nearWebRtc, farWebRtc] = [countingWebRtc(), countingWebRtc()]
  const near: WebRtcLink = makeLink(true, nearWebRtc.webRtc, (candidate, mid) =>
    far.addCandidate(candidate, mid),
  )
  const far: WebRtcLink = makeLink(false, farWebRtc.webRtc, (candidate, mid) =>
    near.addCandidate(candidate, mid),
  )
  far.accept(await near.description)
  near.accept(await far.description)
  return { near: await opened(near), far: await opened(far), nearWebRtc, farWebRtc }
}

function makeLink(
  initiator: boolean,
  webRtc: ReturnType<typeof countingWebRtc>['webRtc'],
  onCandidate: (candidate: string, mid: string) => void,
): WebRtcLink {
  return new WebRtcLink({
    initiator,
    webRtc,
    iceServers: [],
    onCandidate: (found) => found !== null && onCandidate(found.candidate, found.mid),
  })
}

async function opened(link: WebRtcLink): Promise<OpenLink> {
  return { link, path: await link.opened }
}
