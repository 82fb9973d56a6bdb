// What introduces the peers of PeerJS to each other: its own server.
import { PeerServer } from 'peer'

export async function introduce() {
  const server = await new Promise((resolve) => PeerServer({ port: 0, host: '127.0.0.1' }, resolve))
  return String(server.address().port)
}
