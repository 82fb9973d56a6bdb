import { toBase64Url } from '../../core/bytes.ts'
import { type HubLimits, limitsWith } from '../../signal-server/limits.ts'
import { Relay } from '../../signal-server/relay.ts'
import type { RelayEvent, RelayOwners } from '../../signal-server/relay-events.ts'

/** A relay with a clock that the test moves, and what became of every socket. */
export class RelayBench {
  readonly relay: Relay
  readonly limits: HubLimits
  nowMs = 0
  readonly closed = new Map<number, number>()
  readonly held = new Set<number>()
  readonly settled = new Set<number>()
  readonly joined: (readonly [number, number])[] = []
  /** What each socket was passed, in bytes of each frame. */
  readonly passed = new Map<number, number[]>()
  readonly outcomes: string[] = []
  #sockets = 0
  #randoms = 0

  constructor(changes: Partial<Record<keyof HubLimits, number>> = {}) {
    this.limits = limitsWith(changes)
    this.relay = new Relay({
      limits: this.limits,
      randomBytes: (length) => {
        this.#randoms += 1
        return new Uint8Array(length).fill(this.#randoms & 0xff).fill(this.#randoms >> 8, 1, 2)
      },
      observer: {
        relayOpened: () => this.outcomes.push('opened'),
        relayEnded: (outcome) => this.outcomes.push(outcome),
        relayPassed: () => undefined,
        relayRefused: (code) => this.outcomes.push(code),
      },
    })
  }

  /** The tokens of both ends, or the code of the refusal. Of peers whose addresses are not limited. */
  open(
    client: string | undefined = 'client',
    server: string | undefined = 'server',
  ): [string, string] | string {
    return this.openFor({ client: { peer: client }, server: { peer: server } })
  }

  openFor(owners: RelayOwners): [string, string] | string {
    const answer = this.relay.open(owners, this.nowMs)
    if (answer.kind === 'refused') return answer.code
    return [toBase64Url(answer.tokens.client), toBase64Url(answer.tokens.server)]
  }

  connect(): number {
    const socket = (this.#sockets += 1)
    this.passed.set(socket, [])
    this.handle({ kind: 'connected', socket, acceptedAtMs: this.nowMs })
    return socket
  }

  /** A socket that has said this. */
  say(text: string): number {
    const socket = this.connect()
    this.handle({ kind: 'text', socket, text })
    return socket
  }

  /** Both sockets of an open circuit. */
  circuit(client?: string, server?: string): [number, number] {
    return this.join(this.open(client, server))
  }

  /** Both sockets of an open circuit that has these tokens. */
  join(tokens: [string, string] | string): [number, number] {
    if (typeof tokens === 'string') throw new Error(`refused: ${tokens}`)
    const [one, other] = tokens
    return [this.say(one), this.say(other)]
  }

  send(socket: number, bytes: number): void {
    this.handle({ kind: 'frame', socket, bytes })
  }

  /** Lets time go by, with every alarm at its moment. */
  advance(ms: number): void {
    const untilMs = this.nowMs + ms
    for (let next = this.relay.nextAtMs; next !== undefined && next <= untilMs; next = this.relay.nextAtMs) {
      this.nowMs = Math.max(this.nowMs, next)
      this.handle({ kind: 'time' })
    }
    this.nowMs = untilMs
    this.handle({ kind: 'time' })
  }

  handle(event: RelayEvent): void {
    for (const effect of this.relay.handle(event, this.nowMs)) {
      if (effect.kind === 'join') {
        this.joined.push(effect.sockets)
        continue
      }
      const { socket } = effect
      if (this.closed.has(socket)) throw new Error('something is said about a closed socket')
      if (effect.kind === 'settle') this.settled.add(socket)
      if (effect.kind === 'pass' && event.kind === 'frame') this.passed.get(socket)?.push(event.bytes)
      if (effect.kind === 'hold') this.held.add(socket)
      if (effect.kind === 'release') this.held.delete(socket)
      if (effect.kind === 'close') this.closed.set(socket, effect.code)
    }
  }
}
