import {
  connect,
  performServerHandshake,
  type ClientHttp2Session,
  type Http2Session,
  type ServerHttp2Session,
} from 'node:http2'
import { toDuplex } from '../../plugs/duplex.ts'
import { limits } from './limits.ts'
import type { Connection } from '../../core/multiserver.ts'

/**
 * Many TCP connections in one connection: each is a stream of HTTP/2 (RFC 9113) that the side which dialed opens with
 * CONNECT. HTTP/2 brings credit for each stream, an end for each direction, and RST_STREAM for what breaks. What is behind
 * it the side that accepts decides alone: the authority says nothing.
 */
export const authority = 'service'

const options = {
  settings: {
    enablePush: false,
    initialWindowSize: limits.streamWindowBytes,
    maxConcurrentStreams: limits.streamsPerPeer,
  },
  peerMaxConcurrentStreams: limits.streamsPerPeer,
  maxSessionMemory: limits.sessionMemoryMB,
}

/** The side that opens streams. Its 'error' events end no process; 'close' comes in any case. */
export function openClientSession(connection: Connection): ClientHttp2Session {
  const duplex = toDuplex(connection)
  const session = connect(`http://${authority}`, { ...options, createConnection: () => duplex })
  return prepare(session, 'connect')
}

/** The side that accepts them, at 'stream'. */
export function openServerSession(connection: Connection): ServerHttp2Session {
  const session = performServerHandshake(toDuplex(connection), options)
  session.setLocalWindowSize(limits.sessionWindowBytes)
  return prepare(session)
}

function prepare<T extends Http2Session>(session: T, readyAt?: 'connect'): T {
  session.on('error', () => undefined)
  if (readyAt !== undefined)
    session.once(readyAt, () => session.setLocalWindowSize(limits.sessionWindowBytes))
  const pings = setInterval(() => ping(session), limits.pingEveryMs)
  session.once('close', () => clearInterval(pings))
  return session
}

/** A far side that is gone without a word is found out by its silence. */
function ping(session: Http2Session): void {
  const late = setTimeout(
    () => session.destroy(new Error('the far side does not answer')),
    limits.pingTimeoutMs,
  )
  const settle = () => clearTimeout(late)
  session.once('close', settle)
  session.ping(() => {
    session.off('close', settle)
    settle()
  })
}
