import type { Bytes, ByteStream } from '../../core/types.ts'
import { FrameStream } from '../secret/frame-stream.ts'
import type { ShsCrypto } from './crypto.ts'
import { FrameOpener, FrameSealer } from './frames.ts'
import type { Session } from './handshake.ts'

export interface BoxStreamOptions {
  readonly crypto: ShsCrypto
  readonly session: Pick<Session, 'send' | 'receive'>
  /** What came behind the handshake's last message. */
  readonly received: Bytes | null
  /** How long the layer below may take to close once both sides have said goodbye. @default 10,000 */
  readonly lingerMs?: number | undefined
}

/** The encrypted stream after a secret-handshake. */
export class BoxStream extends FrameStream {
  constructor(inner: ByteStream, { crypto, session, received, lingerMs }: BoxStreamOptions) {
    const sealer = new FrameSealer(crypto, session.send)
    const opener = new FrameOpener(crypto, session.receive)
    super(inner, { sealer, opener, received, lingerMs })
  }
}
