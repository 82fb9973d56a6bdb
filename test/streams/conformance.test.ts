import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { createPair } from '../../core/pair.ts'
import type { ByteStream } from '../../core/types.ts'
import { fromDuplex, fromPull, toDuplex, toPull } from '../../plugs/streams.ts'
import { streamCases } from '../conformance/stream-cases.ts'
import { runCases } from '../support/run-cases.ts'
import { connectConnections } from './connections.ts'
import { disguise, fromNodeStream, pullPair } from './pull-streams.ts'

type Ends = { client: ByteStream; server: ByteStream }

const harnesses: Record<string, () => Promise<Ends>> = {
  'toDuplex and fromDuplex': async () =>
    mapEnds(await connectConnections(), (end) => fromDuplex(toDuplex(end))),
  'toPull and fromPull': async () =>
    mapEnds(await connectConnections(), (end) => fromPull(disguise(toPull(end)))),
  'toPull, fromPull, toDuplex and fromDuplex': async () =>
    mapEnds(await connectConnections(), (end) => fromDuplex(toDuplex(fromPull(disguise(toPull(end)))))),
  'fromDuplex of sockets': async () => mapEnds(await sockets(), (end) => fromDuplex(end)),
  'fromPull of two ends of pull-pair': async () => {
    const [client, server] = pullPair()
    return { client: fromPull(client), server: fromPull(server) }
  },
}

for (const [name, connectEnds] of Object.entries(harnesses)) {
  runCases(name, streamCases, { halfClose: true, backpressure: true, connect: connectEnds })
}

runCases('fromPull of sockets that stream-to-pull-stream has wrapped', streamCases, {
  halfClose: true,
  backpressure: true,
  // It destroys the socket without a reset.
  abortShows: false,
  connect: async () => mapEnds(await sockets(), (end) => fromPull(fromNodeStream(end))),
})

runCases('toDuplex and fromDuplex of a bare byte stream', streamCases, {
  halfClose: true,
  backpressure: true,
  connect() {
    const [client, server] = createPair()
    return Promise.resolve({ client: fromDuplex(toDuplex(client)), server: fromDuplex(toDuplex(server)) })
  },
})

function mapEnds<End>({ client, server }: { client: End; server: End }, map: (end: End) => ByteStream): Ends {
  return { client: map(client), server: map(server) }
}

async function sockets(): Promise<{ client: Socket; server: Socket }> {
  const listener = createServer({ allowHalfOpen: true }).listen(0, 'localhost')
  await once(listener, 'listening')
  const { port } = listener.address() as AddressInfo
  const client = connect({ host: 'localhost', port, allowHalfOpen: true })
  const [[server]] = (await Promise.all([once(listener, 'connection'), once(client, 'connect')])) as [
    [Socket],
    unknown,
  ]
  listener.close()
  return { client, server }
}
