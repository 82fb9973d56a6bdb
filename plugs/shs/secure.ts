import { ByteReader } from '../../core/byte-reader.ts'
import { untilAborted, withDeadline } from '../../core/deadline.ts'
import { createIdentity } from '../../core/ed25519.ts'
import { MultiserverError, toError } from '../../core/errors.ts'
import type { ByteStream, Identity, Secured } from '../../core/types.ts'
import { keysFromSeed } from '../key-pair.ts'
import { askAuth, type Auth } from './auth.ts'
import { BoxStream } from './box-stream.ts'
import { loadCrypto } from './crypto.ts'
import { phases, type Phase } from './failures.ts'
import { shakeAsClient, shakeAsServer, type HandshakeContext, type Session, type Wire } from './handshake.ts'

/** The options of shs, checked and with their defaults. */
export interface Settings {
  readonly identity: Identity | undefined
  readonly appKey: Uint8Array
  readonly auth: Auth | undefined
  readonly handshakeTimeoutMs: number
  readonly authTimeoutMs: number
  readonly lingerMs: number
}

/** Whom an address section names, and as whom to go there if not as oneself. Both 32 bytes. */
export interface Invite {
  readonly key: Uint8Array
  readonly seed?: Uint8Array
}

/** Shakes hands over `inner`, which it owns from then on, and encrypts it. */
export function secureAsClient(
  inner: ByteStream,
  invite: Invite,
  settings: Settings,
  signal: AbortSignal,
): Promise<Secured> {
  return secure(inner, settings, signal, async (wire, context) => {
    const identity = invite.seed ? createIdentity(await keysFromSeed(invite.seed)) : settings.identity
    if (identity === undefined) {
      throw new MultiserverError('KEYS_INVALID', 'shs needs keys to dial an address that has no seed')
    }
    return shakeAsClient(wire, invite.key, { ...context, identity })
  })
}

export function secureAsServer(inner: ByteStream, settings: Settings, signal: AbortSignal): Promise<Secured> {
  return secure(inner, settings, signal, async (wire, context, stop) => {
    const { identity, auth, authTimeoutMs } = settings
    if (identity === undefined) throw new MultiserverError('KEYS_INVALID', 'shs needs keys to accept clients')
    const authorize = (key: Uint8Array) =>
      withDeadline(
        untilAborted(askAuth(auth, key), stop, () => undefined),
        authTimeoutMs,
        () => new MultiserverError('AUTH_REFUSED', `auth gave no answer within ${authTimeoutMs} ms`),
      )
    return shakeAsServer(wire, { ...context, identity, authorize })
  })
}

type Shake = (wire: Wire, context: Omit<HandshakeContext, 'identity'>, stop: AbortSignal) => Promise<Session>

/** A handshake and the stream after it. Whatever fails, the deadline and `signal` included, aborts `inner`. */
async function secure(
  inner: ByteStream,
  { appKey, handshakeTimeoutMs, lingerMs }: Settings,
  signal: AbortSignal,
  shake: Shake,
): Promise<Secured> {
  const stop = new AbortController()
  let phase: Phase | undefined
  const onPhase = (next: Phase) => (phase = next)
  const work = async (): Promise<Secured> => {
    const crypto = await loadCrypto()
    const reader = new ByteReader(inner)
    const wire = { reader, write: (chunk: Uint8Array) => inner.write(chunk) }
    const session = await shake(wire, { crypto, appKey, onPhase }, stop.signal)
    const received = await reader.read(reader.available)
    const stream = new BoxStream(inner, { crypto, session, received, lingerMs })
    return { stream, remote: session.remote, auth: session.auth }
  }
  try {
    const secured = untilAborted(work(), signal, ({ stream }) => stream.abort())
    return await withDeadline(secured, handshakeTimeoutMs, () => createLateError(handshakeTimeoutMs, phase))
  } catch (thrown) {
    const error = toError(thrown, 'HANDSHAKE_FAILED')
    stop.abort(error)
    inner.abort(error)
    throw error
  }
}

function createLateError(timeoutMs: number, phase: Phase | undefined): MultiserverError {
  const waitingFor = phase === undefined ? 'libsodium' : phases[phase]
  return new MultiserverError(
    phase === 'auth' ? 'AUTH_REFUSED' : 'TIMEOUT',
    `the handshake took over ${timeoutMs} ms, waiting for ${waitingFor}`,
  )
}
