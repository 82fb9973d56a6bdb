// What a library for pages looks for and Node 20 has none of.
import wrtc from 'wrtc'
import { WebSocket } from 'ws'

const { RTCPeerConnection, RTCSessionDescription, RTCIceCandidate, RTCRtpTransceiver } = wrtc
Object.assign(globalThis, { RTCPeerConnection, RTCSessionDescription, RTCIceCandidate, RTCRtpTransceiver })
globalThis.WebSocket ??= WebSocket
globalThis.window ??= globalThis
globalThis.location ??= { protocol: 'http:', hostname: '127.0.0.1' }
