import { MultiserverError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { ByteStream, Listener, ListenContext, Scope, Transport } from '../core/types.ts'
import { escapeSection } from './sections.ts'
import { toOldError, toOldStream } from './stream.ts'
import type { TransportPlugin } from './types.ts'

/** A transport of this package in terms of 3.8.2. */
export interface TransportPlan<Target> {
  readonly name: string
  readonly scope: string | readonly string[]
  /** For dialing. */
  readonly transport: Transport
  /** For listening; made when it begins. Absent: it only dials. */
  readonly makeListening?: (() => Transport) | undefined
  /** Whether closing the server ends the connections that it accepted. */
  readonly hangsUpOnClose?: boolean | undefined
  readonly onClose?: (() => void) | undefined
  /** A section without escapes as what `client` takes, and the other way round. */
  parse(section: string): Target | null
  format(target: Target): string
  /** Sections, without escapes, joined by `;`. */
  stringify(scope: Scope, listener: Listener | undefined): string | null
}

/** What clients are given to leave by themselves. */
const hangUpMs = 1000

export function adaptTransport<Target>(
  plan: TransportPlan<Target>,
): Required<TransportPlugin<Target | string>> {
  const { name, scope, transport } = plan
  let listener: Listener | undefined
  let starting: Promise<unknown> | undefined

  async function connect(target: Target | string, signal: AbortSignal): Promise<ByteStream> {
    const section = typeof target === 'string' ? target : plan.format(target)
    const place = transport.parse(escapeSection(section))
    if (place === null) throw new MultiserverError('ADDRESS_INVALID', `could not parse address:${section}`)
    // 3.8.2 has bound its port, or its socket, when `server` returns, and programs dial it in the same turn.
    await starting
    return place.dial({ signal, transforms: [] })
  }

  return {
    name,
    scope: () => scope,
    parse: (section) => plan.parse(section),
    stringify: (asked = 'device') =>
      plan.stringify((asked === 'private' ? 'local' : asked) as Scope, listener),
    client(target, callback) {
      const stop = new AbortController()
      const late = new MultiserverError('TIMEOUT', `not connected within ${limits.dial.timeoutMs} ms`)
      const timer = setTimeout(() => stop.abort(late), limits.dial.timeoutMs)
      connect(target, stop.signal)
        .finally(() => clearTimeout(timer))
        .then(
          (stream) => queueMicrotask(() => callback(null, toOldStream(stream))),
          (error: Error) => queueMicrotask(() => callback(toOldError(error))),
        )
      return () => stop.abort(new MultiserverError('ABORTED', `multiserver.${name}: aborted`))
    },
    server(onConnection, onStarted, transforms = []) {
      const stop = new AbortController()
      const accepted = new Set<ByteStream>()
      const accept = (stream: ByteStream) => {
        accepted.add(stream)
        void stream.closed.then(() => accepted.delete(stream))
        onConnection(toOldStream(stream))
      }
      const listening = listen(plan, accept, { signal: stop.signal, transforms })
      starting = listening.catch(() => undefined)
      listening.then(
        (started) => {
          listener = started
          queueMicrotask(() => onStarted?.(null, true))
        },
        (error: Error) => queueMicrotask(() => (onStarted ?? printError)(toOldError(error))),
      )
      const close = async () => {
        stop.abort(new MultiserverError('ABORTED', 'the server was closed'))
        const started = await listening.catch(() => undefined)
        if (started === listener) listener = undefined
        await started?.close()
        plan.onClose?.()
        if (plan.hangsUpOnClose) await hangUp([...accepted])
      }
      return (callback?: (error?: Error | null) => void) => {
        close().then(
          () => callback?.(null),
          (error: Error) => callback?.(error),
        )
      }
    },
  }
}

async function listen(
  { name, makeListening }: Pick<TransportPlan<never>, 'name' | 'makeListening'>,
  accept: (stream: ByteStream) => void,
  context: Pick<ListenContext, 'signal' | 'transforms'>,
): Promise<Listener> {
  const transport = makeListening?.()
  if (transport?.listen === undefined) {
    throw new MultiserverError('LISTEN_FAILED', `the plugin ${name} only dials; listen with net`)
  }
  return transport.listen(accept, { ...context, onError: printError, onConnectionError: () => undefined })
}

async function hangUp(streams: readonly ByteStream[]): Promise<void> {
  for (const stream of streams) stream.end().catch(() => undefined)
  const timer = setTimeout(() => streams.forEach((stream) => stream.abort()), hangUpMs)
  await Promise.all(streams.map((stream) => stream.closed))
  clearTimeout(timer)
}

function printError(error?: Error | null): void {
  if (error) console.error(`multiserver: ${error.message}`)
}
