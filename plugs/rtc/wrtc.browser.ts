import { MultiserverError } from '../../core/errors.ts'
import type { PageListeners, WebRtc } from './wrtc.ts'

export type { PageListeners, WebRtc } from './wrtc.ts'

/** A browser sees to these. */
export const factory = { listen: () => nothing, connect: () => nothing }
export const stalls = { watch: () => nothing, settlesInMs: 0 }

/** Calls back on what befalls the page; the returned function stops that. */
export function watchPage({ onHide, onWake }: PageListeners): () => void {
  const stop = new AbortController()
  const { signal } = stop
  if (onHide !== undefined) addEventListener('pagehide', onHide, { signal })
  addEventListener('pageshow', onWake, { signal })
  const stopListening = onNetworkChange(onWake)
  signal.addEventListener('abort', stopListening, { once: true })
  // A worker has no document, and is never frozen alone.
  globalThis.document?.addEventListener('resume', onWake, { signal })
  const onVisibility = () => document.visibilityState === 'visible' && onWake()
  globalThis.document?.addEventListener('visibilitychange', onVisibility, { signal })
  return () => stop.abort()
}

/** Calls back when the machine is at another network, as far as the browser tells. The returned function stops that. */
export function onNetworkChange(listener: () => void): () => void {
  const stop = new AbortController()
  const { signal } = stop
  addEventListener('online', listener, { signal })
  const { connection } = navigator as { connection?: NetworkInformation | undefined }
  let type = connection?.type
  const onChange = () => {
    if (connection?.type === type) return
    type = connection?.type
    listener()
  }
  connection?.addEventListener('change', onChange, { signal })
  return () => stop.abort()
}

/** Where there is one, mobile Chromium mostly. Its event comes at each new estimate of the network's speed too, which is no news. */
interface NetworkInformation extends EventTarget {
  /** `wifi`, `cellular`, … */
  readonly type?: string | undefined
}

/** The browser's own WebRTC. RTC_UNAVAILABLE where it has none, or a policy forbids it. */
export function loadWebRtc(): Promise<WebRtc> {
  const { RTCPeerConnection, RTCSessionDescription, RTCIceCandidate } = globalThis
  if (typeof RTCPeerConnection === 'undefined') {
    return Promise.reject(new MultiserverError('RTC_UNAVAILABLE', 'this browser has no WebRTC'))
  }
  return Promise.resolve({ RTCPeerConnection, RTCSessionDescription, RTCIceCandidate })
}

function nothing(): void {}
