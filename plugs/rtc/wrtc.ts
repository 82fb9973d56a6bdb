import { MultiserverError } from '../../core/errors.ts'
import { KeptFactory } from './kept-factory.ts'
import { MachineWatch } from './machine-watch.ts'
import { StallWatch } from './stall-watch.ts'

/** The parts of WebRTC that simple-peer needs; a browser's, or those of the package wrtc. */
export interface WebRtc {
  readonly RTCPeerConnection: typeof RTCPeerConnection
  readonly RTCSessionDescription: typeof RTCSessionDescription
  readonly RTCIceCandidate: typeof RTCIceCandidate
}

export interface PageListeners {
  /** The page goes away: nothing of it runs afterwards. Node has no page. */
  readonly onHide?: (() => void) | undefined
  /** Page or machine are back from where timers stood still, or at another network: what is known of paths and hubs is old. */
  readonly onWake: () => void
}

/** One for the process: however many connections there are, it looks no more often. */
const machine = new MachineWatch()

let loaded: WebRtc | undefined
/** Of this process, for the package's own WebRTC: a user's may be of another kind. */
export const factory = new KeptFactory(() => loaded && new loaded.RTCPeerConnection())

/** Of this process. */
export const stalls = new StallWatch()

/** Calls back on what befalls the page or the machine; the returned function stops that. */
export function watchPage({ onWake }: PageListeners): () => void {
  return machine.listen(onWake)
}

/** Calls back when the machine may be at another network. The returned function stops that. */
export function onNetworkChange(listener: () => void): () => void {
  return machine.listen(listener)
}

/** Node's WebRTC: the optional package wrtc, loaded at first use. RTC_UNAVAILABLE where that can't be. */
export async function loadWebRtc(): Promise<WebRtc> {
  try {
    const wrtc: { default: WebRtc } = await import('wrtc')
    return (loaded = wrtc.default)
  } catch (cause) {
    throw new MultiserverError('RTC_UNAVAILABLE', undefined, { cause })
  }
}
