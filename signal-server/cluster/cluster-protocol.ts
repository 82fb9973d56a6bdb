/** What nodes say to each other, one JSON object each, in the channel of the node that it is for. */
import {
  bytes,
  flag,
  handle,
  numbers,
  oneOf,
  opaque,
  optional,
  text,
  token,
  whole,
} from '../../core/hub-fields.ts'
import { decodeBy, encodeBy, hubDataCharacters, type MessageOf } from '../../core/hub-protocol.ts'

const from = handle(16)
/** A peer's, which is only ever compared. */
const key = handle(32)
/** The introduction, by the number that the node of the client gave it. */
const call = whole(Number.MAX_SAFE_INTEGER)
/** Whether the sender is the node of the client. */
const ofClient = flag()
const reason = text(256)

const messages = {
  /** `source` is the client's address as far as limits go, absent when it has none. */
  introduce: { from, call, id: handle(16), key, source: optional(token(64)) },
  accepted: { from, call },
  refused: { from, call, code: oneOf(['PEER_NOT_FOUND', 'ID_IN_USE', 'BUSY'], 'BUSY'), reason },
  /** `n` counts from 0 in each direction. */
  signal: { from, call, ofClient, n: whole(0xffff), data: opaque(hubDataCharacters) },
  end: { from, call, ofClient, reason },
  /** The server peer has asked for a circuit, which is at its node; this is the client's end. */
  relay: { from, call, url: token(1024), token: bytes(32), limits: numbers(16) },
  /** There are introductions between us, and I am alive. */
  here: { from },
  /** Somebody else claimed this key: ask the register again. */
  look: { from, key },
}

export type ClusterMessage = MessageOf<typeof messages>

type Unsigned<M> = M extends { from: string } ? Omit<M, 'from'> : never

/** A message before its sender has written itself into it, as a hub wants it sent. */
export type ClusterRequest = Unsigned<ClusterMessage>

/** The message, undefined when it is none that this version understands. Never throws. */
export function decodeClusterMessage(json: string): ClusterMessage | undefined {
  const decoded = decodeBy(messages, json)
  return decoded.kind === 'message' ? decoded.message : undefined
}

export function encodeClusterMessage(node: string, message: ClusterRequest): string {
  return encodeBy(messages, { ...message, from: node })
}
