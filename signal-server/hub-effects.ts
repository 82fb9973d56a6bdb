import type { HubErrorCode, HubMessage } from '../core/hub-protocol.ts'
import type { Bytes } from '../core/types.ts'
import type { ClusterRequest } from './cluster/cluster-protocol.ts'
import type { SharedRecord } from './cluster/sharing.ts'
import type { HubObserver } from './hub-observer.ts'
import type { Peer, SocketId } from './peer.ts'

export type HubEffect = SocketEffect | ClusterEffect

export type SocketEffect =
  /** A signal that is passed on says since when it was here. */
  | { kind: 'send'; socket: SocketId; message: HubMessage; receivedAtMs?: number | undefined }
  /** The last that is said about this socket. */
  | { kind: 'close'; socket: SocketId; code: number; reason: string }
  | { kind: 'ping'; socket: SocketId }
  /** Whether the socket is to be read. */
  | { kind: 'pause' | 'resume'; socket: SocketId }

/** Only of a hub that is one of several. */
export type ClusterEffect =
  /** A peer has proved `key`; the peer that did is gone. */
  | { kind: 'announce' | 'withdraw'; key: string }
  /** To be answered with `located` or `unlocated`. */
  | { kind: 'locate'; key: string }
  | { kind: 'tell'; node: string; message: ClusterRequest }
  /** A record was published here. */
  | { kind: 'share'; shared: SharedRecord }

/** What a refusal says beside its code. */
export interface RefusalDetails {
  message: string
  /** The introduction that it is about. */
  id?: string | undefined
  retryAfterMs?: number | undefined
  /** The record that is kept instead. */
  record?: Bytes | undefined
}

/** What the hub wants done, in order, until its owner takes it. */
export class HubEffects {
  readonly #observer: HubObserver | undefined
  #effects: HubEffect[] = []

  constructor(observer: HubObserver | undefined) {
    this.#observer = observer
  }

  take(): HubEffect[] {
    const taken = this.#effects
    this.#effects = []
    return taken
  }

  add(effect: HubEffect): void {
    this.#effects.push(effect)
  }

  send(peer: Peer, message: HubMessage, receivedAtMs?: number): void {
    this.add({ kind: 'send', socket: peer.socket, message, receivedAtMs })
  }

  refuse(peer: Peer, code: HubErrorCode, details: RefusalDetails): void {
    this.#observer?.refused(code)
    this.send(peer, { type: 'error', code, ...details })
  }
}
