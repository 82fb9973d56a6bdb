import type { Bytes, ByteStream, Identity } from '../../core/types.ts'
import type { Wire } from './wire.ts'

/** What is waited for while `auth` is asked; a deadline that passes then is a refusal. */
export const waitingForAuth = 'the answer of auth'

export interface HandshakeContext {
  /** 32 bytes. */
  readonly appKey: Uint8Array
  readonly identity: Identity
  /** Told what is waited for, in words that an error can quote. */
  readonly onPhase?: ((waitingFor: string) => void) | undefined
}

export interface ServerHandshakeContext extends HandshakeContext {
  /** Called with the proved key of the client; rejects to refuse it. */
  authorize(key: Bytes): Promise<unknown>
}

/** What a handshake leaves. */
export interface SecretSession {
  /** The Ed25519 key that the far side has proved. */
  readonly remote: Bytes
  readonly auth?: unknown
  /** 32 bytes that only the two sides share; absent where the protocol has no such thing. */
  readonly binding?: Uint8Array | undefined
  /**
   * The encrypted stream. Called once.
   * @param received what came behind the handshake's last message
   * @param lingerMs how long `inner` may take to close once both sides have said goodbye
   */
  createStream(inner: ByteStream, received: Bytes | null, lingerMs: number): ByteStream
}

/** A protocol in which each side proves an Ed25519 key to the other: shs, shs2. */
export interface SecretProtocol {
  /** The name of its address section. */
  readonly name: string
  readonly strength: number
  /** Proves `context.identity`, and that the far side has `remoteKey`. */
  shakeAsClient(wire: Wire, remoteKey: Uint8Array, context: HandshakeContext): Promise<SecretSession>
  /** Learns and checks the client's key, asks `authorize`, and only then answers. */
  shakeAsServer(wire: Wire, context: ServerHandshakeContext): Promise<SecretSession>
}
