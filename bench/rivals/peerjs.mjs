// PeerJS with its own server, in a page and, with what Node lacks of one, in Node.
import { Peer } from 'peerjs/dist/bundler.mjs'
import { Answers } from '../../dist/bench/answers.js'
import { roomIn } from '../../dist/bench/contestants/data-channel.js'
import { answerMessages, endMark } from '../../dist/bench/contestants/messages.js'

/** What may be under way: PeerJS itself waits at 8 MiB only, and then for 50 ms. */
const queueBytes = 1024 * 1024

export async function serve(_link, introducer) {
  const peer = await register(introducer)
  peer.on('connection', (connection) => {
    const answer = answerMessages((message) => void connection.send(message))
    connection.on('data', (data) => answer(new Uint8Array(data)))
  })
  return { address: `${introducer} ${peer.id}`, close: async () => peer.destroy() }
}

export async function dial(address) {
  const [introducer, id] = address.split(' ')
  const peer = await register(introducer)
  const connection = peer.connect(id, { reliable: true })
  await new Promise((resolve, reject) => {
    connection.once('open', resolve)
    for (const each of [connection, peer]) each.once('error', reject)
  })
  const answers = new Answers()
  connection.on('data', () => answers.arrived())
  const { dataChannel } = connection
  dataChannel.bufferedAmountLowThreshold = queueBytes / 2
  return {
    async write(chunk) {
      await connection.send(chunk)
      while (dataChannel.bufferedAmount >= queueBytes) await roomIn(dataChannel)
    },
    end: async () => void connection.send(endMark),
    answer: () => answers.next(),
    close: async () => peer.destroy(),
  }
}

async function register(introducer) {
  const at = { host: '127.0.0.1', port: Number(introducer), path: '/', config: { iceServers: [] }, debug: 0 }
  const peer = new Peer(crypto.randomUUID(), at)
  await new Promise((resolve, reject) => {
    peer.once('open', resolve)
    peer.once('error', reject)
  })
  return peer
}
