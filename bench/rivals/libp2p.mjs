// js-libp2p over TCP with its Noise and yamux, as its own documentation puts them together.
import { Answers } from '../../dist/bench/answers.js'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { multiaddr } from '@multiformats/multiaddr'

// It wants Node 22; this is what Node 20 lacks of it.
Promise.withResolvers ??= () => {
  let settle
  const promise = new Promise((...both) => (settle = both))
  return { promise, resolve: settle[0], reject: settle[1] }
}

const protocol = '/bench/1'
const limits = { maxInboundStreams: Infinity, maxOutboundStreams: Infinity }

export async function serve() {
  const node = await createNode(['/ip4/127.0.0.1/tcp/0'])
  await node.handle(protocol, (stream) => void serveStream(stream), limits)
  return { address: String(node.getMultiaddrs()[0]), close: () => node.stop() }
}

export async function dial(address) {
  const node = await createNode([])
  const stream = await node.dialProtocol(multiaddr(address), protocol, limits)
  const answers = new Answers()
  void (async () => {
    for await (const _ of stream) answers.arrived()
  })()
  return {
    async write(chunk) {
      if (!stream.send(chunk))
        await new Promise((resolve) => stream.addEventListener('drain', resolve, { once: true }))
    },
    end: () => stream.close(),
    answer: () => answers.next(),
    close: () => node.stop(),
  }
}

async function serveStream(stream) {
  let asked
  for await (const chunk of stream) {
    asked ??= chunk.subarray(0, 1)[0]
    if (asked === 2) stream.send(chunk)
    if (asked === 0) break
  }
  stream.send(Uint8Array.of(1))
  await stream.close()
}

function createNode(listen) {
  return createLibp2p({
    addresses: { listen },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionManager: {
      inboundConnectionThreshold: Infinity,
      maxIncomingPendingConnections: Infinity,
      maxConnections: Infinity,
    },
    connectionMonitor: { enabled: false },
  })
}
