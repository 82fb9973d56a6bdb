/** What the two processes tell each other, each about one connection, whose number goes before it. */

/** To the process that has WebRTC. */
export type Order =
  | { readonly type: 'connect'; readonly configuration?: RTCConfiguration | undefined }
  | { readonly type: 'channel'; readonly label: string; readonly init?: RTCDataChannelInit | undefined }
  | { readonly type: 'ask'; readonly call: number; readonly question: Question }
  | { readonly type: 'configure'; readonly configuration: RTCConfiguration }
  | { readonly type: 'closeChannel' }
  | { readonly type: 'close' }

/** What has an answer. */
export type Question =
  | { readonly name: 'createOffer' | 'createAnswer' | 'getStats' }
  | {
      readonly name: 'setLocalDescription' | 'setRemoteDescription'
      readonly description: RTCSessionDescriptionInit
    }
  | { readonly name: 'addIceCandidate'; readonly candidate: RTCIceCandidateInit | null }

/** From the process that has WebRTC. */
export type News =
  | { readonly type: 'answer'; readonly call: number; readonly value?: unknown }
  | { readonly type: 'failed'; readonly call: number; readonly message: string }
  | { readonly type: 'state'; readonly event: StateEvent; readonly states: States }
  | { readonly type: 'candidate'; readonly candidate: RTCIceCandidateInit | null }
  | { readonly type: 'channel'; readonly state: RTCDataChannelState }
  /** Of all that was handed over for the channel, so many bytes have left it. */
  | { readonly type: 'left'; readonly bytes: number }
  /** The connection is closed, or could not be made. The last that is told of it. */
  | { readonly type: 'closed' }

export type StateEvent =
  | 'connectionstatechange'
  | 'iceconnectionstatechange'
  | 'icegatheringstatechange'
  | 'signalingstatechange'

export const stateEvents: readonly StateEvent[] = [
  'connectionstatechange',
  'iceconnectionstatechange',
  'icegatheringstatechange',
  'signalingstatechange',
]

export type States = Pick<
  RTCPeerConnection,
  'connectionState' | 'iceConnectionState' | 'iceGatheringState' | 'signalingState'
>
