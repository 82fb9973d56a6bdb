import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { SocketEffect } from '../../signal-server/hub-effects.ts'
import { rigSignature, HubRig, idOf, keyOf } from './hub-rig.ts'

type Step =
  | { do: 'connect'; source: number }
  | { do: 'leave' | 'garbage' | 'pong' | 'binary'; socket: number }
  | { do: 'register'; socket: number; key: number; good: boolean }
  | { do: 'introduce'; socket: number; id: number; key: number }
  | { do: 'signal' | 'undelivered' | 'close' | 'relay'; socket: number; id: number }
  | { do: 'wait'; ms: number }
  | { do: 'drain' }

const anySocket = fc.nat(5)
const anyId = fc.nat(4)
const anyKey = fc.integer({ min: 1, max: 3 })
const of = <T extends object>(weight: number, shape: { [N in keyof T]: fc.Arbitrary<T[N]> }) => ({
  weight,
  arbitrary: fc.record(shape) as fc.Arbitrary<unknown> as fc.Arbitrary<Step>,
})

const step: fc.Arbitrary<Step> = fc.oneof(
  of(6, { do: fc.constant('connect'), source: fc.nat(2) }),
  of(3, { do: fc.constantFrom('leave', 'pong'), socket: anySocket }),
  of(1, { do: fc.constantFrom('garbage', 'binary'), socket: anySocket }),
  of(6, {
    do: fc.constant('register'),
    socket: anySocket,
    key: anyKey,
    good: fc.integer({ max: 4, min: 0 }).map((n) => n > 0),
  }),
  of(10, { do: fc.constant('introduce'), socket: anySocket, id: anyId, key: anyKey }),
  of(20, { do: fc.constant('signal'), socket: anySocket, id: anyId }),
  of(4, { do: fc.constantFrom('close', 'relay', 'undelivered'), socket: anySocket, id: anyId }),
  of(4, { do: fc.constant('wait'), ms: fc.oneof(fc.nat(300), fc.nat(70_000)) }),
  { weight: 1, arbitrary: fc.constant({ do: 'drain' } as const) },
)

/** Two of one site, and one that has none. */
function sourceOf({ source }: { source: number }): string {
  return source === 2 ? '192.0.2.1' : `2001:db8:0:${source}00::/56`
}

/** What must be true of every effect, seen from outside. */
class Watch {
  readonly live = new Set<number>()
  readonly holders = new Map<number, number>()
  /** Proofs that were sent and have no answer yet, and the sockets whose challenge is used. */
  readonly #proofs = new Map<number, { key: number; good: boolean }[]>()
  readonly #challenged = new Set<number>()
  readonly ends = new Map<string, { client: number; server: number | undefined }>()
  readonly #delivered = new Map<string, number>()

  see(effect: SocketEffect): void {
    expect(this.live.has(effect.socket)).toBe(true)
    if (effect.kind === 'close') return this.#gone(effect.socket)
    if (effect.kind !== 'send') return
    const { socket, message } = effect
    switch (message.type) {
      case 'registered': {
        const proof = this.#proofs.get(socket)?.shift()
        expect(proof?.good).toBe(true)
        expect(this.#challenged.has(socket)).toBe(false)
        this.#challenged.add(socket)
        const key = proof?.key ?? 0
        // The older holder has been closed before the newer one is told.
        expect(this.holders.has(key)).toBe(false)
        this.holders.set(key, socket)
        return
      }
      case 'error':
        // Without an id it answers a registration. At its caps the hub has not even looked at the proof.
        if (message.id !== undefined) return
        this.#proofs.get(socket)?.shift()
        if (message.code !== 'BUSY') this.#challenged.add(socket)
        return
      case 'introduced':
        expect(this.ends.has(message.id)).toBe(false)
        this.ends.set(message.id, { client: socket, server: undefined })
        return
      case 'incoming': {
        const ends = this.ends.get(message.id)
        expect(ends?.server).toBeUndefined()
        expect([...this.holders.values()]).toContain(socket)
        this.ends.set(message.id, { client: ends?.client ?? 0, server: socket })
        return
      }
      case 'signal': {
        const [sender = 0, number = 0] = message.data.split('-').map(Number)
        const { client, server } = this.ends.get(message.id) ?? {}
        expect([
          [client, server],
          [server, client],
        ]).toContainEqual([sender, socket])
        const direction = `${message.id} ${sender}`
        expect(number).toBeGreaterThan(this.#delivered.get(direction) ?? -1)
        this.#delivered.set(direction, number)
        return
      }
      case 'closed': {
        const { client, server } = this.ends.get(message.id) ?? {}
        expect([client, server]).toContain(socket)
        return
      }
      default:
        return
    }
  }

  proves(socket: number, proof: { key: number; good: boolean }): void {
    this.#proofs.set(socket, [...(this.#proofs.get(socket) ?? []), proof])
  }

  /** Introductions that no longer have both ends, or that the hub has said are over, are forgotten here as well. */
  settle(effects: SocketEffect[]): void {
    // Each once: an id may be given out anew after it was closed.
    for (const effect of effects.splice(0)) {
      if (effect.kind === 'send' && effect.message.type === 'closed') this.ends.delete(effect.message.id)
    }
    for (const [id, { client, server = -1 }] of this.ends) {
      if (!this.live.has(client) || !this.live.has(server)) this.ends.delete(id)
    }
  }

  #gone(socket: number): void {
    this.live.delete(socket)
    for (const [key, holder] of this.holders) if (holder === socket) this.holders.delete(key)
  }

  left(socket: number): void {
    this.#gone(socket)
  }
}

it.each([
  ['with room for all', {}],
  [
    'at its caps',
    {
      introductionsPerAddress: 2,
      introductionsPerTarget: 3,
      introductionsPerTargetAndAddress: 1,
      introductionsPerTargetAndSite: 1,
      addressesWorthPerSite: 1,
      registeredPeers: 2,
      anonymousPeers: 2,
      signalsPerSide: 3,
    },
  ],
  [
    'at its rates',
    { messagesPerSecond: 5, messagesBurst: 3, introductionsBurstPerAddress: 2, peersWorthPerAddress: 2 },
  ],
])(
  'keeps what it promises whatever happens in whatever order, %s',
  (_name, limits) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (steps) => {
        const rig = new HubRig(limits)
        const watch = new Watch()
        let batch: SocketEffect[] = []
        rig.onEffect = (effect) => {
          batch.push(effect)
          // An introduction that ended in this batch may have its id given out anew in it.
          if (effect.kind === 'send' && effect.message.type === 'introduced') watch.settle(batch)
          watch.see(effect)
        }
        const sockets: number[] = []
        let signals = 0
        for (const now of steps) {
          batch = []
          const socket = 'socket' in now ? (sockets[now.socket % Math.max(1, sockets.length)] ?? 0) : 0
          switch (now.do) {
            case 'connect': {
              if (rig.hub.refusal(sourceOf(now), rig.nowMs) !== undefined) break
              const next = sockets.length + 1
              watch.live.add(next)
              sockets.push(rig.connect(sourceOf(now)))
              break
            }
            case 'leave':
              watch.left(socket)
              rig.leave(socket)
              break
            case 'register': {
              const proof = rig.proof(socket, keyOf(now.key))
              watch.proves(socket, now)
              rig.send(
                socket,
                now.good ? proof : ({ ...proof, signature: rigSignature(keyOf(9)) } as typeof proof),
              )
              break
            }
            case 'introduce':
              rig.send(socket, { type: 'introduce', id: idOf(now.id), to: keyOf(now.key) })
              break
            case 'signal':
              rig.send(socket, { type: 'signal', id: idOf(now.id), data: `${socket}-${(signals += 1)}` })
              break
            case 'close':
              rig.send(socket, { type: 'close', id: idOf(now.id), reason: 'done' })
              // The one that closes is told nothing.
              if (rig.hub.counts().introductions < watch.ends.size) watch.settle(batch)
              break
            case 'relay':
              rig.send(socket, { type: 'relay', id: idOf(now.id) })
              break
            case 'undelivered':
              rig.handle({ kind: 'undelivered', socket, id: idOf(now.id), what: 'signal' })
              break
            case 'garbage':
              rig.sendText(socket, '{')
              break
            case 'binary':
              rig.handle({ kind: 'binary', socket })
              break
            case 'pong':
              rig.handle({ kind: 'pong', socket, bytes: 0 })
              break
            case 'wait':
              rig.advance(now.ms)
              break
            case 'drain':
              rig.handle({ kind: 'drain' })
          }
          watch.settle(batch)
          const counts = rig.hub.counts()
          expect(counts.sockets).toBe(watch.live.size)
          expect(counts.registered).toBe(watch.holders.size)
          expect(counts.introductions).toBe(watch.ends.size)
          expect(counts.unregistered + counts.anonymous + counts.registered).toBe(counts.sockets)
        }
        for (const socket of watch.live) {
          watch.left(socket)
          rig.leave(socket)
        }
        rig.advance(600_000)
        expect(rig.hub.counts()).toEqual({
          sockets: 0,
          unregistered: 0,
          anonymous: 0,
          registered: 0,
          introductions: 0,
          targets: 0,
          addresses: 0,
          sites: 0,
        })
        expect(rig.hub.nextAtMs).toBeUndefined()
      }),
      { numRuns: 500 },
    )
  },
  60_000,
)
