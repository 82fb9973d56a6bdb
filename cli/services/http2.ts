import {
  connect,
  constants,
  performServerHandshake,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
} from 'node:http2'
import { withDeadline } from '../../core/deadline.ts'
import { MultiserverError } from '../../core/errors.ts'
import { toDuplex } from '../../plugs/duplex.ts'
import { limits } from './limits.ts'
import { reset } from './splice.ts'
import type { Connection } from '../../core/multiserver.ts'

/**
 * Many TCP connections in one connection: each is a stream of HTTP/2 (RFC 9113) that the side which dialed opens with
 * CONNECT. HTTP/2 brings credit for each stream, an end for each direction, and RST_STREAM for what breaks. What is behind
 * it the side that accepts decides alone: the authority says nothing.
 */
const authority = 'service'

/**
 * Asked, with HEAD, by a side that is about to leave for good: the answer comes once all that it has sent is with the
 * service. The end of a stream says only that it was taken over by the far side, which drops what it holds with the session.
 */
const deliveredPath = '/delivered'

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
  return prepare(session, connection, 'connect')
}

/** The side that accepts them, at 'stream'. */
export function openServerSession(connection: Connection): ServerHttp2Session {
  const session = performServerHandshake(toDuplex(connection), options)
  session.setLocalWindowSize(limits.sessionWindowBytes)
  return prepare(session, connection)
}

/** Lost: the connection, before there was an answer, or nobody knows yet that it is. */
export type Answer = ClientHttp2Stream | 'refused' | 'lost'

/** A stream that the service behind the far side has accepted. */
export function openStream(session: ClientHttp2Session): Promise<Answer> {
  if (session.closed || session.destroyed) return Promise.resolve('lost')
  const stream = session.request({ ':method': 'CONNECT', ':authority': authority }, { endStream: false })
  stream.on('error', () => undefined)
  return new Promise((resolve) => {
    const late = setTimeout(() => {
      resolve('lost')
      reset(stream)
    }, limits.answerTimeoutMs)
    stream.once('response', (headers) => {
      if (headers[':status'] === constants.HTTP_STATUS_OK) resolve(stream)
      else reset(stream)
      clearTimeout(late)
    })
    stream.once('close', () => {
      clearTimeout(late)
      resolve(session.closed || session.destroyed ? 'lost' : 'refused')
    })
  })
}

/** Whether a stream is the question of {@link untilDelivered}. */
export function asksWhetherDelivered(headers: IncomingHttpHeaders): boolean {
  return headers[':method'] === 'HEAD' && headers[':path'] === deliveredPath
}

/**
 * Resolves once the service has all that was sent and ended on the streams of `session`, or the session is over. One that
 * does not know the question answers at once.
 */
export function untilDelivered(session: ClientHttp2Session): Promise<void> {
  if (session.closed || session.destroyed) return Promise.resolve()
  const stream = session.request({ ':method': 'HEAD', ':path': deliveredPath })
  stream.on('error', () => undefined)
  return new Promise((resolve) => {
    stream.once('response', () => resolve())
    stream.once('close', () => resolve())
  })
}

/**
 * Says goodbye on `session`, and lets go of its connection, which is aborted when nobody takes what is still to be written.
 * Resolves when nothing of it is left.
 */
export async function leaveSession(session: Http2Session, connection: Connection): Promise<void> {
  // By itself it waits for a write that is under way, which may never end.
  session.destroy()
  const late = () => new MultiserverError('TIMEOUT', 'the far side took nothing any more', connection)
  await withDeadline(connection.closed, limits.goodbyeMs, late, (error) => connection.abort(error)).catch(
    () => connection.closed,
  )
}

function prepare<T extends Http2Session>(session: T, connection: Connection, readyAt?: 'connect'): T {
  session.on('error', () => undefined)
  if (readyAt !== undefined)
    session.once(readyAt, () => session.setLocalWindowSize(limits.sessionWindowBytes))
  const pings = setInterval(() => ping(session, connection), limits.pingEveryMs)
  session.once('close', () => clearInterval(pings))
  return session
}

/** A far side that is gone without a word is found out by its silence. */
function ping(session: Http2Session, connection: Connection): void {
  const giveUp = () => {
    const error = new MultiserverError('TIMEOUT', 'the far side does not answer', connection)
    session.destroy(error)
    // What is destroyed waits for a write that is under way, which may never end.
    connection.abort(error)
  }
  // So it did since the last time.
  if (session.destroyed) return giveUp()
  const late = setTimeout(giveUp, limits.pingTimeoutMs)
  const settle = () => clearTimeout(late)
  session.once('close', settle)
  session.ping(() => {
    session.off('close', settle)
    settle()
  })
}
