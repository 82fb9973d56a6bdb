// js-libp2p over TCP with its Noise and yamux, as its own documentation puts them together.
import { connectionManager, dialWith, serveWith } from './libp2p-stream.mjs'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'

export async function serve() {
  const node = await createNode(['/ip4/127.0.0.1/tcp/0'])
  await serveWith(node)
  return { address: String(node.getMultiaddrs()[0]), close: () => node.stop() }
}

export async function dial(address) {
  return dialWith(await createNode([]), address)
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
