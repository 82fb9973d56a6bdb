import type { ClientHttp2Session } from 'node:http2'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { MultiserverError, toError } from '../../core/errors.ts'
import { leaveSession, openClientSession, openStream, type Answer } from './http2.ts'
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
  #isOver = false

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
    try {
      await this.#keepUp(signal)
    } finally {
      this.#isOver = true
      for (const settle of this.#waiting) settle()
    }
  }

  /**
   * Carries `socket`, which is paused, to the far side as soon as that answers. What was not answered before a connection
   * was lost is asked again on the next, within the time to wait; what waits in vain is reset.
   */
  async accept(socket: Socket): Promise<void> {
    socket.on('error', () => undefined)
    const waitUntilMs = performance.now() + this.#options.waitMs
    let answer: Answer
    do {
      const carrier = await this.#untilCarrier(waitUntilMs - performance.now())
      answer = carrier === undefined ? 'refused' : await openStream(carrier.session)
      if (typeof answer === 'string') continue
      if (socket.destroyed) return reset(answer)
      carrier?.traffic.add(socket)
      return splice(socket, answer)
    } while (answer === 'lost' && performance.now() < waitUntilMs)
    socket.resetAndDestroy()
  }

  async #keepUp(signal: AbortSignal): Promise<void> {
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
    const stop = () => void leaveSession(session, connection)
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
    if (this.#isOver) return Promise.resolve(undefined)
    // One that says goodbye, or was destroyed, takes no more, and is not over yet.
    const session = this.#carrier?.session
    if (session?.closed === false && !session.destroyed) return Promise.resolve(this.#carrier)
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
