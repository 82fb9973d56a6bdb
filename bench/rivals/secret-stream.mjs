// hyperswarm's secret-stream (Noise XX and libsodium's secretstream, on sodium-native) over TCP.
import { Answers } from '../../dist/bench/answers.js'
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
  const answers = new Answers()
  stream.on('data', () => answers.arrived())
  return {
    async write(chunk) {
      if (!stream.write(chunk)) await new Promise((resolve) => stream.once('drain', resolve))
    },
    end: async () => void stream.end(),
    answer: () => answers.next(),
    close: async () => void stream.destroy(),
  }
}

function serveStream(stream) {
  let asked
  const answer = () => {
    stream.write(Buffer.of(1))
    stream.end()
  }
  stream.on('error', () => undefined)
  stream.on('data', (chunk) => {
    if (asked === undefined) {
      asked = chunk[0]
      if (asked === 0) answer()
    }
    if (asked === 2) stream.write(chunk)
  })
  stream.on('end', () => asked === 1 && answer())
}
