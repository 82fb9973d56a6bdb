import { constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { MultiserverError, toError } from '../../core/errors.ts'
import { authority, openClientSession } from './http2.ts'
import { limits } from './limits.ts'
import { reset, splice } from './splice.ts'
import { Traffic } from './traffic.ts'
import type { Connection } from '../../core/multiserver.ts'

export interface ForwarderOptions {
  readonly dial: (signal: AbortSignal) => Promise<Connection>
  /** How long a TCP connection waits while there is none to the far side. */
  readonly waitMs: number
  readonly onConnected: (connection: Connection) => void
  /** A dial failed, or a connection is over. The next dial is after `againMs`, unless this throws. */
  readonly onFailed: (error: MultiserverError, againMs: number) => void
}

interface Carrier {
  readonly connection: Connection
  readonly session: ClientHttp2Session
  readonly traffic: Traffic
}

/** Carries TCP connections to the far side over one connection, which it keeps up. */
export class Forwarder {
  readonly #options: ForwarderOptions
  readonly #waiting = new Set<(carrier?: Carrier) => void>()
  #carrier: Carrier | undefined

  constructor(options: ForwarderOptions) {
    this.#options = options
  }

  /** The connection to the far side, while there is one, and what goes through it. */
  get carrier(): Omit<Carrier, 'session'> | undefined {
    return this.#carrier
  }

  /** TCP connections that wait for the far side. */
  get waiting(): number {
    return this.#waiting.size
  }

  /**
   * Dials, and dials again whenever the connection is over, until `signal` aborts.
   * @throws what `onFailed` throws
   */
  async run(signal: AbortSignal): Promise<void> {
    let failures = 0
    while (!signal.aborted) {
      const startedAt = performance.now()
      const error = await this.#carryOnce(signal)
      if (signal.aborted) return
      failures = performance.now() - startedAt >= limits.healthyMs ? 0 : failures + 1
      const boundMs = Math.min(limits.redialFirstMs * 2 ** failures, limits.redialMostMs)
      const againMs = Math.random() * boundMs
      this.#options.onFailed(error, againMs)
      await sleep(againMs, undefined, { signal }).catch(() => undefined)
    }
  }

  /**
   * Carries `socket`, which is paused, to the far side as soon as that answers. What was not answered before a connection
   * was lost is asked again on the next; what waits in vain is reset.
   */
  async accept(socket: Socket): Promise<void> {
    socket.on('error', () => undefined)
    const waitUntilMs = performance.now() + this.#options.waitMs
    let answer: Answer = 'lost'
    while (answer === 'lost') {
      const carrier = await this.#untilCarrier(waitUntilMs - performance.now())
      answer = carrier === undefined ? 'refused' : await openStream(carrier.session)
      if (typeof answer === 'string') continue
      if (socket.destroyed) return reset(answer)
      carrier?.traffic.add(socket)
      return splice(socket, answer)
    }
    socket.resetAndDestroy()
  }

  /** Resolves to why it is over. */
  async #carryOnce(signal: AbortSignal): Promise<MultiserverError> {
    try {
      const connection = await this.#options.dial(signal)
      await this.#carry(connection, signal)
      return connection.error ?? new MultiserverError('CLOSED', 'the other side has ended', connection)
    } catch (thrown) {
      return toError(thrown, 'CONNECT_FAILED')
    }
  }

  async #carry(connection: Connection, signal: AbortSignal): Promise<void> {
    const session = openClientSession(connection)
    const stop = () => session.destroy()
    signal.addEventListener('abort', stop, { once: true })
    if (signal.aborted) stop()
    const carrier: Carrier = { connection, session, traffic: new Traffic() }
    this.#carrier = carrier
    this.#options.onConnected(connection)
    for (const settle of this.#waiting) settle(carrier)
    await connection.closed
    this.#carrier = undefined
    session.destroy()
    signal.removeEventListener('abort', stop)
  }

  /** Undefined when there is none in time. */
  #untilCarrier(timeoutMs: number): Promise<Carrier | undefined> {
    // One that says goodbye takes no more, and is not over yet.
    if (this.#carrier?.session.closed === false) return Promise.resolve(this.#carrier)
    return new Promise((resolve) => {
      const settle = (carrier?: Carrier) => {
        clearTimeout(timer)
        this.#waiting.delete(settle)
        resolve(carrier)
      }
      const timer = setTimeout(settle, timeoutMs)
      this.#waiting.add(settle)
    })
  }
}

/** Lost: the connection, before there was an answer. */
type Answer = ClientHttp2Stream | 'refused' | 'lost'

/** A stream that the service has accepted. */
function openStream(session: ClientHttp2Session): Promise<Answer> {
  if (session.closed || session.destroyed) return Promise.resolve('lost')
  const stream = session.request({ ':method': 'CONNECT', ':authority': authority }, { endStream: false })
  stream.on('error', () => undefined)
  return new Promise((resolve) => {
    const late = setTimeout(() => reset(stream), limits.answerTimeoutMs)
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
