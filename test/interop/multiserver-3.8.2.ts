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

type Old<Result> = (...parts: unknown[]) => Result

const require = createRequire(import.meta.url)
const createServer = require('multiserver-3.8.2') as Old<OldServer>
const plugins = {
  net: require('multiserver-3.8.2/plugins/net') as Old<unknown>,
  ws: require('multiserver-3.8.2/plugins/ws') as Old<unknown>,
}
const shs = require('multiserver-3.8.2/plugins/shs') as Old<unknown>
const pull = require('pull-stream') as Old<unknown> & Record<'values' | 'collect', Old<unknown>>

/** A multiserver 3.8.2 of one stack, `net~shs` or `ws~shs`. */
export function createOld(transport: 'net' | 'ws', keys: Keys, options: Record<string, unknown>): OldServer {
  const oldKeys = { publicKey: Buffer.from(keys.publicKey), secretKey: Buffer.from(keys.secretKey) }
  const port = fixedPort()
  const place = transport === 'net' ? { scope: 'device', port } : { scope: 'device', host: 'localhost', port }
  return createServer([[plugins[transport](place), shs({ keys: oldKeys, timeout: 5000, ...options })]])
}

/** Writes `bytes` in chunks of at most 64 KiB, then ends; meanwhile reads to the end. */
export function exchange(stream: OldStream, bytes: Uint8Array): Promise<Buffer> {
  const chunks: Buffer[] = []
  for (let at = 0; at < bytes.length; at += 65_536) chunks.push(Buffer.from(bytes.subarray(at, at + 65_536)))
  return new Promise((resolve, reject) => {
    pull(pull.values(chunks), stream)
    const done = (error: Error | null, received: Buffer[]) =>
      error ? reject(error) : resolve(Buffer.concat(received))
    pull(stream, pull.collect(done))
  })
}
