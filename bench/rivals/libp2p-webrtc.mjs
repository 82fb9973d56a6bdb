// js-libp2p's webrtc, introduced over a circuit relay, as its documentation puts a peer together; in Node and in a page.
import { connectionManager, dialWith, serveWith } from './libp2p-stream.mjs'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { webRTC } from '@libp2p/webrtc'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'

export async function serve(_link, introducer) {
  const node = await createNode([`${introducer}/p2p-circuit`, '/webrtc'])
  await serveWith(node)
  return { address: `${introducer}/p2p-circuit/webrtc/p2p/${String(node.peerId)}`, close: () => node.stop() }
}

export async function dial(address) {
  return dialWith(await createNode([]), address)
}

function createNode(listen) {
  return createLibp2p({
    addresses: { listen },
    transports: [webSockets(), webRTC({ rtcConfiguration: { iceServers: [] } }), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionManager,
    connectionMonitor: { enabled: false },
    // In a page it dials no address of this machine by itself.
    connectionGater: { denyDialMultiaddr: () => false },
    services: { identify: identify() },
  })
}
