import sodium from 'libsodium-wrappers'
import { concat, copy, fromText } from '../../core/bytes.ts'
import { toX25519PublicKey } from '../../core/ed25519.ts'
import { Handshake, noisePatterns, TAG_BYTES, withHfs, withPsk, type NoiseCrypto } from '../../core/noise.ts'
import { staticKeyOf } from '../../core/noise-identity.ts'
import type { HandshakeOptions, NoiseTransport } from '../../core/noise.ts'
import type { Bytes } from '../../core/types.ts'
import { fail, unprovableKey, type Failure } from '../secret/failure.ts'
import { waitingForAuth, type HandshakeContext, type ServerHandshakeContext } from '../secret/protocol.ts'
import { receive, send, type Wire } from '../secret/wire.ts'
import { clientFailures, phases, serverFailures } from './failures.ts'

/*
 * Noise_XKhfs+psk0_25519+MLKEM768_ChaChaPoly_SHA256 (Noise revision 34, the HFS extension revision 1, FIPS 203).
 *
 *   <- s
 *   -> psk, e, es, e1      1248 = 32 e + 1200 e1 + 16 tag of an empty payload
 *   <- e, ee, ekem1        1152 = 32 e + 1104 ekem1 + 16 tag of an empty payload
 *   -> s, se                 96 = 48 s + (32 + 16) payload: the client's Ed25519 key
 *   <- accept                18 = the server's first transport operation, of the bytes 00 01
 *
 * Static keys are the X25519 forms of Ed25519 identities. The sizes are fixed, so nothing has a length in front. A
 * server that does not want the client hangs up without a word.
 */
const pattern = withPsk(withHfs(noisePatterns.XK), 0)
const startBytes = 32 + 1184 + TAG_BYTES + TAG_BYTES
const answerBytes = 32 + 1088 + TAG_BYTES + TAG_BYTES
const identityBytes = 32 + TAG_BYTES + 32 + TAG_BYTES
const acceptance = Uint8Array.of(0, 1)
const nothing = new Uint8Array(0)

/** What this protocol needs beside the context that it shares with others. */
export interface Shs2Means {
  readonly crypto: NoiseCrypto
  /** Secrets to use instead of random ones, for known answers only. */
  readonly known?: Pick<HandshakeOptions, 'ephemeralSecret' | 'kemSeed'> | undefined
}

export interface Shs2Session {
  /** The Ed25519 key that the far side has proved. */
  readonly remote: Bytes
  readonly auth?: unknown
  readonly transport: NoiseTransport
}

/** The client's side: proves `context.identity`, and that the far side has `remoteKey`. */
export async function shakeAsClient(
  wire: Wire,
  remoteKey: Uint8Array,
  context: HandshakeContext & Shs2Means,
): Promise<Shs2Session> {
  const { identity } = context
  const remoteStatic = toX25519PublicKey(remoteKey)
  if (remoteStatic === null) throw fail(unprovableKey)
  const handshake = new Handshake({
    ...common(context, remoteKey),
    role: 'initiator',
    static: staticKeyOf(identity),
    remoteStatic,
  })
  try {
    context.onPhase?.(phases.serverAnswer)
    await send(wire, await handshake.writeMessage(nothing), clientFailures.start)
    const answer = await receive(wire, answerBytes, clientFailures.start)
    await attempt(handshake.readMessage(answer), clientFailures.invalidAnswer)

    context.onPhase?.(phases.serverAccept)
    const proof = await attempt(handshake.writeMessage(identity.publicKey), clientFailures.invalidAnswer)
    const transport = finished(handshake)
    try {
      await send(wire, proof, clientFailures.identity)
      const accept = await receive(wire, acceptance.length + TAG_BYTES, clientFailures.identity)
      const opened = new Uint8Array(acceptance.length)
      const isAccepted = transport.receive.decryptInto(opened, accept) && sodium.memcmp(opened, acceptance)
      if (!isAccepted) throw fail(clientFailures.invalidAccept)
      return { remote: copy(remoteKey), transport }
    } catch (thrown) {
      wipe(transport)
      throw thrown
    }
  } finally {
    handshake.wipe()
  }
}

/** The server's side: learns and checks the client's key, asks `authorize`, and only then accepts. */
export async function shakeAsServer(
  wire: Wire,
  context: ServerHandshakeContext & Shs2Means,
): Promise<Shs2Session> {
  const { identity } = context
  const handshake = new Handshake({
    ...common(context, identity.publicKey),
    role: 'responder',
    static: staticKeyOf(identity),
  })
  try {
    context.onPhase?.(phases.clientStart)
    const start = await receive(wire, startBytes, serverFailures.start)
    await attempt(handshake.readMessage(start), serverFailures.invalidStart)
    // An ML-KEM key that is none (FIPS 203, section 7.2) shows here.
    const answer = await attempt(handshake.writeMessage(nothing), serverFailures.invalidStart)

    context.onPhase?.(phases.clientIdentity)
    await send(wire, answer, serverFailures.identity)
    const proof = await receive(wire, identityBytes, serverFailures.identity)
    const remote = await attempt(handshake.readMessage(proof), serverFailures.invalidIdentity)
    const transport = finished(handshake)
    try {
      if (!isSameKey(remote, handshake.remoteStatic)) throw fail(serverFailures.invalidIdentity)
      context.onPhase?.(waitingForAuth)
      const auth = await context.authorize(copy(remote))
      context.onPhase?.(phases.clientReady)
      await send(wire, transport.send.encrypt(acceptance), serverFailures.accept)
      return { remote, auth, transport }
    } catch (thrown) {
      wipe(transport)
      throw thrown
    }
  } finally {
    handshake.wipe()
  }
}

/** What both sides put into the conversation alike. */
function common(
  { appKey, crypto, known }: HandshakeContext & Shs2Means,
  serverKey: Uint8Array,
): Pick<HandshakeOptions, 'pattern' | 'prologue' | 'psks' | 'crypto' | 'ephemeralSecret' | 'kemSeed'> {
  return {
    pattern,
    // The Ed25519 key itself: its sign-flipped twin has the same X25519 form.
    prologue: concat(fromText('multiserver/shs2/1'), serverKey),
    psks: [derivePsk(appKey, crypto)],
    crypto,
    ...known,
  }
}

/** HKDF-SHA256 (RFC 5869) with an empty salt: the app key itself never enters Noise. */
function derivePsk(appKey: Uint8Array, crypto: NoiseCrypto): Uint8Array {
  const extracted = crypto.hmac(new Uint8Array(32), appKey)
  return crypto.hmac(extracted, concat(fromText('multiserver shs2 psk'), Uint8Array.of(1)))
}

/** The Ed25519 key that the client claims has the X25519 form that it used. Constant in time. */
function isSameKey(claimed: Uint8Array, used: Uint8Array | undefined): boolean {
  const converted = toX25519PublicKey(claimed)
  return converted !== null && used !== undefined && sodium.memcmp(converted, used)
}

function finished(handshake: Handshake): NoiseTransport {
  const { transport } = handshake
  if (transport === undefined) throw new Error('the pattern has three messages')
  return transport
}

function wipe({ send: sending, receive: receiving }: NoiseTransport): void {
  sending.wipe()
  receiving.wipe()
}

async function attempt<T>(step: Promise<T>, failure: Failure): Promise<T> {
  try {
    return await step
  } catch (cause) {
    throw fail(failure, cause)
  }
}
