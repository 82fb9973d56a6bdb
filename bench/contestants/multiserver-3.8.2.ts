import { createRequire } from 'node:module'
import { createKeys } from '../keys.ts'
import { askEcho, askSink, type Contestant, type Wire } from '../contestant.ts'

/** What of the old package is used: pull-streams of Buffers. */
interface PullStream {
  source: Source
  sink(source: Source): void
}
type End = boolean | Error | null
type Source = (end: End, callback: (end: End, data?: Buffer) => void) => void
interface OldMultiServer {
  server(
    onConnection: (stream: PullStream) => void,
    onError: null,
    onListening: (error: Error | null) => void,
  ): () => void
  client(address: string, callback: (error: Error | null, stream: PullStream) => void): void
  stringify(scope: string): string
}

const require = createRequire(import.meta.url)
const MultiServer: (stacks: unknown) => OldMultiServer = require('multiserver-3.8.2')
const Net: (options: unknown) => unknown = require('multiserver-3.8.2/plugins/net')
const Ws: (options: unknown) => unknown = require('multiserver-3.8.2/plugins/ws')
const Shs: (options: unknown) => unknown = require('multiserver-3.8.2/plugins/shs')

/** multiserver 3.8.2 over net~shs, ws~shs, or net alone; on sodium-native as it comes. */
export const oldNetShs = createOld(async () => [Net(place()), await createShs()])
export const oldWsShs = createOld(async () => [Ws({ ...place(), host: 'localhost' }), await createShs()])
export const oldNetAlone = createOld(() => Promise.resolve([Net(place())]))
export const oldWsAlone = createOld(() => Promise.resolve([Ws({ ...place(), host: 'localhost' })]))

/** It can't let the system choose; these ports are not among those that the system gives out. */
function place(): { scope: string; port: number } {
  return { scope: 'device', port: 10_000 + (process.pid % 20_000) }
}

function createOld(makeStack: () => Promise<unknown[]>): Contestant {
  return {
    async serve() {
      const server = MultiServer([await makeStack()])
      const close = await new Promise<() => void>((resolve, reject) => {
        const stop = server.server(serveStream, null, (error) => (error ? reject(error) : resolve(stop)))
      })
      return {
        address: server.stringify('device'),
        close() {
          close()
          return Promise.resolve()
        },
      }
    },
    async dial(address) {
      const client = MultiServer([await makeStack()])
      const stream = await new Promise<PullStream>((resolve, reject) => {
        client.client(address, (error, connected) => (error ? reject(error) : resolve(connected)))
      })
      return toWire(stream)
    },
  }
}

async function createShs(): Promise<unknown> {
  const keys = await createKeys()
  const auth = (_key: Buffer, callback: (error: null, auth: boolean) => void) => callback(null, true)
  return Shs({ keys, appKey: Buffer.alloc(32, 7), auth, timeout: 15_000 })
}

function serveStream(stream: PullStream): void {
  const answer = () => stream.sink(pushable(Buffer.of(1)).source)
  stream.source(null, (end, data) => {
    if (end !== null && end !== false) return
    if (data?.[0] === askEcho) return stream.sink(pushable(data, stream.source).source)
    if (data?.[0] !== askSink) return answer()
    const drain = () => stream.source(null, (ended) => (ended ? answer() : drain()))
    drain()
  })
}

/** One chunk, then the rest, or the end. */
function pushable(chunk: Buffer, rest?: Source): { source: Source } {
  let sent = false
  return {
    source(end, callback) {
      if (sent && rest !== undefined) return rest(end, callback)
      if (end || sent) return callback(end || true)
      sent = true
      return callback(null, chunk)
    },
  }
}

function toWire(stream: PullStream): Wire {
  type Waiting = (end: End, data?: Buffer) => void
  let asking: Waiting | undefined
  let offered: { end: End; data?: Buffer; taken: () => void } | undefined
  const meet = () => {
    if (asking === undefined || offered === undefined) return
    const [ask, offer] = [asking, offered]
    asking = offered = undefined
    // As pull-streams have it, the next request says that this one was taken.
    offer.taken()
    ask(offer.end, offer.data)
  }
  stream.sink((end, callback) => {
    if (end) return callback(end)
    asking = callback
    return meet()
  })
  const offer = (end: End, data?: Buffer) =>
    new Promise<void>((taken) => {
      offered = data === undefined ? { end, taken } : { end, data, taken }
      meet()
    })
  return {
    write: (chunk) => offer(null, Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)),
    end: () => offer(true),
    answer: () => new Promise((resolve) => stream.source(null, () => resolve())),
    async close() {
      await Promise.race([offer(true), new Promise((resolve) => setImmediate(resolve))])
    },
  }
}
