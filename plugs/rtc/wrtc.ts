import { MultiserverError } from '../../core/errors.ts'

/** The parts of WebRTC that simple-peer needs; a browser's, or those of the package wrtc. */
export interface WebRtc {
  readonly RTCPeerConnection: typeof RTCPeerConnection
  readonly RTCSessionDescription: typeof RTCSessionDescription
  readonly RTCIceCandidate: typeof RTCIceCandidate
}

export interface PageListeners {
  /** The page goes away: nothing of it runs afterwards. */
  readonly onHide: () => void
  /** The page is back from where its timers stood still, or the network is back: what is known of either is old. */
  readonly onWake: () => void
}

/** Calls back on what befalls the page, which Node has none of. The returned function stops that. */
export function watchPage(_listeners: PageListeners): () => void {
  return () => undefined
}

/** Calls back when the machine is at another network, as far as that is told; Node is told nothing. The returned function stops that. */
export function onNetworkChange(_listener: () => void): () => void {
  return () => undefined
}

/** Node's WebRTC: the optional package wrtc, loaded at first use. RTC_UNAVAILABLE where that can't be. */
export async function loadWebRtc(): Promise<WebRtc> {
  try {
    const wrtc: { default: WebRtc } = await import('wrtc')
    return wrtc.default
  } catch (cause) {
    throw new MultiserverError('RTC_UNAVAILABLE', undefined, { cause })
  }
}
