import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { relayCloseCodes } from '../../core/relay-protocol.ts'
import { defaultLimits } from '../../signal-server/limits.ts'
import { DayBytes } from '../../signal-server/relay-accounts.ts'
import { RelayBench } from './relay-bench.ts'

const nothing = { sockets: 0, waiting: 0, open: 0, peers: 0 }
const hourMs = 60 * 60_000
const { relayTokenMs, relayMs, relayIdleMs, registerMs, relayFrameCostBytes: frameCost } = defaultLimits

describe('a circuit', () => {
  it('joins the two sockets that show its tokens, and passes frames in order', () => {
    const bench = new RelayBench()
    const [one, other] = bench.circuit()
    expect(bench.joined).toEqual([[one, other]])
    expect(bench.settled).toEqual(new Set([one, other]))
    for (const bytes of [1, 2, 3]) bench.send(one, bytes)
    bench.send(other, 4)
    expect(bench.passed.get(other)).toEqual([1, 2, 3])
    expect(bench.passed.get(one)).toEqual([4])
    expect(bench.relay.counts()).toEqual({ sockets: 0, waiting: 0, open: 1, peers: 2 })
  })

  it('tells the other end when one goes, and forgets it', () => {
    const bench = new RelayBench()
    const [one, other] = bench.circuit()
    bench.handle({ kind: 'disconnected', socket: one })
    expect(bench.closed).toEqual(new Map([[other, relayCloseCodes.gone]]))
    expect(bench.relay.counts()).toEqual(nothing)
    expect(bench.outcomes).toEqual(['opened', 'closed'])
  })

  it('is none for bytes before it is open, and carries no text', () => {
    const bench = new RelayBench()
    const [first] = bench.open() as [string, string]
    const early = bench.say(first)
    bench.send(early, 1)
    expect(bench.closed.get(early)).toBe(relayCloseCodes.violation)
    const [one, other] = bench.circuit()
    bench.handle({ kind: 'text', socket: one, text: 'open' })
    expect(bench.closed.get(one)).toBe(relayCloseCodes.violation)
    expect(bench.closed.get(other)).toBe(relayCloseCodes.gone)
    expect(bench.relay.counts()).toEqual(nothing)
  })

  it('ends with the hub, and none is opened any more', () => {
    const bench = new RelayBench()
    const [one, other] = bench.circuit()
    const newcomer = bench.connect()
    bench.handle({ kind: 'drain' })
    for (const socket of [one, other, newcomer])
      expect(bench.closed.get(socket)).toBe(relayCloseCodes.draining)
    expect(bench.open()).toBe('RELAY_OFF')
    const late = bench.connect()
    expect(bench.closed.get(late)).toBe(relayCloseCodes.draining)
    expect(bench.relay.nextAtMs).toBeUndefined()
  })
})

describe('a token', () => {
  it('is good once', () => {
    const bench = new RelayBench()
    const [first] = bench.open() as [string, string]
    const one = bench.say(first)
    const again = bench.say(first)
    expect(bench.closed).toEqual(new Map([[again, relayCloseCodes.token]]))
    expect(bench.settled).toEqual(new Set([one]))
  })

  it.each(['', 'A'.repeat(43), 'open'])('is not %j, and each socket has one try', (text) => {
    const bench = new RelayBench()
    bench.open()
    const socket = bench.say(text)
    expect(bench.closed.get(socket)).toBe(relayCloseCodes.token)
    bench.handle({ kind: 'text', socket, text })
    expect(bench.relay.counts().sockets).toBe(0)
  })

  it('comes before bytes', () => {
    const bench = new RelayBench()
    const socket = bench.connect()
    bench.send(socket, 43)
    expect(bench.closed.get(socket)).toBe(relayCloseCodes.token)
  })

  it('belongs to one circuit: those of two do not join', () => {
    const bench = new RelayBench()
    const [first] = bench.open('a', 'b') as [string, string]
    const [, second] = bench.open('c', 'd') as [string, string]
    bench.say(first)
    bench.say(second)
    expect(bench.joined).toEqual([])
  })

  it.each([
    [-1, undefined],
    [0, relayCloseCodes.token],
    [1, relayCloseCodes.token],
  ])('is good until %i ms from its end', (fromEndMs, code) => {
    const bench = new RelayBench()
    const [, second] = bench.open() as [string, string]
    bench.advance(relayTokenMs + fromEndMs)
    expect(bench.closed.get(bench.say(second))).toBe(code)
  })

  it('has the first to come closed when the other does not', () => {
    const bench = new RelayBench()
    const [first] = bench.open() as [string, string]
    const one = bench.say(first)
    bench.advance(relayTokenMs)
    expect(bench.closed.get(one)).toBe(relayCloseCodes.gone)
    expect(bench.outcomes).toEqual(['expired'])
    expect(bench.relay.counts()).toEqual(nothing)
  })

  it.each([
    [-1, undefined],
    [0, relayCloseCodes.token],
  ])('is waited for until %i ms from the deadline of the socket', (fromEndMs, code) => {
    const bench = new RelayBench()
    const socket = bench.connect()
    bench.advance(registerMs + fromEndMs)
    expect(bench.closed.get(socket)).toBe(code)
  })
})

/** n-1, n and n+1 of each. */
const around = [-1, 0, 1]

describe('limits', () => {
  it.each(around)('of circuits in all: %i beyond', (beyond) => {
    const bench = new RelayBench({ relayCircuits: 3 })
    for (let index = 1; index < 3 + beyond; index += 1) bench.open(`c${index}`, `s${index}`)
    expect(typeof bench.open('c', 's')).toBe(beyond > 0 ? 'string' : 'object')
    expect(bench.outcomes).toEqual(beyond > 0 ? ['BUSY'] : [])
  })

  it.each(
    around.flatMap(
      (beyond) =>
        [
          ['client', beyond],
          ['server', beyond],
        ] as const,
    ),
  )('of circuits of a %s: %i beyond', (side, beyond) => {
    const bench = new RelayBench()
    const owners = (index: number) =>
      side === 'client' ? (['x', `s${index}`] as const) : (['c' + index, 'x'] as const)
    for (let index = 1; index < 8 + beyond; index += 1) bench.open(...owners(index))
    const last = bench.open(...owners(0))
    expect(typeof last === 'string' ? last : 'opened').toBe(beyond > 0 ? 'QUOTA' : 'opened')
  })

  it('of circuits count again once one has ended', () => {
    const bench = new RelayBench({ relayCircuitsPerPeer: 1 })
    const [one] = bench.circuit()
    expect(bench.open()).toBe('QUOTA')
    bench.handle({ kind: 'disconnected', socket: one })
    expect(bench.open()).not.toBe('QUOTA')
  })

  it('do not hold for a peer without an owner', () => {
    const bench = new RelayBench({ relayCircuitsPerPeer: 1 })
    for (let index = 0; index < 5; index += 1)
      expect(typeof bench.openFor({ client: undefined, server: undefined })).toBe('object')
    expect(bench.relay.counts().peers).toBe(0)
  })

  it.each(around)('of bytes of a circuit: %i beyond', (beyond) => {
    const bench = new RelayBench({ relayBytes: 1_000 })
    const [one, other] = bench.circuit()
    bench.send(one, 400)
    bench.send(other, 600 + beyond)
    const code = beyond > 0 ? relayCloseCodes.quota : undefined
    expect([bench.closed.get(one), bench.closed.get(other)]).toEqual([code, code])
    expect(bench.passed.get(one)).toEqual(beyond > 0 ? [] : [600 + beyond])
  })

  it.each(around)('of bytes of a peer in a day: %i beyond, over two circuits', (beyond) => {
    const bench = new RelayBench({ relayBytesPerDayPerPeer: 1_000 })
    const [first] = bench.circuit('x', 's1')
    const [second] = bench.circuit('x', 's2')
    bench.send(first, 400)
    bench.send(second, 600 + beyond)
    expect(bench.closed.get(second)).toBe(beyond > 0 ? relayCloseCodes.quota : undefined)
    // Who has had all is not given another.
    if (beyond === 0) expect(bench.open('x', 's3')).toBe('QUOTA')
  })

  it('of a day are over with the day, also for who left meanwhile', () => {
    const bench = new RelayBench({ relayBytesPerDayPerPeer: 1_000 })
    const [one] = bench.circuit()
    bench.send(one, 1_000)
    bench.handle({ kind: 'disconnected', socket: one })
    bench.advance(24 * hourMs - 1)
    expect(bench.open()).toBe('QUOTA')
    bench.advance(hourMs + 1)
    expect(bench.open()).not.toBe('QUOTA')
  })

  it.each(around)('of bytes a second of a circuit: %i beyond', (beyond) => {
    const bench = new RelayBench()
    const { relayBytesPerSecond } = bench.limits
    const [one, other] = bench.circuit()
    const sizes = [relayBytesPerSecond - 1_000 - frameCost, 1_000 - frameCost + beyond]
    for (const bytes of sizes) bench.send(one, bytes)
    expect(bench.held).toEqual(beyond > 0 ? new Set([one]) : new Set())
    // Passed on all the same: nothing is dropped.
    expect(bench.passed.get(other)).toEqual(sizes)
    bench.advance(1)
    expect(bench.held).toEqual(new Set())
  })

  it.each(around)('of bytes a second of a peer: %i beyond, over its circuits', (beyond) => {
    const bench = new RelayBench()
    const { relayBytesPerSecond, relayBytesPerSecondPerPeer } = bench.limits
    const circuits = relayBytesPerSecondPerPeer / relayBytesPerSecond
    for (let index = 1; index < circuits; index += 1)
      bench.send(bench.circuit('x', `s${index}`)[0], relayBytesPerSecond - frameCost)
    const [last] = bench.circuit('x', 's')
    bench.send(last, relayBytesPerSecond - 1_000 - frameCost)
    // On another one, so that no circuit is over a rate of its own.
    const [another] = bench.circuit('x', 't')
    bench.send(another, 1_000 - frameCost + beyond)
    expect(bench.held).toEqual(beyond > 0 ? new Set([another]) : new Set())
  })

  it('hold a sender for exactly as long as it is over them', () => {
    const bench = new RelayBench({ relayBytesPerSecond: 1_000 })
    const [one] = bench.circuit()
    bench.send(one, 1_500 - frameCost)
    bench.advance(499)
    expect(bench.held.has(one)).toBe(true)
    bench.advance(1)
    expect(bench.held.has(one)).toBe(false)
    bench.advance(0)
    bench.send(one, 1)
    expect(bench.held.has(one)).toBe(true)
  })

  it.each([
    [-1, undefined],
    [0, relayCloseCodes.idle],
  ])('of idleness: %i ms from its end, whichever end was heard last', (fromEndMs, code) => {
    const bench = new RelayBench()
    const [one, other] = bench.circuit()
    bench.advance(relayIdleMs - 1)
    bench.send(other, 1)
    bench.advance(relayIdleMs + fromEndMs)
    expect([bench.closed.get(one), bench.closed.get(other)]).toEqual([code, code])
  })

  it.each([
    [-1, undefined],
    [0, relayCloseCodes.quota],
  ])('of the life of a circuit: %i ms from its end', (fromEndMs, code) => {
    const bench = new RelayBench()
    const [one] = bench.circuit()
    for (let atMs = 0; atMs < relayMs - relayIdleMs; atMs += relayIdleMs - 1) {
      bench.advance(relayIdleMs - 1)
      bench.send(one, 1)
    }
    bench.advance(relayMs + fromEndMs - bench.nowMs)
    expect(bench.closed.get(one)).toBe(code)
  })

  it.each(around)('of peers that are remembered: %i beyond', (beyond) => {
    const bench = new RelayBench({ relayPeers: 4 })
    for (let index = 0; index < 4 + beyond; index += 1) {
      const tokens = bench.openFor({ client: `c${index}`, server: undefined }) as [string, string]
      const [one] = tokens.map((token) => bench.say(token)) as [number, number]
      bench.send(one, 1)
      bench.handle({ kind: 'disconnected', socket: one })
    }
    expect(bench.relay.counts().peers).toBe(Math.min(4, 4 + beyond))
  })

  it('are told, with what is left of the day', () => {
    const bench = new RelayBench({ relayBytes: 800, relayBytesPerDayPerPeer: 1_000 })
    const told = () => {
      const answer = bench.relay.open({ client: 'client', server: undefined }, bench.nowMs)
      return answer.kind === 'opened' ? answer.limits : undefined
    }
    expect(told()).toEqual({
      bytes: 800,
      bytesPerSecond: 262_144,
      lifeMs: relayMs,
      idleMs: relayIdleMs,
      frameBytes: 65_552,
    })
    bench.send(bench.circuit('client', 'server')[0], 700)
    expect(told()?.['bytes']).toBe(300)
  })
})

describe('pings', () => {
  it('cost of the rates what a frame does, and of nothing else', () => {
    const bench = new RelayBench({ relayBytes: 1 })
    const [one, other] = bench.circuit()
    const count = bench.limits.relayBytesPerSecond / frameCost
    for (let index = 0; index < count; index += 1) bench.handle({ kind: 'control', socket: one, bytes: 0 })
    expect(bench.held.has(one)).toBe(false)
    bench.handle({ kind: 'control', socket: one, bytes: 0 })
    expect(bench.held.has(one)).toBe(true)
    expect(bench.passed.get(other)).toEqual([])
  })

  it('have no place before a circuit is open', () => {
    const bench = new RelayBench()
    const [first] = bench.open() as [string, string]
    const [newcomer, early] = [bench.connect(), bench.say(first)]
    for (const socket of [newcomer, early]) bench.handle({ kind: 'control', socket, bytes: 0 })
    expect(bench.closed.get(newcomer)).toBe(relayCloseCodes.token)
    expect(bench.closed.get(early)).toBe(relayCloseCodes.violation)
  })
})

describe('the bytes of a day', () => {
  it('are all those of the last 24 hours, and none older than 25', () => {
    const step = fc.record({ bytes: fc.nat(1_000), waitMs: fc.nat(3 * hourMs) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        const day = new DayBytes()
        const all: { bytes: number; atMs: number }[] = []
        let nowMs = 0
        for (const { bytes, waitMs } of steps) {
          nowMs += waitMs
          day.add(bytes, nowMs)
          all.push({ bytes, atMs: nowMs })
          const within = (ms: number) =>
            all.filter(({ atMs }) => nowMs - atMs < ms).reduce((sum, each) => sum + each.bytes, 0)
          expect(day.sum(nowMs)).toBeGreaterThanOrEqual(within(24 * hourMs))
          expect(day.sum(nowMs)).toBeLessThanOrEqual(within(25 * hourMs))
        }
      }),
    )
  })
})

describe('whatever happens', () => {
  const act = fc.oneof(
    fc.record({ do: fc.constant('open'), client: fc.nat(3), server: fc.nat(3) }),
    fc.record({ do: fc.constant('say'), token: fc.nat(20) }),
    fc.record({ do: fc.constant('send'), socket: fc.nat(20), bytes: fc.nat(300) }),
    fc.record({ do: fc.constant('leave'), socket: fc.nat(20) }),
    fc.record({ do: fc.constant('wait'), ms: fc.nat(20_000) }),
  )

  it('bytes reach only the one other end, limits hold, and nothing is left behind', () => {
    fc.assert(
      fc.property(fc.array(act, { maxLength: 80, size: 'max' }), (acts) => {
        const bench = new RelayBench({ relayBytes: 1_000, relayCircuits: 4, relayCircuitsPerPeer: 2 })
        const tokens: string[] = []
        let sockets = 0
        for (const now of acts) {
          if (now.do === 'open' && 'client' in now) {
            const opened = bench.open(`k${now.client}`, `k${now.server}`)
            if (typeof opened !== 'string') tokens.push(...opened)
          } else if (now.do === 'say' && 'token' in now) sockets = bench.say(tokens[now.token] ?? 'none')
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
          expect(waiting + open).toBeLessThanOrEqual(4)
        }
        for (const [one, other] of bench.joined) {
          const all = [...(bench.passed.get(one) ?? []), ...(bench.passed.get(other) ?? [])]
          expect(all.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThanOrEqual(1_000)
        }
        const joined = new Set(bench.joined.flat())
        for (const [socket, frames] of bench.passed) if (!joined.has(socket)) expect(frames).toEqual([])
        bench.handle({ kind: 'drain' })
        expect(bench.relay.counts()).toMatchObject({ sockets: 0, waiting: 0, open: 0 })
        expect(bench.relay.nextAtMs).toBeUndefined()
      }),
    )
  })
})
