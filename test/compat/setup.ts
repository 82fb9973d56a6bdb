import { Compose } from '../../compat/compose.ts'
import { Net } from '../../compat/plugins/net.ts'
import { Shs, type OldAuth, type ShsOptions } from '../../compat/plugins/shs.ts'
import { UnixSocket } from '../../compat/plugins/unix-socket.ts'
import { Ws } from '../../compat/plugins/ws.ts'
import type { Close, Stack, StartedCallback, Stream, StreamError } from '../../compat/types.ts'
import { keysFromSeed } from '../../plugs/keys.ts'
import { collect, pull } from '../streams/pull-streams.ts'

export const appKey = Buffer.alloc(32, 42)
export const keys = {
  server: await oldKeys(31),
  client: await oldKeys(32),
}

/** Keys as programs of 3.8.2 have them. */
export async function oldKeys(fill: number): Promise<{ publicKey: Buffer; secretKey: Buffer }> {
  const { publicKey, secretKey } = await keysFromSeed(new Uint8Array(32).fill(fill))
  return { publicKey: Buffer.from(publicKey), secretKey: Buffer.from(secretKey) }
}

// 3.8.2 prints its port before it listens, so that 0 is none.
export { freePort } from '../support/fixed-port.ts'

export const acceptEverybody: OldAuth = (_key, callback) => callback(null, 'welcome')

export function serverShs(options: Partial<ShsOptions> = {}) {
  return Shs({ keys: keys.server, appKey, auth: acceptEverybody, ...options })
}

export type TransportName = 'net' | 'ws' | 'unix'

/** A stack of a transport and shs. One that dials only is given no port. */
export function createStack(
  transport: TransportName,
  port?: number,
  options: Partial<ShsOptions> = {},
): Stack {
  const plugin = { net: () => Net({ port }), ws: () => Ws({ port }), unix: () => UnixSocket() }[transport]()
  return Compose([plugin, serverShs(options)])
}

/** Resolves once it has started; with an error it rejects. */
export function start(
  stack: { server(...parts: Parameters<Stack['server']>): Close | undefined },
  onConnection: (stream: Stream) => void,
  onError?: (error: StreamError) => void,
): Promise<Close> {
  return new Promise((resolve, reject) => {
    let close: Close | undefined
    // A transport may start in the very turn in which it is asked to.
    const settle = () => resolve(close ?? (() => undefined))
    const started: StartedCallback = (error) => (error ? reject(error) : queueMicrotask(settle))
    close = stack.server(onConnection, onError, started)
  })
}

export function stop(close: Close): Promise<void> {
  return new Promise((resolve, reject) => void close((error) => (error ? reject(error) : resolve())))
}

export function dial(stack: Pick<Stack, 'client'>, address: string | undefined): Promise<Stream> {
  return new Promise((resolve, reject) => {
    stack.client(address ?? '', (error, stream) =>
      stream ? resolve(stream) : reject(error ?? new Error('nothing')),
    )
  })
}

/** Ends a stream the way programs do, and waits until it is gone. */
export function abort(stream: Stream): Promise<void> {
  return new Promise((resolve) => stream.source(true, () => resolve()))
}

export function echoInCapitals(stream: Stream): void {
  const capitals = pull.map((chunk) => Buffer.from(chunk.toString().toUpperCase()))
  pull(stream, capitals, stream)
}

/** Sends `text`, ends, and reads to the end. */
export async function ask(stream: Stream, text: string): Promise<string> {
  return (await collect(pull.values([Buffer.from(text)]), stream)).toString()
}
