import { concat } from '../../core/bytes.ts'
import { toX25519PublicKey } from '../../core/ed25519.ts'
import type { Bytes, Identity } from '../../core/types.ts'
import { fail, unprovableKey, type Failure } from '../secret/failure.ts'
import { waitingForAuth, type HandshakeContext, type ServerHandshakeContext } from '../secret/protocol.ts'
import { receive, send, type Wire } from '../secret/wire.ts'
import { clientFailures, phases, serverFailures } from './failures.ts'
import { createWiper, type Secret } from './secrets.ts'
import type { DhKeys, ShsCrypto } from './crypto.ts'

/*
 * Secret-handshake 1, as the npm package `secret-handshake` speaks it.
 *
 * K is the app key; A and B are the Ed25519 keys of client and server, a and b their one-time X25519 keys, x·y is
 * X25519 of two of them, with A and B converted. HMAC is HMAC-SHA-512 cut to 32 bytes. Box is XSalsa20-Poly1305
 * with the MAC in front and a nonce of zeros. The sizes are fixed, so nothing has a length in front of it.
 *
 *   challenge  client -> server   64   HMAC(K, a) | a
 *   challenge  server -> client   64   HMAC(K, b) | b
 *   hello      client -> server  112   Box[SHA256(K | a·b | a·B)](H)
 *                                      where H = Sign_A(K | B | SHA256(a·b)) | A
 *   accept     server -> client   80   Box[SHA256(K | a·b | a·B | A·b)](Sign_B(K | H | SHA256(a·b)))
 *
 * A server that does not want the client, or was dialed by mistake, hangs up without a word after the hello.
 */

const challengeBytes = 64
const helloBytes = 16 + 64 + 32
const acceptBytes = 16 + 64
const zeroNonce = new Uint8Array(24)

/** What a handshake of this protocol needs beside the context that it shares with others. */
export interface ShsMeans {
  readonly crypto: ShsCrypto
  /** A secret key to use instead of a random one, for known answers only. */
  readonly ephemeral?: Uint8Array | undefined
}

/** One direction of the box-stream that follows. */
export interface FrameKey {
  /** 32 bytes, secret. */
  readonly key: Bytes
  /** 24 bytes: the nonce of the first box. */
  readonly nonce: Bytes
}

export interface Session {
  /** The Ed25519 key that the far side has proved. */
  readonly remote: Bytes
  readonly auth?: unknown
  readonly send: FrameKey
  readonly receive: FrameKey
}

/** The client's side: proves `context.identity`, and that the far side has `remoteKey`. */
export async function shakeAsClient(
  wire: Wire,
  remoteKey: Uint8Array,
  context: HandshakeContext & ShsMeans,
): Promise<Session> {
  const { crypto, appKey, identity } = context
  const { secret, wipe } = createWiper()
  try {
    const remoteX25519 = toX25519PublicKey(remoteKey)
    if (remoteX25519 === null) throw fail(unprovableKey)
    const own = createEphemeral(context, secret)
    const ownChallenge = createChallenge(context, own)
    context.onPhase?.(phases.serverChallenge)
    await send(wire, ownChallenge, clientFailures.challenge)
    const challenge = await receive(wire, challengeBytes, clientFailures.challenge)
    const remoteEphemeral = openChallenge(context, challenge, clientFailures.invalidChallenge)
    const ab = secret(crypto.dh(own.secretKey, remoteEphemeral))
    const aB = secret(crypto.dh(own.secretKey, remoteX25519))
    if (ab === null || aB === null) throw fail(clientFailures.invalidChallenge)

    const abHash = secret(crypto.sha256(ab))
    const signature = await identity.sign(concat(appKey, remoteKey, abHash))
    const hello = secret(concat(signature, identity.publicKey))
    const helloKey = secret(crypto.sha256(secret(concat(appKey, ab, aB))))
    context.onPhase?.(phases.serverAccept)
    await send(wire, box(crypto, hello, helloKey), clientFailures.hello)
    const accept = await receive(wire, acceptBytes, clientFailures.hello)

    const Ab = secret(await dhOfIdentity(identity, remoteEphemeral, clientFailures.invalidChallenge))
    const sessionKey = secret(crypto.sha256(secret(concat(appKey, ab, aB, Ab))))
    const acceptance = secret(unbox(crypto, accept, sessionKey))
    if (acceptance === null || !crypto.verify(acceptance, concat(appKey, hello, abHash), remoteKey)) {
      throw fail(clientFailures.invalidAccept)
    }
    const remote = Uint8Array.from(remoteKey)
    return createSession(context, { sessionKey, remote, challenge, ownChallenge }, secret)
  } finally {
    wipe()
  }
}

/** The server's side: learns and checks the client's key, asks `authorize`, and only then answers. */
export async function shakeAsServer(
  wire: Wire,
  context: ServerHandshakeContext & ShsMeans,
): Promise<Session> {
  const { crypto, appKey, identity } = context
  const { secret, wipe } = createWiper()
  try {
    context.onPhase?.(phases.clientChallenge)
    const challenge = await receive(wire, challengeBytes, serverFailures.challenge)
    const remoteEphemeral = openChallenge(context, challenge, serverFailures.invalidChallenge)
    const own = createEphemeral(context, secret)
    const ab = secret(crypto.dh(own.secretKey, remoteEphemeral))
    if (ab === null) throw fail(serverFailures.invalidChallenge)
    const aB = secret(await dhOfIdentity(identity, remoteEphemeral, serverFailures.invalidChallenge))
    const ownChallenge = createChallenge(context, own)
    context.onPhase?.(phases.clientHello)
    await send(wire, ownChallenge, serverFailures.hello)
    const boxedHello = await receive(wire, helloBytes, serverFailures.hello)

    const abHash = secret(crypto.sha256(ab))
    const helloKey = secret(crypto.sha256(secret(concat(appKey, ab, aB))))
    const hello = secret(unbox(crypto, boxedHello, helloKey))
    if (hello === null) throw fail(serverFailures.invalidHello)
    const remote = hello.slice(64)
    const signed = concat(appKey, identity.publicKey, abHash)
    const remoteX25519 = toX25519PublicKey(remote)
    if (remoteX25519 === null || !crypto.verify(hello.subarray(0, 64), signed, remote)) {
      throw fail(serverFailures.invalidHello)
    }
    const Ab = secret(crypto.dh(own.secretKey, remoteX25519))
    if (Ab === null) throw fail(serverFailures.invalidHello)

    context.onPhase?.(waitingForAuth)
    const auth = await context.authorize(remote.slice())
    const sessionKey = secret(crypto.sha256(secret(concat(appKey, ab, aB, Ab))))
    const acceptance = await identity.sign(concat(appKey, hello, abHash))
    context.onPhase?.(phases.clientReady)
    await send(wire, box(crypto, acceptance, sessionKey), serverFailures.accept)
    return { ...createSession(context, { sessionKey, remote, challenge, ownChallenge }, secret), auth }
  } finally {
    wipe()
  }
}

function createEphemeral({ crypto, ephemeral }: ShsMeans, secret: Secret): DhKeys {
  const random = globalThis.crypto.getRandomValues(new Uint8Array(32))
  return crypto.createDhKeys(secret(ephemeral === undefined ? random : Uint8Array.from(ephemeral)))
}

function createChallenge({ crypto, appKey }: HandshakeContext & ShsMeans, own: DhKeys): Bytes {
  return concat(crypto.hmac(appKey, own.publicKey), own.publicKey)
}

/** The one-time key of the far side, as a part of `challenge`. */
function openChallenge(
  { crypto, appKey }: HandshakeContext & ShsMeans,
  challenge: Bytes,
  failure: Failure,
): Bytes {
  const publicKey = challenge.subarray(32)
  if (!crypto.verifyHmac(challenge.subarray(0, 32), appKey, publicKey)) throw fail(failure)
  return publicKey
}

/** An Identity throws where the result is all zeros, which is the far side's doing. */
async function dhOfIdentity(identity: Identity, publicKey: Bytes, failure: Failure): Promise<Uint8Array> {
  try {
    return await identity.dh(publicKey)
  } catch (cause) {
    throw fail(failure, cause)
  }
}

interface SessionParts {
  readonly sessionKey: Bytes
  readonly remote: Bytes
  /** As received, and as sent. */
  readonly challenge: Bytes
  readonly ownChallenge: Bytes
}

/** Each direction is keyed by whom it is for, and counts from the HMAC which that side sent. */
function createSession(
  { crypto, identity }: HandshakeContext & ShsMeans,
  { sessionKey, remote, challenge, ownChallenge }: SessionParts,
  secret: Secret,
): Session {
  const master = secret(crypto.sha256(sessionKey))
  return {
    remote,
    send: { key: crypto.sha256(secret(concat(master, remote))), nonce: challenge.slice(0, 24) },
    receive: {
      key: crypto.sha256(secret(concat(master, identity.publicKey))),
      nonce: ownChallenge.slice(0, 24),
    },
  }
}

function box(crypto: ShsCrypto, plain: Uint8Array, key: Bytes): Bytes {
  const boxed = new Uint8Array(16 + plain.length)
  crypto.seal(boxed.subarray(16), boxed.subarray(0, 16), plain, zeroNonce, key)
  return boxed
}

function unbox(crypto: ShsCrypto, boxed: Bytes, key: Bytes): Bytes | null {
  const plain = new Uint8Array(boxed.length - 16)
  return crypto.open(plain, boxed.subarray(16), boxed.subarray(0, 16), zeroNonce, key) ? plain : null
}
