import { toBase64Url } from '../../core/bytes.ts'
import {
  encodePeerMessage,
  type HubMessage,
  type PeerMessage,
  registerBytes,
} from '../../core/hub-protocol.ts'
import type { ClusterEffect, SocketEffect } from '../../signal-server/hub-effects.ts'
import { Hub, type HubEvent } from '../../signal-server/hub.ts'
import { type HubLimits, limitsWith } from '../../signal-server/limits.ts'
import { IceServers } from '../../signal-server/turn.ts'

export const benchName = 'ws://hub.test'

/** The Unix time at which every bench begins. */
export const benchEpochMs = 1_763_888_400_000

/** A hub with a clock that the test moves, and what every socket got from it. */
export class HubBench {
  readonly hub: Hub
  readonly limits: HubLimits
  nowMs = 0
  readonly closed = new Map<number, number>()
  readonly paused = new Set<number>()
  readonly challenges = new Map<number, Uint8Array>()
  pings: number[] = []
  /** Signatures that were looked at. */
  checks = 0
  onEffect: (effect: SocketEffect) => void = () => {}
  onClusterEffect: (effect: ClusterEffect) => void = () => {}
  #inboxes = new Map<number, HubMessage[]>()
  #sockets = 0
  #randoms = 0

  constructor(
    changes: Partial<Record<keyof HubLimits, number>> = {},
    exemptLoopback = false,
    iceServers = new IceServers(),
    node?: string,
  ) {
    this.limits = limitsWith(changes)
    this.hub = new Hub({
      limits: this.limits,
      hubNames: () => ['ws://other.test', benchName],
      checkProof: (signature, message) => {
        this.checks += 1
        return isBenchProof(signature, message)
      },
      randomBytes: (length) => new Uint8Array(length).fill((this.#randoms += 1)),
      iceServers,
      exemptLoopback,
      unixNowMs: () => benchEpochMs + this.nowMs,
      node,
    })
  }

  /** The new socket, or the code of the refusal. */
  tryConnect(source: string): number | string {
    const refusal = this.hub.refusal(source, this.nowMs)
    return refusal === undefined ? this.connect(source) : refusal.code
  }

  connect(source = `192.0.2.${this.#sockets + 1}`): number {
    const socket = (this.#sockets += 1)
    this.#inboxes.set(socket, [])
    this.handle({
      kind: 'connected',
      socket,
      source,
      acceptedAtMs: this.nowMs,
      dialedAs: ['ws://elsewhere.test'],
    })
    const welcome = this.take(socket)[0]
    if (welcome?.type === 'welcome') this.challenges.set(socket, welcome.challenge)
    return socket
  }

  /** A socket that has proved `key`. */
  registered(key: Uint8Array<ArrayBuffer>, source?: string): number {
    const socket = this.connect(source)
    this.send(socket, this.proof(socket, key))
    this.take(socket)
    return socket
  }

  proof(socket: number, key: Uint8Array<ArrayBuffer>, hubName = benchName): PeerMessage {
    const challenge = this.challenges.get(socket) ?? new Uint8Array(32)
    return { type: 'register', key, signature: benchSignature(registerBytes(hubName, challenge, key)) }
  }

  send(socket: number, message: PeerMessage): void {
    this.sendText(socket, encodePeerMessage(message))
  }

  sendText(socket: number, text: string): void {
    this.handle({ kind: 'message', socket, text, bytes: text.length })
  }

  leave(socket: number): void {
    this.handle({ kind: 'disconnected', socket })
  }

  /** What the socket got since it was asked last. */
  take(socket: number): HubMessage[] {
    return this.#inboxes.get(socket)?.splice(0) ?? []
  }

  /** Lets time go by, with every alarm at its moment. */
  advance(ms: number): void {
    const untilMs = this.nowMs + ms
    for (let next = this.hub.nextAtMs; next !== undefined && next <= untilMs; next = this.hub.nextAtMs) {
      this.nowMs = Math.max(this.nowMs, next)
      this.handle({ kind: 'time' })
    }
    this.nowMs = untilMs
    this.handle({ kind: 'time' })
  }

  handle(event: HubEvent): void {
    for (const effect of this.hub.handle(event, this.nowMs)) {
      if (!('socket' in effect)) {
        this.onClusterEffect(effect)
        continue
      }
      this.onEffect(effect)
      if (this.closed.has(effect.socket)) throw new Error('something is said about a closed socket')
      if (effect.kind === 'send') this.#inboxes.get(effect.socket)?.push(effect.message)
      if (effect.kind === 'close') this.closed.set(effect.socket, effect.code)
      if (effect.kind === 'ping') this.pings.push(effect.socket)
      if (effect.kind === 'pause') this.paused.add(effect.socket)
      if (effect.kind === 'resume') this.paused.delete(effect.socket)
    }
  }
}

export function keyOf(number: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(32).fill(number)
}

export function idOf(number: number): string {
  return toBase64Url(Uint8Array.from({ length: 16 }, (_, index) => (index < 2 ? number >> (8 * index) : 0)))
}

/** Stands for a signature: 64 bytes that only this message gives. */
export function benchSignature(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const signature = new Uint8Array(64)
  for (const [index, byte] of message.entries()) {
    const at = index % 64
    signature[at] = ((signature[at] ?? 0) * 31 + byte) & 0xff
  }
  return signature
}

function isBenchProof(signature: Uint8Array, message: Uint8Array): boolean {
  return benchSignature(message).every((byte, index) => byte === signature[index])
}
