/**
 * What crosses an introduction, sealed so that the hub can neither read, change, repeat nor move it:
 * one Noise_NK conversation between the client's fresh key and the server's identity.
 *
 *   client -> e(32) | AEAD(offer)
 *   server -> e(32) | AEAD(answer or refused)
 *   then, both ways, AEAD(signal) under the transport keys; the nonce counts from 0 and is not sent
 *
 * Each is sent as base64url. The prologue binds them to the introduction's id and to the server's Ed25519 key
 * (which shares its X25519 form with its sign-flipped twin).
 */
import { concat, fromBase64Url, lengthPrefixed, toBase64Url } from '../../core/bytes.ts'
import { toX25519PublicKey } from '../../core/ed25519.ts'
import { MultiserverError } from '../../core/errors.ts'
import { hubDataCharacters } from '../../core/hub-protocol.ts'
import { Handshake, noisePatterns } from '../../core/noise.ts'
import { staticKeyOf } from '../../core/noise-identity.ts'
import type { Bytes, Identity } from '../../core/types.ts'
import {
  type Answer,
  type CandidateSignal,
  decodeSignal,
  type Description,
  encodeSignal,
  type FrameSignal,
  type Offer,
  type Refusal,
  type RelayRequest,
  type Signal,
} from './signal-payload.ts'

/** What a client says: first an offer, once it is answered the rest. */
export type ClientSignal = Offer | CandidateSignal | RelayRequest | FrameSignal

/**
 * What a server says: first an answer or a refusal, then its description where the answer was without, candidates, and
 * RELAY_OFF when it is asked for that.
 */
export type ServerSignal = Answer | Refusal | Description | CandidateSignal | FrameSignal

/**
 * One side of an introduction's signals. Calls are served in their order, so nobody has to await one before the
 * next. Whatever does not open, is malformed or comes when it should not rejects with SIGNAL_INVALID, and so does
 * every call after it: the introduction is over.
 */
export interface Signals<Mine, Theirs> {
  /** The text to send. */
  seal(signal: Mine): Promise<string>
  /** What a received text says. */
  open(data: string): Promise<Theirs>
  /** Resolves when all that was asked for so far is done, well or not. */
  idle(): Promise<void>
}

export interface ClientSignalsOptions {
  /** Of the introduction, 16 bytes. */
  id: Uint8Array
  /** The server's Ed25519 key, 32 bytes. */
  serverKey: Uint8Array
  /** @internal Known answers need a known ephemeral secret. */
  ephemeralSecret?: Uint8Array | undefined
}

export interface ServerSignalsOptions {
  /** Of the introduction, 16 bytes. */
  id: Uint8Array
  identity: Identity
  /** @internal Known answers need a known ephemeral secret. */
  ephemeralSecret?: Uint8Array | undefined
}

/** The client's side. ADDRESS_INVALID when nobody can hold `serverKey`. Sodium must be ready. */
export function createClientSignals(options: ClientSignalsOptions): Signals<ClientSignal, ServerSignal> {
  const { id, serverKey, ephemeralSecret } = options
  const remoteStatic = toX25519PublicKey(serverKey)
  if (remoteStatic === null)
    throw new MultiserverError('ADDRESS_INVALID', 'the key in the address is not a safe one')
  const handshake = new Handshake({
    pattern: noisePatterns.NK,
    role: 'initiator',
    prologue: createPrologue(id, serverKey),
    remoteStatic,
    ephemeralSecret,
  })
  return createConversation(handshake, clientKinds, serverKinds)
}

/** The server's side. KEYS_INVALID when the identity's key is not a safe one. Sodium must be ready. */
export function createServerSignals(options: ServerSignalsOptions): Signals<ServerSignal, ClientSignal> {
  const { id, identity, ephemeralSecret } = options
  const handshake = new Handshake({
    pattern: noisePatterns.NK,
    role: 'responder',
    prologue: createPrologue(id, identity.publicKey),
    static: staticKeyOf(identity),
    ephemeralSecret,
  })
  return createConversation(handshake, serverKinds, clientKinds)
}

/** The kinds that may be first, and those that may come after it. */
interface Kinds<S extends Signal> {
  readonly first: readonly S['kind'][]
  readonly later: readonly S['kind'][]
}

const clientKinds: Kinds<ClientSignal> = { first: ['offer'], later: ['candidate', 'relay', 'frame'] }
const serverKinds: Kinds<ServerSignal> = {
  first: ['answer', 'refused'],
  later: ['description', 'candidate', 'refused', 'frame'],
}

function createPrologue(id: Uint8Array, serverKey: Uint8Array): Bytes {
  return concat(lengthPrefixed('multiserver/signal/1'), lengthPrefixed(id), lengthPrefixed(serverKey))
}

function createConversation<Mine extends Signal, Theirs extends Signal>(
  handshake: Handshake,
  mine: Kinds<Mine>,
  theirs: Kinds<Theirs>,
): Signals<Mine, Theirs> {
  const inTurn = createQueue()
  return {
    seal: (signal) =>
      inTurn(async () => {
        expectKind(signal, mine, handshake)
        const payload = encodeSignal(signal)
        const message = handshake.transport?.send.encrypt(payload) ?? (await handshake.writeMessage(payload))
        return toBase64Url(message)
      }),
    open: (data) =>
      inTurn(async () => {
        const message = data.length <= hubDataCharacters ? fromBase64Url(data) : null
        if (message === null) throw invalid('a signal is not base64url of a fitting length')
        const { transport } = handshake
        const payload = transport?.receive.decrypt(message) ?? (await handshake.readMessage(message))
        const signal = decodeSignal(payload)
        // NK has one message each way: with the transport keys there, the first is past.
        expectKind(signal, theirs, { transport })
        return signal
      }),
    idle: () => inTurn(() => Promise.resolve()).catch(() => undefined),
  }
}

/** The first signals travel in the handshake, all later ones after it. */
function expectKind<S extends Signal>(
  signal: Signal,
  kinds: Kinds<S>,
  { transport }: Pick<Handshake, 'transport'>,
): asserts signal is S {
  const expected: readonly string[] = transport === undefined ? kinds.first : kinds.later
  if (!expected.includes(signal.kind)) throw invalid(`a signal of kind "${signal.kind}" came out of order`)
}

/** Runs one piece of work after the other; once one has failed, the rest fail likewise. */
function createQueue(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const result = last.then(work).catch((error: unknown) => {
      throw error instanceof MultiserverError ? error : invalid('a signal did not open', error)
    })
    last = result
    return result
  }
}

function invalid(message: string, cause?: unknown): MultiserverError {
  return new MultiserverError('SIGNAL_INVALID', message, { cause })
}
