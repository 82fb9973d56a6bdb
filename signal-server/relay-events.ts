import type { Bytes } from '../core/types.ts'
import type { RelayRefusal } from './hub-observer.ts'
import type { SocketId } from './peer.ts'

/** Whom one end of a circuit counts for. */
export interface RelayOwner {
  /** A key, or the address of a peer without one; undefined: it is not limited. */
  readonly peer?: string | undefined
  /** Of a peer with a key too, for keys cost nothing; undefined: addresses such as this one are not limited. */
  readonly address?: string | undefined
}

export interface RelayOwners {
  readonly client: RelayOwner
  readonly server: RelayOwner
}

export type RelayAnswer =
  | { kind: 'opened'; tokens: { client: Bytes; server: Bytes }; limits: Record<string, number> }
  | { kind: 'refused'; code: RelayRefusal; message: string }

/** What opens circuits for introductions. */
export interface RelayDesk {
  open(owners: RelayOwners, nowMs: number): RelayAnswer
}

export type RelayEvent =
  /** `acceptedAtMs` is when the TCP connection came, which the deadline counts from. */
  | { kind: 'connected'; socket: SocketId; acceptedAtMs: number }
  | { kind: 'text'; socket: SocketId; text: string }
  | { kind: 'frame'; socket: SocketId; bytes: number }
  /** A ping or pong of WebSocket, which goes no further. */
  | { kind: 'control'; socket: SocketId; bytes: number }
  | { kind: 'disconnected'; socket: SocketId }
  | { kind: 'time' }
  /** Everyone is sent away, and nothing is opened any more. */
  | { kind: 'drain' }

export type RelayEffect =
  /** It has shown a good token. */
  | { kind: 'settle'; socket: SocketId }
  /** Both ends of a circuit are there: they are to be told. */
  | { kind: 'join'; sockets: readonly [SocketId, SocketId] }
  /** The frame is to be passed on to `socket`. */
  | { kind: 'pass'; socket: SocketId }
  /** Whether the rates allow the socket to be read. */
  | { kind: 'hold' | 'release'; socket: SocketId }
  /** The last that is said about this socket. */
  | { kind: 'close'; socket: SocketId; code: number; reason: string }

/** How many of each there are now. */
export interface RelayCounts {
  /** Sockets that have shown no token yet. */
  sockets: number
  /** Circuits whose ends have not both come yet. */
  waiting: number
  open: number
  /** Peers whose use is remembered. */
  peers: number
}
