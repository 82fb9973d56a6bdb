import { parseKeyText, parseSection } from '../../core/address.ts'
import { toBase64 } from '../../core/bytes.ts'
import { createIdentity } from '../../core/ed25519.ts'
import { limits } from '../../core/limits.ts'
import type { Transform } from '../../core/types.ts'
import { parseAppKey } from '../app-key.ts'
import { parseKeys, type KeysInput } from '../key-pair.ts'
import type { Auth } from './auth.ts'
import type { SecretProtocol } from './protocol.ts'
import { secureAsClient, secureAsServer, type Invite, type Settings } from './secure.ts'

/** The options that shs and shs2 have alike. */
export interface SecretOptions {
  /** This side's identity. A client can do without when the address has a seed. */
  keys?: KeysInput | undefined
  /** Keeps networks apart: 32 bytes or their base64; both sides must have the same. @default `defaultAppKey` */
  appKey?: Uint8Array | string | undefined
  /** Decides which clients may connect. @default everyone */
  auth?: Auth | undefined
  /** The whole handshake, `auth` included. @default 15,000 */
  handshakeTimeoutMs?: number | undefined
  /** How long `auth` may take, within `handshakeTimeoutMs`. @default 15,000 */
  authTimeoutMs?: number | undefined
  /** How long the transport may take to close once both sides have said goodbye. @default 10,000 */
  lingerMs?: number | undefined
}

/**
 * `protocol` as a transform; its section is `NAME:KEY[:SEED]`.
 *
 * @throws KEYS_INVALID
 */
export function createSecretTransform(protocol: SecretProtocol, options: SecretOptions): Transform {
  const settings = createSettings(options)
  const { identity } = settings
  const { name, strength } = protocol
  return {
    name,
    strength,
    ...(identity && { identity }),
    section: () => (identity ? `${name}:${toBase64(identity.publicKey)}` : ''),
    parse(text) {
      const invite = parseInvite(text, name)
      if (invite === null) return null
      return {
        key: invite.key,
        connect: (inner, { signal }) => secureAsClient(protocol, inner, invite, settings, signal),
      }
    },
    accept: (inner, { signal }) => secureAsServer(protocol, inner, settings, signal),
  }
}

function createSettings(options: SecretOptions): Settings {
  return {
    identity: options.keys === undefined ? undefined : createIdentity(parseKeys(options.keys)),
    appKey: parseAppKey(options.appKey),
    auth: options.auth,
    handshakeTimeoutMs: options.handshakeTimeoutMs ?? limits.handshake.timeoutMs,
    authTimeoutMs: options.authTimeoutMs ?? limits.handshake.authTimeoutMs,
    lingerMs: options.lingerMs ?? limits.connection.lingerMs,
  }
}

function parseInvite(text: string, name: string): Invite | null {
  const section = parseSection(text)
  if (section?.name !== name) return null
  const [keyText = '', seedText] = section.data
  const key = parseKeyText(keyText)
  if (key === null || seedText === undefined) return key && { key }
  const seed = parseKeyText(seedText)
  return seed && { key, seed }
}
