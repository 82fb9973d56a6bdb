import { createRequire } from 'node:module'
import { fixedPort } from '../support/fixed-port.ts'
import type { Keys } from '../../plugs/keys.ts'

/** What is used here of a stream of 3.8.2: both ends of a pull-stream. */
export interface OldStream {
  readonly source: unknown
  readonly sink: unknown
  readonly remote: Buffer
  readonly auth: unknown
  readonly address: string
}

export interface OldServer {
  stringify(scope?: string): string
  parse(address: string): unknown[]
  client(address: string, callback: (error: Error | null, stream: OldStream) => void): void
  server(
    onConnection: (stream: OldStream) => void,
    onError: (error: Error) => void,
    onStarted: (error?: Error | null) => void,
  ): (callback: (error?: Error) => void) => void
}

export type TransportName = 'net' | 'ws' | 'unix'

/** Options of its shs. */
export interface OldOptions {
  readonly appKey: Buffer
  readonly auth?: ((key: Buffer, callback: (error: null, auth: unknown) => void) => void) | undefined
}

type Old<Result> = (...parts: unknown[]) => Result

const require = createRequire(import.meta.url)
const createServer = require('multiserver-3.8.2') as Old<OldServer>
const shs = require('multiserver-3.8.2/plugins/shs') as Old<unknown>
const pull = require('pull-stream') as Old<unknown> & Record<'values' | 'collect' | 'error', Old<unknown>>

/** A multiserver 3.8.2 of one stack with shs. @param folder of the socket, for unix */
export function createOld(
  transport: TransportName,
  keys: Keys,
  { folder, ...options }: OldOptions & { folder: string },
): OldServer {
  const oldKeys = { publicKey: Buffer.from(keys.publicKey), secretKey: Buffer.from(keys.secretKey) }
  const place = { net: () => ({ port: fixedPort() }), ws: () => ({ port: fixedPort(), host: 'localhost' }) }
  const where = transport === 'unix' ? { path: folder } : { scope: 'device', ...place[transport]() }
  return createServer([[loadPlugin(transport)(where), shs({ keys: oldKeys, timeout: 5000, ...options })]])
}

/** Its unix socket listens once in a module's life, so that each is given a module of its own. */
function loadPlugin(transport: TransportName): Old<unknown> {
  const path = require.resolve(
    `multiserver-3.8.2/plugins/${transport === 'unix' ? 'unix-socket' : transport}`,
  )
  if (transport === 'unix') delete require.cache[path]
  return require(path) as Old<unknown>
}

/** Writes `chunks`, then ends; meanwhile reads to the end. */
export function exchange(stream: OldStream, chunks: readonly Uint8Array[]): Promise<Buffer> {
  pull(pull.values(chunks.map((chunk) => Buffer.from(chunk))), stream)
  return readToEnd(stream)
}

export function readToEnd(stream: OldStream): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, received: Buffer[]) =>
      error ? reject(error) : resolve(Buffer.concat(received))
    pull(stream, pull.collect(done))
  })
}

/** What it writes ends in an error. */
export function breakOff(stream: OldStream): void {
  pull(pull.error(new Error('broken')), stream)
  readToEnd(stream).catch(() => undefined)
}

/** As muxrpc does when it is closed. */
export function stopReading(stream: OldStream): void {
  const source = stream.source as (abort: unknown, callback: () => void) => void
  source(true, () => undefined)
}
