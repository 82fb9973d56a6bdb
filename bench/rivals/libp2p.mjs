// js-libp2p over TCP with its Noise and yamux, as its own documentation puts them together.
import { connectionManager, limits, protocol, serveStream, wireOf } from './libp2p-stream.mjs'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { multiaddr } from '@multiformats/multiaddr'

export async function serve() {
  const node = await createNode(['/ip4/127.0.0.1/tcp/0'])
  await node.handle(protocol, (stream) => void serveStream(stream), limits)
  return { address: String(node.getMultiaddrs()[0]), close: () => node.stop() }
}

export async function dial(address) {
  const node = await createNode([])
  return wireOf(await node.dialProtocol(multiaddr(address), protocol, limits), node)
}

function createNode(listen) {
  return createLibp2p({
    addresses: { listen },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionManager,
    connectionMonitor: { enabled: false },
  })
}
