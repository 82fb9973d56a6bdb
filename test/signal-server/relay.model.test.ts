import fc from 'fast-check'
import { expect, it } from 'vitest'
import { relayCloseCodes } from '../../core/relay-protocol.ts'
import { defaultLimits } from '../../signal-server/limits.ts'
import type { RelayOwner, RelayOwners } from '../../signal-server/relay-events.ts'
import { RelayBench } from './relay-bench.ts'

const limits = {
  relayBytes: 1_000,
  relayCircuits: 6,
  relayCircuitsPerPeer: 3,
  relayCircuitsPerPair: 2,
  relayCircuitsPerAddress: 4,
}
const act = fc.oneof(
  fc.record({ do: fc.constant('open'), client: fc.nat(5), server: fc.nat(5) }),
  fc.record({ do: fc.constant('say'), token: fc.nat(20) }),
  fc.record({ do: fc.constant('send'), socket: fc.nat(20), bytes: fc.nat(300) }),
  fc.record({ do: fc.constant('leave'), socket: fc.nat(20) }),
  fc.record({ do: fc.constant('wait'), ms: fc.nat(20_000) }),
)
/** Two keys at each of two addresses, and two at one that is not limited. */
const ownerOf = (side: string, number: number): RelayOwner => ({
  peer: `${side}${number}`,
  address: ['here', 'there', undefined][number % 3],
})

it('whatever happens, bytes reach only the one other end, limits hold, and nothing is left behind', () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 80, size: 'max' }), (acts) => {
      const bench = new RelayBench(limits)
      const watch = new CircuitWatch(bench)
      let sockets = 0
      for (const now of acts) {
        if (now.do === 'open' && 'client' in now)
          watch.open({ client: ownerOf('c', now.client), server: ownerOf('s', now.server) })
        else if (now.do === 'say' && 'token' in now) sockets = watch.say(now.token)
        else if (now.do === 'wait' && 'ms' in now) bench.advance(now.ms)
        else if (
          'socket' in now &&
          now.socket > 0 &&
          now.socket <= sockets &&
          !bench.closed.has(now.socket)
        ) {
          if ('bytes' in now) bench.send(now.socket, now.bytes)
          else {
            bench.handle({ kind: 'disconnected', socket: now.socket })
            bench.closed.set(now.socket, 0)
          }
        }
        const { waiting, open } = bench.relay.counts()
        expect(waiting + open).toBe(watch.live().length)
      }
      for (const [one, other] of bench.joined) {
        const all = [...(bench.passed.get(one) ?? []), ...(bench.passed.get(other) ?? [])]
        expect(all.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThanOrEqual(limits.relayBytes)
      }
      const joined = new Set(bench.joined.flat())
      for (const [socket, frames] of bench.passed) if (!joined.has(socket)) expect(frames).toEqual([])
      bench.handle({ kind: 'drain' })
      expect(bench.relay.counts()).toMatchObject({ sockets: 0, waiting: 0, open: 0 })
      expect(bench.relay.nextAtMs).toBeUndefined()
    }),
    { numRuns: 500 },
  )
})

interface Watched {
  readonly owners: RelayOwners
  readonly tokens: readonly [string, string]
  readonly openedAtMs: number
  readonly sockets: (number | undefined)[]
}

/** Knows from outside which circuits there are, whom they count for, and so what the next one is answered. */
class CircuitWatch {
  readonly #bench: RelayBench
  readonly #all: Watched[] = []

  constructor(bench: RelayBench) {
    this.#bench = bench
  }

  live(): Watched[] {
    return this.#all.filter(({ sockets: [one, other], openedAtMs }) => {
      if ([one, other].some((socket) => socket !== undefined && this.#bench.closed.has(socket))) return false
      return (
        (one !== undefined && other !== undefined) ||
        this.#bench.nowMs < openedAtMs + defaultLimits.relayTokenMs
      )
    })
  }

  open(owners: RelayOwners): void {
    const expected = this.#expected(owners)
    const opened = this.#bench.openFor(owners)
    expect(typeof opened === 'string' ? opened : 'opened').toBe(expected)
    if (typeof opened === 'string') return
    this.#all.push({ owners, tokens: opened, openedAtMs: this.#bench.nowMs, sockets: [] })
  }

  /** A new socket says the token with this number, of those of all circuits that there were. */
  say(number: number): number {
    const [circuit, end] = [this.#all[number >> 1], number & 1]
    const isGood =
      circuit !== undefined && this.live().includes(circuit) && circuit.sockets[end] === undefined
    const isFull = isGood && end === 0 && this.#isFull(circuit.owners.server)
    const socket = this.#bench.say(circuit?.tokens[end] ?? 'none')
    if (isGood) circuit.sockets[end] = socket
    const { token, quota } = relayCloseCodes
    expect(this.#bench.closed.get(socket)).toBe(isFull ? quota : isGood ? undefined : token)
    return socket
  }

  #expected(owners: RelayOwners): string {
    const live = this.live()
    if (live.length >= limits.relayCircuits) return 'BUSY'
    const withEachOther = live.filter(({ owners: { client, server } }) => {
      const isSame = (client.address ?? client.peer) === (owners.client.address ?? owners.client.peer)
      return isSame && server.peer === owners.server.peer
    })
    const isFull =
      withEachOther.length >= limits.relayCircuitsPerPair ||
      this.#isFull(owners.client) ||
      this.#isFull(owners.server)
    return isFull ? 'QUOTA' : 'opened'
  }

  #isFull({ peer, address }: RelayOwner): boolean {
    // The server's end counts once the client's has come.
    const counted = this.live().flatMap(({ owners: { client, server }, sockets }) =>
      sockets[0] === undefined ? [client] : [client, server],
    )
    return (
      counted.filter((owner) => owner.peer === peer).length >= limits.relayCircuitsPerPeer ||
      (address !== undefined &&
        counted.filter((owner) => owner.address === address).length >= limits.relayCircuitsPerAddress)
    )
  }
}
