import { ByteReader } from '../../core/byte-reader.ts'
import { untilAborted, withDeadline } from '../../core/deadline.ts'
import { createIdentity, ready } from '../../core/ed25519.ts'
import { MultiserverError, toError } from '../../core/errors.ts'
import type { ByteStream, Identity, Secured } from '../../core/types.ts'
import { keysFromSeed } from '../key-pair.ts'
import { askAuth, type Auth } from './auth.ts'
import { waitingForAuth, type HandshakeContext, type SecretProtocol, type SecretSession } from './protocol.ts'
import type { Wire } from './wire.ts'

/** The options, checked and with their defaults. */
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
  protocol: SecretProtocol,
  inner: ByteStream,
  invite: Invite,
  settings: Settings,
  signal: AbortSignal,
): Promise<Secured> {
  return secure(inner, settings, signal, async (wire, context) => {
    const identity = invite.seed ? createIdentity(await keysFromSeed(invite.seed)) : settings.identity
    if (identity === undefined) {
      const message = `${protocol.name} needs keys to dial an address that has no seed`
      throw new MultiserverError('KEYS_INVALID', message)
    }
    return protocol.shakeAsClient(wire, invite.key, { ...context, identity })
  })
}

export function secureAsServer(
  protocol: SecretProtocol,
  inner: ByteStream,
  settings: Settings,
  signal: AbortSignal,
): Promise<Secured> {
  return secure(inner, settings, signal, async (wire, context, stop) => {
    const { identity, auth, authTimeoutMs } = settings
    if (identity === undefined) {
      throw new MultiserverError('KEYS_INVALID', `${protocol.name} needs keys to accept clients`)
    }
    const authorize = (key: Uint8Array) =>
      withDeadline(
        untilAborted(askAuth(auth, key), stop, () => undefined),
        authTimeoutMs,
        () => new MultiserverError('AUTH_REFUSED', `auth gave no answer within ${authTimeoutMs} ms`),
      )
    return protocol.shakeAsServer(wire, { ...context, identity, authorize })
  })
}

type Shake = (
  wire: Wire,
  context: Omit<HandshakeContext, 'identity'>,
  stop: AbortSignal,
) => Promise<SecretSession>

/** A handshake and the stream after it. Whatever fails, the deadline and `signal` included, aborts `inner`. */
async function secure(
  inner: ByteStream,
  { appKey, handshakeTimeoutMs, lingerMs }: Settings,
  signal: AbortSignal,
  shake: Shake,
): Promise<Secured> {
  const stop = new AbortController()
  let waitingFor = 'libsodium'
  const onPhase = (next: string) => (waitingFor = next)
  const work = async (): Promise<Secured> => {
    await ready()
    const reader = new ByteReader(inner)
    const wire = { reader, write: (chunk: Uint8Array) => inner.write(chunk) }
    const session = await shake(wire, { appKey, onPhase }, stop.signal)
    const received = await reader.read(reader.available)
    const { remote, auth, binding } = session
    return { stream: session.createStream(inner, received, lingerMs), remote, auth, binding }
  }
  try {
    const secured = untilAborted(work(), signal, ({ stream }) => stream.abort())
    return await withDeadline(secured, handshakeTimeoutMs, () =>
      createLateError(handshakeTimeoutMs, waitingFor),
    )
  } catch (thrown) {
    const error = toError(thrown, 'HANDSHAKE_FAILED')
    stop.abort(error)
    inner.abort(error)
    throw error
  }
}

function createLateError(timeoutMs: number, waitingFor: string): MultiserverError {
  return new MultiserverError(
    waitingFor === waitingForAuth ? 'AUTH_REFUSED' : 'TIMEOUT',
    `the handshake took over ${timeoutMs} ms, waiting for ${waitingFor}`,
  )
}
