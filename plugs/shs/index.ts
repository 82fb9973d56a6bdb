import type { Transform } from '../../core/types.ts'
import type { SecretProtocol, SecretSession } from '../secret/protocol.ts'
import { createSecretTransform, type SecretOptions } from '../secret/transform.ts'
import { BoxStream } from './box-stream.ts'
import { loadCrypto, type ShsCrypto } from './crypto.ts'
import { shakeAsClient, shakeAsServer, type Session } from './handshake.ts'

export type { Auth, AuthCallback } from '../secret/auth.ts'
export type { SecretOptions as ShsOptions } from '../secret/transform.ts'

/**
 * Secret-handshake 1 and its box-stream: `shs:KEY[:SEED]`. Each side proves its Ed25519 key to the other, and all
 * bytes are encrypted. The client must know the server's key; with a SEED in the address it is, this one time, the
 * identity made of that.
 *
 * @throws KEYS_INVALID
 */
export function shs(options: SecretOptions = {}): Transform {
  return createSecretTransform(protocol, options)
}

const protocol: SecretProtocol = {
  name: 'shs',
  strength: 1,
  async shakeAsClient(wire, remoteKey, context) {
    const crypto = await loadCrypto()
    return toSecretSession(await shakeAsClient(wire, remoteKey, { ...context, crypto }), crypto)
  },
  async shakeAsServer(wire, context) {
    const crypto = await loadCrypto()
    return toSecretSession(await shakeAsServer(wire, { ...context, crypto }), crypto)
  },
}

function toSecretSession(session: Session, crypto: ShsCrypto): SecretSession {
  const { remote, auth } = session
  return {
    remote,
    auth,
    createStream: (inner, received, lingerMs) =>
      new BoxStream(inner, { crypto, session, received, lingerMs }),
  }
}

export default shs
export { shs as 'module.exports' }
