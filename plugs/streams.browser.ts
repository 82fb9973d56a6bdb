import type { Connection } from '../core/connection.ts'
import type { ByteStream } from '../core/types.ts'
import { createByteStream, createPullDuplex, type PullDuplex } from './pull.ts'

export type { PullCallback, PullDuplex, PullEnd, PullSink, PullSource } from './pull.ts'

/** A pull-stream with what the connection knows of its far side. */
export interface PullConnection extends PullDuplex {
  readonly address: string
  /** 32 bytes. */
  readonly remote: Uint8Array | undefined
  readonly auth: unknown
}

/** A connection as a pull-stream of Uint8Arrays. Aborting its source aborts the connection. */
export function toPull(connection: Connection): PullConnection {
  const { address, remote, auth } = connection
  return { ...createPullDuplex(connection, (bytes) => bytes), address, remote, auth }
}

/** A pull-stream of bytes as what transforms take. */
export function fromPull(pull: PullDuplex & { readonly address?: string | undefined }): ByteStream {
  return createByteStream(pull, (bytes) => bytes)
}
