import { fromText, toBase64Url } from '../../core/bytes.ts'
import { MultiserverError } from '../../core/errors.ts'
import { bytes, bytesUpTo, isRecord } from '../../core/hub-fields.ts'
import { limits } from '../../core/limits.ts'
import type { Bytes } from '../../core/types.ts'

/** The client wants a connection, or another path for one it has. */
export interface Offer {
  readonly kind: 'offer'
  /** 16 bytes that name the session. */
  readonly session: Bytes
  /** Whether the session is one that the server should know. */
  readonly resume: boolean
  /** The names of the address sections after `rtc`: they say which stack is meant. */
  readonly transforms: readonly string[]
  readonly relay: RelayUse
  /** Whether frames may come as signals until the circuit is open: {@link FrameSignal}. Who does not know it ignores it. */
  readonly early?: boolean | undefined
  /** Whether the answer may come without its description, which follows: {@link Description}. Who does not know it ignores it. */
  readonly split?: boolean | undefined
  /** Whether it says, as the last message of a data channel, that it sends no more. Who does not know it ignores it. */
  readonly bye?: boolean | undefined
  /** Whether both sides are to gather without TURN: the hub's relay is to carry meanwhile. Who does not know it ignores it. */
  readonly direct?: boolean | undefined
  readonly sdp: string
}

export interface Answer {
  readonly kind: 'answer'
  /** Absent only where the offer said `split`. */
  readonly sdp?: string | undefined
  /** 32 bytes that the keys of a relayed path are derived from. */
  readonly relayKey: Bytes
  /** As in the offer. */
  readonly bye?: boolean | undefined
}

/** Instead of an answer; RELAY_OFF also later, to a request for the relay. */
export interface Refusal {
  readonly kind: 'refused'
  readonly code: RefusalCode
}

export interface CandidateSignal {
  readonly kind: 'candidate'
  /** Empty: there are no more. */
  readonly candidate: string
  readonly mid: string
}

/** The client asks for a circuit through the hub's relay. */
export interface RelayRequest {
  readonly kind: 'relay'
}

/** What the answer was without. */
export interface Description {
  readonly kind: 'description'
  readonly sdp: string
}

/** A frame of the session, while its circuit is being opened. Only where the offer said `early`. */
export interface FrameSignal {
  readonly kind: 'frame'
  readonly frame: Bytes
}

export type Signal = Offer | Answer | Refusal | Description | CandidateSignal | RelayRequest | FrameSignal
export type RelayUse = (typeof relayUses)[number]
export type RefusalCode = (typeof refusalCodes)[number]

const relayUses = ['never', 'fallback', 'first'] as const
const refusalCodes = ['BUSY', 'NO_SESSION', 'NO_STACK', 'RELAY_OFF', 'INVALID'] as const

/** A signal as UTF-8 JSON, its bytes in base64url. */
export function encodeSignal(signal: Signal): Bytes {
  return fromText(
    JSON.stringify(signal, (_name, value: unknown) =>
      value instanceof Uint8Array ? toBase64Url(value) : value,
    ),
  )
}

/**
 * A signal in a fresh object. Fields that are not known are ignored; SIGNAL_INVALID for everything else that is
 * not a signal. What `sdp` and `candidate` say is looked at where they are used.
 */
export function decodeSignal(payload: Uint8Array): Signal {
  const signal = decodeFields(parseJson(payload))
  if (signal === null) throw new MultiserverError('SIGNAL_INVALID', 'a signal opened and was malformed')
  return signal
}

function parseJson(payload: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(payload))
  } catch {
    return null
  }
}

function decodeFields(fields: unknown): Signal | null {
  if (!isRecord(fields)) return null
  switch (fields['kind']) {
    case 'offer':
      return decodeOffer(fields)
    case 'answer':
      return decodeAnswer(fields)
    case 'refused': {
      const code = choose(refusalCodes, fields['code'])
      return code === undefined ? null : { kind: 'refused', code }
    }
    case 'candidate':
      return decodeCandidate(fields)
    case 'description': {
      const sdp = boundText(fields['sdp'], limits.signal.sdpCharacters)
      return sdp === undefined ? null : { kind: 'description', sdp }
    }
    case 'relay':
      return { kind: 'relay' }
    case 'frame': {
      const frame = earlyFrame.decode(fields['frame'])
      return frame === undefined ? null : { kind: 'frame', frame }
    }
    default:
      return null
  }
}

function decodeOffer(fields: Record<string, unknown>): Offer | null {
  const session = sessionId.decode(fields['session'])
  const resume = fields['resume']
  const transforms = decodeTransforms(fields['transforms'])
  const relay = choose(relayUses, fields['relay'])
  const sdp = boundText(fields['sdp'], limits.signal.sdpCharacters)
  if (session === undefined || typeof resume !== 'boolean') return null
  if (transforms === undefined || relay === undefined || sdp === undefined) return null
  const offer = { kind: 'offer', session, resume, transforms, relay, sdp } as const
  return { ...offer, ...flags(fields, 'early', 'split', 'bye', 'direct') }
}

function decodeAnswer(fields: Record<string, unknown>): Answer | null {
  const relayKey = relayKeyBytes.decode(fields['relayKey'])
  if (relayKey === undefined) return null
  const says = flags(fields, 'bye')
  if (fields['sdp'] === undefined) return { kind: 'answer', relayKey, ...says }
  const sdp = boundText(fields['sdp'], limits.signal.sdpCharacters)
  return sdp === undefined ? null : { kind: 'answer', sdp, relayKey, ...says }
}

/** Those that are set. */
function flags<const T extends string>(
  fields: Record<string, unknown>,
  ...names: readonly T[]
): Partial<Record<T, true>> {
  const set = names.filter((name) => fields[name] === true).map((name) => [name, true] as const)
  return Object.fromEntries(set) as Partial<Record<T, true>>
}

function decodeCandidate(fields: Record<string, unknown>): CandidateSignal | null {
  const candidate = boundText(fields['candidate'], limits.signal.candidateCharacters)
  const mid = boundText(fields['mid'], limits.signal.midCharacters)
  return candidate === undefined || mid === undefined ? null : { kind: 'candidate', candidate, mid }
}

function decodeTransforms(value: unknown): string[] | undefined {
  if (!Array.isArray(value) || value.length > limits.address.sections) return undefined
  const names = value.map((name: unknown) => boundText(name, limits.signal.transformCharacters))
  return names.every((name) => name !== undefined && name !== '') ? (names as string[]) : undefined
}

function boundText(value: unknown, maxCharacters: number): string | undefined {
  return typeof value === 'string' && value.length <= maxCharacters ? value : undefined
}

function choose<const T extends string>(values: readonly T[], value: unknown): T | undefined {
  return values.find((known) => known === value)
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const sessionId = bytes(16)
const relayKeyBytes = bytes(32)
const earlyFrame = bytesUpTo(limits.relay.earlyFrameBytes)
