import type { Connection } from '../core/connection.ts'
import type { ByteStream } from '../core/types.ts'
import { asBuffer } from './buffers.ts'
import { createByteStream, createPullDuplex, type PullDuplex } from './pull.ts'

export { fromDuplex, toDuplex } from './duplex.ts'
export type { PullCallback, PullDuplex, PullEnd, PullSink, PullSource } from './pull.ts'

/** A pull-stream with what the connection knows of its far side. */
export interface PullConnection extends PullDuplex<Buffer> {
  readonly address: string
  /** 32 bytes. */
  readonly remote: Buffer | undefined
  readonly auth: unknown
  /** What a transport wants to tell its users. Those of this package leave it free. */
  meta?: unknown
}

/** A connection as a pull-stream of Buffers. Aborting its source aborts the connection. */
export function toPull(connection: Connection): PullConnection {
  const { address, remote, auth } = connection
  const pull = createPullDuplex(connection, asBuffer)
  return { ...pull, address, remote: remote && asBuffer(remote), auth, meta: undefined }
}

/** A pull-stream of bytes as what transforms take: a tunnel through another protocol, for example. */
export function fromPull(pull: PullDuplex & { readonly address?: string | undefined }): ByteStream {
  return createByteStream(pull, asBuffer)
}
