import { abortWith } from './aborts.ts'
import { checkOneKey, parseAddress, type Alternative } from './address.ts'
import { dialAddress, type DialOptions } from './dial.ts'
import { MultiserverError, toError } from './errors.ts'
import { listenOn, type Server, type StackStatus } from './server.ts'
import { Stack, type StackInput } from './stack.ts'
import type { Connection } from './connection.ts'
import type { Path, Scope } from './types.ts'

export type { Alternative, Section } from './address.ts'
export type { Connection } from './connection.ts'
export type { DialOptions } from './dial.ts'
export type { ErrorCode, MultiserverError } from './errors.ts'
export type { StackStatus } from './server.ts'
export type { StackInput } from './stack.ts'
export type { Bytes, DialStage, Path, Scope } from './types.ts'

export interface MultiServerOptions {
  /** How long closing waits for a peer's end, or (rtc) for more to be taken, before it gives the connection up. @default 10000 */
  lingerMs?: number | undefined
}

export type ClientCallback = (error: MultiserverError | null, connection?: Connection) => void

/** Stops the server: it accepts no more, ends the connections that it accepted, and resolves when all is released. */
export interface CloseServer {
  (callback?: () => void): Promise<void>
  /** Resolves when every stack that can listen does; LISTEN_FAILED otherwise, while the others stay up. */
  readonly listening: Promise<void>
}

export interface MultiServerStatus {
  readonly stacks: readonly StackStatus[]
  readonly connections: readonly { address: string; role: 'client' | 'server'; path: Path | undefined }[]
  /** Streams that were accepted to be passed on, as by a bridge (`tunnel`): there is no connection of them here. */
  readonly passages: number
}

export interface MultiServer {
  /** Dials and calls back once; the returned function aborts. */
  client(address: string, callback: ClientCallback): () => void
  client(address: string, options: DialOptions, callback: ClientCallback): () => void
  /** Dials the strongest alternative of `address` that a stack understands. */
  client(address: string, options?: DialOptions): Promise<Connection>
  /**
   * Starts every stack that can listen.
   * @param onConnection may be asynchronous; what it throws or rejects with aborts the connection and goes to onError
   * @param onError without it, errors of listening are printed; errors of single connections are not
   */
  server(
    onConnection: (connection: Connection) => unknown,
    onError?: ((error: MultiserverError) => void) | null,
    onListening?: ((error: MultiserverError | null) => void) | null,
  ): CloseServer
  /** The addresses to give to others, joined by `;`. @param scope @default 'device' */
  stringify(scope?: Scope | 'private'): string
  /** @throws ADDRESS_INVALID */
  parse(address: string): Alternative[]
  /** For people: what listens, what is connected, and how much is passed on. */
  status(): MultiServerStatus
}

/**
 * One interface over many stacks: each a transport with its transforms, or a transport alone.
 *
 * @throws STACK_INVALID
 */
export function MultiServer(inputs: readonly StackInput[], options: MultiServerOptions = {}): MultiServer {
  const stacks = inputs.map((input) => new Stack(input))
  const servers = new Set<Server>()
  const connections = new Set<Connection>()
  const { lingerMs } = options

  function track(connection: Connection): Connection {
    connections.add(connection)
    void connection.closed.then(() => connections.delete(connection))
    return connection
  }

  async function dial(address: string, dialOptions: DialOptions = {}): Promise<Connection> {
    return track(await dialAddress(address, stacks, { ...dialOptions, lingerMs }))
  }

  function dialWithCallback(address: string, dialOptions: DialOptions, callback: ClientCallback): () => void {
    const controller = new AbortController()
    const { signal: outer } = dialOptions
    const stop = outer === undefined ? undefined : abortWith(controller, outer)
    dial(address, { ...dialOptions, signal: controller.signal })
      .finally(stop)
      .then(
        // Out of the promise, so that what the callback throws reaches the caller's own handlers.
        (connection) => queueMicrotask(() => callback(null, connection)),
        (thrown: unknown) => queueMicrotask(() => callback(toError(thrown, 'DIAL_FAILED'))),
      )
    return () => controller.abort()
  }

  function client(address: string, callback: ClientCallback): () => void
  function client(address: string, options: DialOptions, callback: ClientCallback): () => void
  function client(address: string, options?: DialOptions): Promise<Connection>
  function client(
    address: string,
    first?: DialOptions | ClientCallback,
    callback?: ClientCallback,
  ): Promise<Connection> | (() => void) {
    if (typeof first === 'function') return dialWithCallback(address, {}, first)
    return callback === undefined ? dial(address, first) : dialWithCallback(address, first ?? {}, callback)
  }

  return {
    client,
    server(onConnection, onError, onListening) {
      const server = listenOn(stacks, {
        lingerMs,
        onConnection: (connection) => onConnection(track(connection)),
        onError: onError ?? undefined,
      })
      servers.add(server)
      server.listening.then(
        () => onListening?.(null),
        (error: MultiserverError) => onListening?.(error),
      )
      const close = async (callback?: () => void) => {
        servers.delete(server)
        await server.close()
        callback?.()
      }
      return Object.assign(close, { listening: server.listening })
    },
    stringify(scope = 'device') {
      const listener = (stack: Stack) =>
        [...servers].map((server) => server.listenerOf(stack)).find((found) => found !== undefined)
      const named = scope === 'private' ? 'local' : scope
      return stacks.flatMap((stack) => stack.addresses(named, listener(stack))).join(';')
    },
    parse(address) {
      const alternatives = parseAddress(address)
      checkOneKey(alternatives, address)
      return alternatives
    },
    status() {
      const [server] = [...servers].slice(-1)
      return {
        stacks: stacks.map((stack) => server?.statusOf(stack) ?? { name: stack.name, state: 'idle' }),
        connections: [...connections].map(({ address, role, path }) => ({ address, role, path })),
        passages: [...servers].reduce((sum, each) => sum + each.passages, 0),
      }
    },
  }
}

export default MultiServer
export { MultiServer as 'module.exports' }
