import { createRequire } from 'node:module'
import type { Duplex } from 'node:stream'
import type { PullDuplex } from '../../plugs/streams.ts'

/** What the npm packages of pull-streams give; they have no types of their own. */
type Parts = readonly unknown[]

const require = createRequire(import.meta.url)
const loadedPull = require('pull-stream') as ((...parts: Parts) => unknown) & {
  values(chunks: readonly unknown[]): unknown
  collect(done: (error: Error | null, chunks: Buffer[]) => void): unknown
  error(error: Error): unknown
  map(change: (chunk: Buffer) => Buffer): unknown
  take(count: number): unknown
}

export const pull = loadedPull
export const pullPair = require('pull-pair/duplex') as () => [PullDuplex, PullDuplex]
/** A Duplex of Node as everybody made pull-streams of them before. */
export const { duplex: fromNodeStream } = require('stream-to-pull-stream') as {
  duplex: (duplex: Duplex) => PullDuplex
}

export function collect(...parts: Parts): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, chunks: Buffer[]) =>
      error ? reject(error) : resolve(Buffer.concat(chunks))
    pull(...parts, pull.collect(done))
  })
}

/** The same pull-stream with other halves, so that nobody recognizes it. */
export function disguise(stream: PullDuplex): PullDuplex {
  return {
    source: (abort, callback) => stream.source(abort, callback),
    sink: (source) => stream.sink(source),
  }
}
