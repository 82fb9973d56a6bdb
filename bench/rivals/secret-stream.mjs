// hyperswarm's secret-stream (Noise XX and libsodium's secretstream, on sodium-native) over TCP.
import SecretStream from '@hyperswarm/secret-stream'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'

export async function serve() {
  const server = createServer({ allowHalfOpen: true }, (socket) =>
    serveStream(new SecretStream(false, socket)),
  )
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return { address: String(server.address().port), close: async () => void server.close() }
}

export async function dial(address) {
  const stream = new SecretStream(
    true,
    connect({ port: Number(address), host: '127.0.0.1', allowHalfOpen: true }),
  )
  stream.on('error', () => undefined)
  await new Promise((resolve) => stream.once('connect', resolve))
  const answered = new Promise((resolve) => stream.once('data', resolve))
  return {
    async write(chunk) {
      if (!stream.write(chunk)) await new Promise((resolve) => stream.once('drain', resolve))
    },
    end: async () => void stream.end(),
    answer: () => answered,
    close: async () => void stream.destroy(),
  }
}

function serveStream(stream) {
  let sink
  const answer = () => {
    stream.write(Buffer.of(1))
    stream.end()
  }
  stream.on('error', () => undefined)
  stream.on('data', (chunk) => {
    if (sink !== undefined) return
    sink = chunk[0] === 1
    if (!sink) answer()
  })
  stream.on('end', () => sink && answer())
}
