import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import { connect } from 'node:net'
import { MultiserverError } from '../../core/errors.ts'
import { asksWhetherDelivered, leaveSession, openServerSession } from './http2.ts'
import { limits } from './limits.ts'
import { splice } from './splice.ts'
import { Traffic } from './traffic.ts'
import type { Service } from '../flags.ts'
import type { Connection } from '../../core/multiserver.ts'

/** Somebody who is connected now. */
export interface ServedPeer {
  readonly connection: Connection
  readonly traffic: Traffic
}

/** A TCP service, given to those who connect: each of their streams becomes a connection to it. */
export class ExposedService {
  readonly #target: Service
  readonly #onGone: (peer: ServedPeer) => void
  readonly #sessions = new Map<ServerHttp2Session, ServedPeer>()

  /** `onGone` hears of each peer whose connection is over. */
  constructor(target: Service, onGone: (peer: ServedPeer) => void) {
    this.#target = target
    this.#onGone = onGone
  }

  get peers(): readonly ServedPeer[] {
    return [...this.#sessions.values()]
  }

  /** @throws BUSY, with the connection aborted */
  accept(connection: Connection): ServedPeer {
    if (this.#sessions.size >= limits.peers) {
      const error = new MultiserverError('BUSY', `${limits.peers} peers are connected already`, connection)
      connection.abort(error)
      throw error
    }
    const peer: ServedPeer = { connection, traffic: new Traffic() }
    const session = openServerSession(connection)
    this.#sessions.set(session, peer)
    session.on('stream', (stream, headers) => this.#serve(stream, headers, peer.traffic))
    session.once('close', () => {
      this.#sessions.delete(session)
      this.#onGone(peer)
    })
    return peer
  }

  /** Breaks every connection off. */
  close(): void {
    for (const [session, { connection }] of this.#sessions) void leaveSession(session, connection)
  }

  #serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, traffic: Traffic): void {
    stream.on('error', () => undefined)
    if (asksWhetherDelivered(headers)) {
      void traffic.untilDelivered().then(() => {
        if (!stream.destroyed) stream.respond({ ':status': 204 }, { endStream: true })
      })
      return
    }
    if (headers[':method'] !== 'CONNECT') return stream.respond({ ':status': 405 }, { endStream: true })
    const socket = connect({ ...this.#target, allowHalfOpen: true, noDelay: true })
    const fail = () => {
      socket.destroy()
      if (!stream.destroyed) stream.respond({ ':status': 502 }, { endStream: true })
    }
    const leave = () => socket.destroy()
    socket.setTimeout(limits.connectTimeoutMs, fail)
    socket.once('error', fail)
    stream.once('close', leave)
    socket.once('connect', () => {
      socket.setTimeout(0)
      socket.off('error', fail)
      stream.off('close', leave)
      stream.respond({ ':status': 200 })
      // What the service sends goes to the far side.
      traffic.add(socket)
      splice(socket, stream)
    })
  }
}
