import sodium from 'libsodium-wrappers'
import { concat, copy } from './bytes.ts'
import { CipherState, NoiseError, TAG_BYTES } from './noise-cipher.ts'
import { mlKem, randomBytes, wasmNoiseCrypto, type KemKeys, type NoiseCrypto } from './noise-crypto.ts'
import type { NoisePattern, NoiseRole, NoiseToken } from './noise-patterns.ts'
import { SymmetricState } from './noise-symmetric.ts'
import type { Bytes } from './types.ts'

export { CipherState, NoiseError, TAG_BYTES } from './noise-cipher.ts'
export { wasmNoiseCrypto, type NoiseCrypto } from './noise-crypto.ts'
export {
  noisePatterns,
  withHfs,
  withPsk,
  type NoisePattern,
  type NoiseRole,
  type NoiseToken,
} from './noise-patterns.ts'

/** An X25519 key pair whose secret may live elsewhere. */
export interface NoiseKey {
  /** 32 bytes. */
  readonly publicKey: Uint8Array
  /** X25519 with a public key of the other side. */
  dh(publicKey: Uint8Array): Uint8Array | Promise<Uint8Array>
}

export interface HandshakeOptions {
  pattern: NoisePattern
  role: NoiseRole
  /** What both sides must agree on, beside the messages. @default empty */
  prologue?: Uint8Array | undefined
  /** My static key, where the pattern has one. */
  static?: NoiseKey | undefined
  /** The other side's static key, where the pattern has it known beforehand. 32 bytes. */
  remoteStatic?: Uint8Array | undefined
  /** The pre-shared keys, 32 bytes each, in the order of their tokens. */
  psks?: readonly Uint8Array[] | undefined
  /** @default libsodium-wrappers and noble */
  crypto?: NoiseCrypto | undefined
  /** @internal Known answers need a known ephemeral secret. */
  ephemeralSecret?: Uint8Array | undefined
  /** @internal And a known seed for what the KEM draws: 64 bytes for its keys, 32 for a ciphertext. */
  kemSeed?: Uint8Array | undefined
}

/** What a finished handshake leaves. */
export interface NoiseTransport {
  readonly send: CipherState
  readonly receive: CipherState
  /** 32 bytes that only the two sides share; usable as a channel binding (section 11.2). */
  readonly handshakeHash: Uint8Array
}

/**
 * The HandshakeState of Noise (revision 34, section 5.3) for 25519, ChaChaPoly and SHA256, driven by the tokens of
 * its pattern. Messages are written and read strictly in turn, one call at a time. Any failure is a
 * {@link NoiseError} and the end of this handshake. Needs `sodium.ready` to have been awaited.
 */
export class Handshake {
  readonly #crypto: NoiseCrypto
  readonly #symmetric: SymmetricState
  readonly #pattern: NoisePattern
  readonly #initiator: boolean
  readonly #static: NoiseKey | undefined
  readonly #psks: Uint8Array[]
  #ephemeralSecret: Uint8Array | undefined
  #ephemeral: NoiseKey | undefined
  #remoteStatic: Uint8Array | undefined
  #remoteEphemeral: Uint8Array | undefined
  readonly #kemSeed: Uint8Array | undefined
  #kemKeys: KemKeys | undefined
  #remoteKemKey: Uint8Array | undefined
  #turn = 0
  #state: 'ready' | 'working' | 'done' | 'failed' = 'ready'
  #transport: NoiseTransport | undefined

  /** Initialize(handshake_pattern, initiator, prologue, s, e, rs, re). */
  constructor(options: HandshakeOptions) {
    const { pattern, role } = options
    this.#crypto = options.crypto ?? wasmNoiseCrypto
    this.#pattern = pattern
    this.#initiator = role === 'initiator'
    this.#static = options.static
    this.#remoteStatic = options.remoteStatic
    this.#psks = (options.psks ?? []).map(copy)
    this.#ephemeralSecret = options.ephemeralSecret && copy(options.ephemeralSecret)
    this.#kemSeed = options.kemSeed && copy(options.kemSeed)
    const protocolName = `Noise_${pattern.name}_${pattern.dh}_ChaChaPoly_SHA256`
    this.#symmetric = new SymmetricState(protocolName, this.#crypto)
    this.#symmetric.mixHash(options.prologue ?? new Uint8Array(0))
    for (const owner of pattern.known) {
      const key = owner === role ? this.#static?.publicKey : this.#remoteStatic
      this.#symmetric.mixHash(present(key, `the ${owner}'s static key`))
    }
  }

  /** The other side's static key, once it is known. 32 bytes. */
  get remoteStatic(): Uint8Array | undefined {
    return this.#remoteStatic
  }

  /** What the last message leaves, or undefined as long as there is one to come. */
  get transport(): NoiseTransport | undefined {
    return this.#transport
  }

  /** Overwrites what is secret, for a handshake that is given up; one that finished or failed has done so. */
  wipe(): void {
    if (this.#state === 'ready') this.#state = 'failed'
    this.#wipe()
  }

  /** WriteMessage(payload). */
  writeMessage(payload: Uint8Array): Promise<Bytes> {
    return this.#step(true, async (tokens) => {
      const parts: Uint8Array[] = []
      for (const token of tokens) parts.push(await this.#writeToken(token))
      parts.push(this.#symmetric.encryptAndHash(payload))
      const message = concat(...parts)
      if (message.length > MAX_MESSAGE_BYTES) throw new NoiseError('a message may have at most 65,535 bytes')
      return message
    })
  }

  /** ReadMessage(message): its payload. */
  readMessage(message: Uint8Array): Promise<Bytes> {
    return this.#step(false, async (tokens) => {
      if (message.length > MAX_MESSAGE_BYTES) throw new NoiseError('a message may have at most 65,535 bytes')
      let rest = message
      for (const token of tokens) rest = await this.#readToken(token, rest)
      return this.#symmetric.decryptAndHash(rest)
    })
  }

  /** Answers what the token puts into the message. */
  async #writeToken(token: NoiseToken): Promise<Uint8Array> {
    switch (token) {
      case 'e':
        this.#ephemeral = this.#createEphemeral(this.#takeEphemeralSecret())
        this.#mixEphemeral(this.#ephemeral.publicKey)
        return this.#ephemeral.publicKey
      case 's':
        return this.#symmetric.encryptAndHash(present(this.#static, 'my static key').publicKey)
      case 'e1':
        this.#kemKeys = mlKem.createKeys(this.#kemSeed)
        return this.#symmetric.encryptAndHash(this.#kemKeys.publicKey)
      case 'ekem1': {
        const remoteKey = present(this.#remoteKemKey, "the other side's KEM key")
        const { ciphertext, sharedSecret } = mlKem.encapsulate(remoteKey, this.#kemSeed)
        // The ciphertext goes under the key that was before its secret.
        const sealed = this.#symmetric.encryptAndHash(ciphertext)
        this.#mixSecret(sharedSecret)
        return sealed
      }
      default:
        await this.#mixToken(token)
        return new Uint8Array(0)
    }
  }

  /** Answers what is left of the message. */
  async #readToken(token: NoiseToken, message: Uint8Array): Promise<Uint8Array> {
    switch (token) {
      case 'e': {
        const [key, rest] = cut(message, KEY_BYTES)
        this.#remoteEphemeral = key
        this.#mixEphemeral(key)
        return rest
      }
      case 's': {
        const [sealed, rest] = cut(message, this.#sealedBytes(KEY_BYTES))
        this.#remoteStatic = this.#symmetric.decryptAndHash(sealed)
        return rest
      }
      case 'e1': {
        const [sealed, rest] = cut(message, this.#sealedBytes(mlKem.publicKeyBytes))
        this.#remoteKemKey = this.#symmetric.decryptAndHash(sealed)
        return rest
      }
      case 'ekem1': {
        const { secretKey } = present(this.#kemKeys, 'my KEM keys')
        const [sealed, rest] = cut(message, this.#sealedBytes(mlKem.ciphertextBytes))
        this.#mixSecret(mlKem.decapsulate(this.#symmetric.decryptAndHash(sealed), secretKey))
        return rest
      }
      default:
        await this.#mixToken(token)
        return message
    }
  }

  /** The tokens that put nothing into a message, the same for the side that writes and the one that reads. */
  async #mixToken(token: Exclude<NoiseToken, 'e' | 's' | 'e1' | 'ekem1'>): Promise<void> {
    switch (token) {
      case 'ee':
        return this.#mixDh(this.#ephemeral, this.#remoteEphemeral)
      case 'ss':
        return this.#mixDh(this.#static, this.#remoteStatic)
      case 'es':
        return this.#initiator
          ? this.#mixDh(this.#ephemeral, this.#remoteStatic)
          : this.#mixDh(this.#static, this.#remoteEphemeral)
      case 'se':
        return this.#initiator
          ? this.#mixDh(this.#static, this.#remoteEphemeral)
          : this.#mixDh(this.#ephemeral, this.#remoteStatic)
      case 'psk': {
        const psk = present(this.#psks.shift(), 'a pre-shared key')
        this.#symmetric.mixKeyAndHash(psk)
        return sodium.memzero(psk)
      }
    }
  }

  /** Section 9.2: in a handshake with pre-shared keys an ephemeral goes into the key as well. */
  #mixEphemeral(publicKey: Uint8Array): void {
    this.#symmetric.mixHash(publicKey)
    const psk = this.#pattern.messages.some((tokens) => tokens.includes('psk'))
    if (psk) this.#symmetric.mixKey(publicKey)
  }

  /** A shared secret of zeros would let anybody be the other side (section 12.1 leaves the check to us). */
  async #mixDh(mine: NoiseKey | undefined, theirs: Uint8Array | undefined): Promise<void> {
    const secret = await present(mine, 'my key').dh(present(theirs, "the other side's key"))
    if (secret.length !== KEY_BYTES || sodium.is_zero(secret)) throw new NoiseError('X25519 gave no secret')
    this.#mixSecret(secret)
  }

  #mixSecret(secret: Uint8Array): void {
    this.#symmetric.mixKey(secret)
    sodium.memzero(secret)
  }

  /** What EncryptAndHash makes of so many bytes. */
  #sealedBytes(bytes: number): number {
    return bytes + (this.#symmetric.hasKey ? TAG_BYTES : 0)
  }

  #createEphemeral(secret: Uint8Array): NoiseKey {
    return {
      publicKey: this.#crypto.dhPublicKey(secret),
      dh: (publicKey) => this.#crypto.dh(secret, publicKey),
    }
  }

  #takeEphemeralSecret(): Uint8Array {
    const secret = this.#ephemeralSecret ?? randomBytes(KEY_BYTES)
    this.#ephemeralSecret = secret
    return secret
  }

  async #step(writes: boolean, work: (tokens: readonly NoiseToken[]) => Promise<Bytes>): Promise<Bytes> {
    const tokens = this.#pattern.messages[this.#turn]
    const myTurn = (this.#turn % 2 === 0) === this.#initiator
    if (this.#state !== 'ready' || tokens === undefined || myTurn !== writes) {
      throw new NoiseError(`this handshake cannot ${writes ? 'write' : 'read'} a message now`)
    }
    this.#state = 'working'
    try {
      const result = await work(tokens)
      this.#turn += 1
      if (this.#turn === this.#pattern.messages.length) this.#finish()
      else this.#state = 'ready'
      return result
    } catch (error) {
      this.#state = 'failed'
      this.#wipe()
      if (error instanceof NoiseError) throw error
      throw new NoiseError('a key of the handshake could not be used', { cause: error })
    }
  }

  #finish(): void {
    const handshakeHash = this.#symmetric.handshakeHash()
    const [first, second] = this.#symmetric.split()
    this.#transport = this.#initiator
      ? { send: first, receive: second, handshakeHash }
      : { send: second, receive: first, handshakeHash }
    this.#state = 'done'
    this.#wipe()
  }

  #wipe(): void {
    this.#symmetric.wipe()
    const secrets = [this.#ephemeralSecret, this.#kemKeys?.secretKey, ...this.#psks]
    for (const secret of secrets) secret?.fill(0)
    this.#ephemeral = undefined
    this.#kemKeys = undefined
  }
}

const KEY_BYTES = 32
const MAX_MESSAGE_BYTES = 65_535

function present<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new NoiseError(`the pattern needs ${what}`)
  return value
}

function cut(message: Uint8Array, length: number): [Uint8Array, Uint8Array] {
  if (message.length < length) throw new NoiseError('a message is too short')
  return [message.slice(0, length), message.subarray(length)]
}
