// WebRTC with its signaling; who is at the other end is not proven.
import { Peer } from 'peerjs'

export function start(onConnection) {
  const peer = new Peer()
  peer.on('connection', onConnection)
  return peer
}
