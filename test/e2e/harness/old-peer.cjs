'use strict'
// A real multiserver 3.8.2, with nothing but net and shs, in a process of its own: `server` echoes, `client` sends and
// compares. What it is told and tells goes over IPC; the types are in ../old-peer.ts.
const { createHash, randomBytes } = require('node:crypto')
const createServer = require('multiserver-3.8.2')
const net = require('multiserver-3.8.2/plugins/net')
const shs = require('multiserver-3.8.2/plugins/shs')
const pull = require('pull-stream')

const chunkBytes = 64 * 1024

process.once('message', ({ mode, ...options }) => (mode === 'server' ? serve(options) : dial(options)))
process.once('disconnect', () => process.exit(0))

function create({ port, publicKey, secretKey, appKey }) {
  const keys = { publicKey: Buffer.from(publicKey, 'hex'), secretKey: Buffer.from(secretKey, 'hex') }
  const secret = { keys, appKey: Buffer.from(appKey, 'hex'), auth: (_key, callback) => callback(null, true) }
  return createServer([[net({ port, scope: 'device' }), shs(secret)]])
}

function serve(options) {
  create(options).server(
    (stream) => {
      process.send({ event: 'connection', remote: stream.remote.toString('hex') })
      pull(stream, stream)
    },
    () => undefined,
    (error) => process.send(error ? { event: 'failed', message: error.message } : { event: 'listening' }),
  )
}

function dial({ address, bytes, ...options }) {
  create(options).client(address, (failure, stream) => {
    if (failure) return process.send({ event: 'failed', message: String(failure.message ?? failure) })
    const [sent, received] = [createHash('sha256'), createHash('sha256')]
    let left = bytes
    const source = (abort, callback) => {
      if (abort || left <= 0) return callback(abort || true)
      const chunk = randomBytes(Math.min(chunkBytes, left))
      left -= chunk.length
      sent.update(chunk)
      callback(null, chunk)
    }
    pull(source, stream)
    pull(
      stream,
      pull.drain(
        (chunk) => received.update(chunk),
        (error) =>
          process.send(
            error
              ? { event: 'failed', message: String(error.message ?? error) }
              : { event: 'done', sent: sent.digest('hex'), received: received.digest('hex') },
          ),
      ),
    )
  })
}
