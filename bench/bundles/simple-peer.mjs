// WebRTC alone: no signaling, no keys, no resuming.
import Peer from 'simple-peer/simplepeer.min.js'

export function start(onConnection) {
  const peer = new Peer({ initiator: true })
  peer.on('connect', () => onConnection(peer))
  return peer
}
