/**
 * What a hub and a peer say to each other: one JSON object per WebSocket text message, told apart by `type`.
 *
 *   a server peer                      hub                         a client, which needs no identity
 *        <- welcome {challenge}         |         welcome ->
 *   register {key, signature} ->        |
 *        <- registered                  |   <- introduce {id, to}   may be sent before welcome has come
 *        <- incoming {id}               |         introduced ->     or error PEER_NOT_FOUND, at once
 *        <-              signal {id, data}, both ways, in order              ->
 *        <-              close {id, reason} becomes closed {id, reason}      ->
 *
 * Bytes are canonical base64url without padding. Fields that are not in the tables below are ignored.
 */
import { concat, lengthPrefixed } from './bytes.ts'
import {
  bytes,
  bytesUpTo,
  type Field,
  flag,
  handle,
  iceServers,
  isRecord,
  milliseconds,
  numbers,
  oneOf,
  opaque,
  optional,
  text,
  token,
} from './hub-fields.ts'
import { limits } from './limits.ts'
import type { Bytes } from './types.ts'

export type { IceServer } from './hub-fields.ts'

/** The WebSocket subprotocol: another version of the protocol is another name. */
export const hubSubprotocol = 'multiserver-hub.1'

/** The longest message, and the longest `data` in it, that either side takes. */
export const hubMessageBytes = 64 * 1024
export const hubDataCharacters = 16_384

/** What `error.code` may be. */
export const hubErrorCodes = [
  'PEER_NOT_FOUND',
  'ID_IN_USE',
  'BUSY',
  'RATE',
  'NO_INTRODUCTION',
  'UNKNOWN_MESSAGE',
  'INVALID',
  'BAD_SIGNATURE',
  'WRONG_HUB',
  'RECORD_STALE',
  'RECORD_INVALID',
  'RELAY_OFF',
  'QUOTA',
] as const
export type HubErrorCode = (typeof hubErrorCodes)[number]

/** What the hub closes a socket with. */
export const hubCloseCodes = {
  /** A binary message, or one that is not a JSON object. */
  protocol: 4000,
  /** A newer socket proved the same key. */
  replaced: 4001,
  /** The peer does not read what is sent to it. */
  slow: 4008,
  /** The peer went on sending for too long over its rate. */
  flood: 4029,
  /** Nothing came of the socket in time, or it does not answer pings. */
  deadline: 4408,
  /** The hub shuts down; `restarting` went ahead. */
  restarting: 1012,
} as const

/** The reason that the hub gives in `closed` when the other socket went away. */
export const goneReason = 'gone'

/** By the hub: something could not be passed on, for the peer that it was for reads too slowly. */
export const lostReason = 'lost'

/** The reason that a peer gives when its WebRTC connection stands and nothing more is due. */
export const openReason = 'open'

const id = handle(16)
const key = bytes(32)
const record = bytesUpTo(4096)
const reason = text(256)
const data = opaque(hubDataCharacters)
// Whatever a hub says, a peer waits no longer than a minute for it, and takes no more ice servers than help.
const time = milliseconds(60_000)
const ice = iceServers(limits.signal.iceServerUrls)
const namedLimits = numbers(128)

/** The fields of each message of a peer, by its type. */
export const peerMessages = {
  register: { key, signature: bytes(64), record: optional(record) },
  record: { record },
  introduce: { id, to: key },
  signal: { id, data },
  relay: { id },
  close: { id, reason },
}

/** The fields of each message of a hub, by its type. */
export const hubMessages = {
  /** `hub` is for people, and never signed. */
  welcome: { hub: reason, challenge: bytes(32), limits: namedLimits, iceServers: ice, relay: flag() },
  registered: { iceServers: ice },
  introduced: { id, iceServers: ice },
  incoming: { id },
  signal: { id, data },
  relay: { id, url: token(1024), token: bytes(32), limits: namedLimits },
  closed: { id, reason },
  replaced: {},
  restarting: { reconnectAfterMs: time, tryForMs: time },
  'ice-servers': { iceServers: ice },
  error: {
    code: oneOf(hubErrorCodes, 'INVALID'),
    message: reason,
    id: optional(id),
    retryAfterMs: optional(time),
    record: optional(record),
  },
}

/** From a peer to its hub. */
export type PeerMessage = MessageOf<typeof peerMessages>

/** From a hub to a peer. */
export type HubMessage = MessageOf<typeof hubMessages>

/** A message, or what is wrong with it; `id` is the introduction it was meant for, when that can be told. */
export type Decoded<T> =
  | { kind: 'message'; message: T }
  /** Not a JSON object, too long, or nested too deep: the socket is to be closed with `hubCloseCodes.protocol`. */
  | { kind: 'unreadable' }
  /** A type of a later version: answered with UNKNOWN_MESSAGE. */
  | { kind: 'unknown'; id?: string | undefined }
  /** A known type with a missing or malformed field: answered with INVALID. */
  | { kind: 'invalid'; type: string; field: string; id?: string | undefined }

/** Never throws, whatever `json` is. */
export function decodePeerMessage(json: string): Decoded<PeerMessage> {
  return decodeSignal(json) ?? decodeBy(peerMessages, json)
}

/** Never throws, whatever `json` is; times, texts and ice servers come clamped. */
export function decodeHubMessage(json: string): Decoded<HubMessage> {
  return decodeBy(hubMessages, json)
}

export function encodePeerMessage(message: PeerMessage): string {
  return encodeBy(peerMessages, message)
}

export function encodeHubMessage(message: HubMessage): string {
  return message.type === 'signal' ? encodeSignal(message) : encodeBy(hubMessages, message)
}

/**
 * What a server peer signs to register: the hub's name and the challenge keep one hub from
 * showing another's proof, and the label keeps it apart from everything else the key signs.
 */
export function registerBytes(hubName: string, challenge: Uint8Array, publicKey: Uint8Array): Bytes {
  if (challenge.length !== 32 || publicKey.length !== 32) {
    throw new RangeError('a challenge and a key have 32 bytes each')
  }
  return concat(
    lengthPrefixed('multiserver/register/1'),
    lengthPrefixed(hubName),
    lengthPrefixed(challenge),
    lengthPrefixed(publicKey),
  )
}

type Signal = Extract<PeerMessage & HubMessage, { type: 'signal' }>

/** A signal as {@link encodeSignal} writes it: 16 bytes and any number in canonical base64url. */
const plainSignal = /^\{"type":"signal","id":"([A-Za-z0-9_-]{21}[AQgw])","data":"([A-Za-z0-9_-]+)"\}$/

/**
 * Signals are nearly all that a busy hub passes on. One that is written in the usual way says by its form alone that it
 * is right, for a third of what the general way costs; undefined sends any other there.
 */
function decodeSignal(json: string): { kind: 'message'; message: Signal } | undefined {
  if (json.length > hubDataCharacters) return undefined
  const [, about, payload] = plainSignal.exec(json) ?? []
  if (about === undefined || payload === undefined) return undefined
  return { kind: 'message', message: { type: 'signal', id: about, data: payload } }
}

/** Nothing in a signal that was decoded needs to be escaped. */
function encodeSignal({ id: about, data: payload }: Signal): string {
  return `{"type":"signal","id":"${about}","data":"${payload}"}`
}

type Shape = Record<string, Field<unknown>>
/** The fields of each type of message. */
export type Table = Record<string, Shape>
type ValueOf<F> = F extends Field<infer T> ? T : never
type OptionalNames<S> = { [N in keyof S]: S[N] extends { optional: true } ? N : never }[keyof S]
type Values<S> = { [N in Exclude<keyof S, OptionalNames<S>>]: ValueOf<S[N]> } & {
  [N in OptionalNames<S>]?: ValueOf<S[N]> | undefined
}
type Flat<T> = { [N in keyof T]: T[N] }
/** The messages that a table describes. */
export type MessageOf<T> = { [N in keyof T]: Flat<{ type: N } & Values<T[N]>> }[keyof T]

/** The deepest that a message of ours is: an object with a list of objects with a list. */
const maxDepth = 4

/** The message that `json` is by `table`. Never throws. */
export function decodeBy<T extends Table>(table: T, json: string): Decoded<MessageOf<T>> {
  const raw = json.length <= hubMessageBytes ? parse(json) : undefined
  if (!isRecord(raw) || isDeeperThan(raw, maxDepth)) return { kind: 'unreadable' }
  const type = own(raw, 'type')
  const about = id.decode(own(raw, 'id'))
  const shape = typeof type === 'string' && Object.hasOwn(table, type) ? table[type] : undefined
  if (shape === undefined) return { kind: 'unknown', id: about }
  const message: Record<string, unknown> = { type }
  for (const [name, field] of Object.entries(shape)) {
    const given = own(raw, name)
    if (given === undefined && 'optional' in field) continue
    const value = field.decode(given)
    if (value === undefined) return { kind: 'invalid', type: String(type), field: name, id: about }
    message[name] = value
  }
  // The loop above has just made it true, field by field; a derived type cannot follow that.
  return { kind: 'message', message: message as MessageOf<T> }
}

/** `message` as `decodeBy` reads it; fields that `table` does not name are left out. */
export function encodeBy<T extends Table>(table: T, message: MessageOf<T>): string {
  const values: Record<string, unknown> & { type?: unknown } = message
  const raw: Record<string, unknown> = { type: message.type }
  for (const [name, field] of Object.entries(table[message.type] ?? {})) {
    if (values[name] !== undefined) raw[name] = field.encode(values[name])
  }
  return JSON.stringify(raw)
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

function isDeeperThan(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return depth === 0 || Object.values(value).some((child) => isDeeperThan(child, depth - 1))
}

function own(raw: Record<string, unknown>, name: string): unknown {
  return Object.hasOwn(raw, name) ? raw[name] : undefined
}
