import { MultiserverError } from '../../core/errors.ts'

/** The parts of WebRTC that simple-peer needs; a browser's, or those of the package wrtc. */
export interface WebRtc {
  readonly RTCPeerConnection: typeof RTCPeerConnection
  readonly RTCSessionDescription: typeof RTCSessionDescription
  readonly RTCIceCandidate: typeof RTCIceCandidate
}

/** Calls back when the page goes away, which Node has none of. The returned function stops that. */
export function onPageHide(_listener: () => void): () => void {
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
