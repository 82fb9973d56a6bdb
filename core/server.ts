import { abortReason } from './deadline.ts'
import { MultiserverError, toError } from './errors.ts'
import type { Connection } from './connection.ts'
import type { Stack } from './stack.ts'
import type { Listener, Passage } from './types.ts'

export interface ServerOptions {
  readonly lingerMs?: number | undefined
  /** May be asynchronous; what it throws or rejects with aborts the connection. */
  readonly onConnection: (connection: Connection) => unknown
  /** For errors of listening and of single connections. Absent: the former are printed. */
  readonly onError?: ((error: MultiserverError) => void) | undefined
}

/** For people: whether a stack accepts connections now, or why not. */
export interface StackStatus {
  readonly name: string
  readonly state: 'idle' | 'dials only' | 'starting' | 'listening' | 'unreachable' | 'failed'
  readonly error?: MultiserverError | undefined
}

export interface Server {
  readonly listening: Promise<void>
  listenerOf(stack: Stack): Listener | undefined
  statusOf(stack: Stack): StackStatus | undefined
  /** Streams that a transform has taken over, and that are open. */
  readonly passages: number
  close(): Promise<void>
}

/** Starts every stack that can listen. One that can't leaves the others up. */
export function listenOn(stacks: readonly Stack[], options: ServerOptions): Server {
  const stop = new AbortController()
  const listeners = new Map<Stack, Listener>()
  const failures = new Map<Stack, MultiserverError>()
  const connections = new Set<Connection>()
  const passages = new Set<Passage>()
  let closing: Promise<void> | undefined

  function accept(connection: Connection): void {
    if (stop.signal.aborted) {
      connection.abort()
      return
    }
    connections.add(connection)
    void connection.closed.then(() => connections.delete(connection))
    const handle = async () => options.onConnection(connection)
    handle().catch((thrown: unknown) => {
      // The error of a connection that broke is one of a single connection; anything else is the application's own.
      const { error } = connection
      if (error !== undefined && thrown === error) options.onError?.(error)
      else report(toError(thrown, 'ABORTED', { address: connection.address }))
      connection.abort()
    })
  }

  function hold(passage: Passage): void {
    if (stop.signal.aborted) {
      passage.abort(abortReason(stop.signal))
      return
    }
    passages.add(passage)
    void passage.closed.then(() => passages.delete(passage))
  }

  function report(error: MultiserverError): void {
    if (options.onError !== undefined) options.onError(error)
    else console.error(`multiserver: ${error.code}: ${error.message}`)
  }

  async function start(stack: Stack): Promise<void> {
    try {
      const listener = await stack.listen(accept, {
        signal: stop.signal,
        lingerMs: options.lingerMs,
        started,
        onPassage: hold,
        onListenError: report,
        onConnectionError: (error) => options.onError?.(error),
      })
      listeners.set(stack, listener)
      // Closed while it was starting: close() has not seen this one.
      if (stop.signal.aborted) await listener.close()
    } catch (thrown) {
      const error = toError(thrown, 'LISTEN_FAILED', { address: stack.name })
      failures.set(stack, error)
      throw error
    }
  }

  let resolveStarted: () => void = () => undefined
  const started = new Promise<void>((resolve) => (resolveStarted = resolve))
  const able = stacks.filter((stack) => stack.canListen)
  const starting = Promise.allSettled(able.map(start))
  void starting.then(() => resolveStarted())

  async function settle(): Promise<void> {
    if (able.length === 0) throw new MultiserverError('LISTEN_FAILED', 'no stack can listen here, only dial')
    await starting
    const causes = [...failures.values()]
    if (stop.signal.aborted) throw new MultiserverError('ABORTED', 'the server was closed')
    if (causes.length > 0) {
      const message = [...failures].map(([stack, error]) => `${stack.name}: ${error.message}`).join('; ')
      throw new MultiserverError('LISTEN_FAILED', message, { causes, cause: causes[0] })
    }
  }

  async function close(): Promise<void> {
    stop.abort(new MultiserverError('ABORTED', 'the server was closed'))
    await starting
    // What is passed on has its ends elsewhere: nobody here can end it in peace.
    for (const passage of passages) passage.abort(abortReason(stop.signal))
    // At the same time: a listener may wait for what its connections still bring about.
    await Promise.all([
      ...[...listeners.values()].map((listener) => listener.close()),
      ...[...connections].map((connection) => connection.close()),
      ...[...passages].map((passage) => passage.closed),
    ])
  }

  const listening = settle()
  listening.catch((error: MultiserverError) => {
    if (error.code === 'LISTEN_FAILED') report(error)
  })
  return {
    listening,
    listenerOf: (stack) => listeners.get(stack),
    statusOf(stack) {
      const error = failures.get(stack)
      const name = stack.name
      if (!stack.canListen) return { name, state: 'dials only' }
      if (error !== undefined) return { name, state: 'failed', error }
      const listener = listeners.get(stack)
      if (listener === undefined) return { name, state: 'starting' }
      return { name, state: listener.isReachable?.() === false ? 'unreachable' : 'listening' }
    },
    get passages() {
      return passages.size
    },
    close: () => (closing ??= close()),
  }
}
