import { MultiserverError } from '../../core/errors.ts'
import type { WebRtc } from './wrtc.ts'

export type { WebRtc } from './wrtc.ts'

/** Calls back when the page goes away: nothing of it runs afterwards. The returned function stops that. */
export function onPageHide(listener: () => void): () => void {
  addEventListener('pagehide', listener)
  return () => removeEventListener('pagehide', listener)
}

/** Calls back when the machine is at another network, as far as the browser tells. The returned function stops that. */
export function onNetworkChange(listener: () => void): () => void {
  addEventListener('online', listener)
  return () => removeEventListener('online', listener)
}

/** The browser's own WebRTC. RTC_UNAVAILABLE where it has none, or a policy forbids it. */
export function loadWebRtc(): Promise<WebRtc> {
  const { RTCPeerConnection, RTCSessionDescription, RTCIceCandidate } = globalThis
  if (typeof RTCPeerConnection === 'undefined') {
    return Promise.reject(new MultiserverError('RTC_UNAVAILABLE', 'this browser has no WebRTC'))
  }
  return Promise.resolve({ RTCPeerConnection, RTCSessionDescription, RTCIceCandidate })
}
