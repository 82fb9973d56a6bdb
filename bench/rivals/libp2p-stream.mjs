// The questions of the benchmark over a stream of js-libp2p, whatever carries it.
import { multiaddr } from '@multiformats/multiaddr'
import { Answers } from '../../dist/bench/answers.js'

// It wants Node 22; this is what Node 20 lacks of it.
Promise.withResolvers ??= () => {
  let settle
  const promise = new Promise((...both) => (settle = both))
  return { promise, resolve: settle[0], reject: settle[1] }
}

const protocol = '/bench/1'
const limits = { maxInboundStreams: Infinity, maxOutboundStreams: Infinity }
/** It lets in few at a time by itself, and gives up early where others are at work. */
export const connectionManager = {
  dialTimeout: 30_000,
  addressDialTimeout: 30_000,
  inboundConnectionThreshold: Infinity,
  maxIncomingPendingConnections: Infinity,
  maxConnections: Infinity,
}

export async function serveWith(node) {
  await node.handle(protocol, (stream) => void serveStream(stream), limits)
}

export async function dialWith(node, address) {
  return wireOf(await node.dialProtocol(multiaddr(address), protocol, limits), node)
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

function wireOf(stream, node) {
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
