import { loadNoiseCrypto } from '#noise-crypto'
import type { Transform } from '../../core/types.ts'
import { FrameStream } from '../secret/frame-stream.ts'
import type { SecretProtocol, SecretSession } from '../secret/protocol.ts'
import { createSecretTransform, type SecretOptions } from '../secret/transform.ts'
import { Shs2Opener, Shs2Sealer } from './frames.ts'
import { shakeAsClient, shakeAsServer, type Shs2Session } from './handshake.ts'

export type { Auth, AuthCallback } from '../secret/auth.ts'
export type { SecretOptions as Shs2Options } from '../secret/transform.ts'

/**
 * Noise XK with ML-KEM-768 and the app key as pre-shared key: `shs2:KEY[:SEED]`, the strong protocol to run beside
 * shs. As there, each side proves its Ed25519 key to the other and all bytes are encrypted; beyond it, what is
 * recorded today stays closed to whoever steals keys, or has a quantum computer, later.
 *
 * @throws KEYS_INVALID
 */
export function shs2(options: SecretOptions = {}): Transform {
  return createSecretTransform(protocol, options)
}

const protocol: SecretProtocol = {
  name: 'shs2',
  strength: 2,
  async shakeAsClient(wire, remoteKey, context) {
    const crypto = loadNoiseCrypto()
    return toSecretSession(await shakeAsClient(wire, remoteKey, { ...context, crypto }))
  },
  async shakeAsServer(wire, context) {
    const crypto = loadNoiseCrypto()
    return toSecretSession(await shakeAsServer(wire, { ...context, crypto }))
  },
}

function toSecretSession({ remote, auth, transport }: Shs2Session): SecretSession {
  return {
    remote,
    auth,
    binding: transport.handshakeHash,
    createStream: (inner, received, lingerMs) =>
      new FrameStream(inner, {
        sealer: new Shs2Sealer(transport.send),
        opener: new Shs2Opener(transport.receive),
        received,
        lingerMs,
      }),
  }
}

export default shs2
export { shs2 as 'module.exports' }
