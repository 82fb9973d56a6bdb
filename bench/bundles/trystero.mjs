// WebRTC rooms signaled over public relays of Nostr, its default.
import { joinRoom } from 'trystero'

export function start(onConnection) {
  const room = joinRoom({ appId: 'demo' }, 'room')
  room.onPeerJoin = onConnection
  return room
}
