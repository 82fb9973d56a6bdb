// The suite that comes with the package, run over the two plugs beside this file, with Node's own test runner:
//   KEY=key.pem CERT=cert.pem node --test examples/plugs/conformance.mjs
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { checksOfStream, checksOfTransform, checksOfTransport, connectOver } from 'multiserver/conformance'
import deflate from './deflate.mjs'
import tls from './tls.mjs'

const key = readFileSync(process.env.KEY)
const cert = readFileSync(process.env.CERT)

const transport = { create: () => tls({ key, cert, ca: cert }), deadSection: 'tls:localhost:9' }
const transform = {
  create: async () => ({ client: deflate(), server: deflate() }),
  provesKeys: false,
  pair: () => connectOver(transport),
}

run('tls as a transport', checksOfTransport(transport))
run(
  'tls as a stream',
  checksOfStream({
    halfClose: true,
    backpressure: true,
    // The end of TLS, close_notify, is also sent when a socket is cut.
    abortShows: false,
    async connect() {
      const [client, server] = await connectOver(transport)
      return { client, server }
    },
  }),
)
run('deflate as a transform', checksOfTransform(transform))
run(
  'tls~deflate as a stream',
  checksOfStream({
    halfClose: true,
    backpressure: true,
    abortShows: false,
    async connect() {
      const [near, far] = await connectOver(transport)
      return { client: (await deflate().accept(near)).stream, server: (await deflate().accept(far)).stream }
    },
  }),
)

function run(name, checks) {
  void describe(name, () => {
    for (const check of checks) void test(check.name, { skip: check.skip }, check.run)
  })
}
