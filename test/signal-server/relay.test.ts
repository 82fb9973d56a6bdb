import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { limits as peerLimits } from '../../core/limits.ts'
import { relayCloseCodes } from '../../core/relay-protocol.ts'
import { dataHeaderBytes, encodeFrame } from '../../plugs/rtc/frames.ts'
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
const aroundOnEachSide = (['client', 'server'] as const).flatMap((side) =>
  around.map((beyond) => [side, beyond] as const),
)

describe('limits', () => {
  it.each(around)('of circuits in all: %i beyond', (beyond) => {
    const bench = new RelayBench({ relayCircuits: 3 })
    for (let index = 1; index < 3 + beyond; index += 1) bench.open(`c${index}`, `s${index}`)
    expect(typeof bench.open('c', 's')).toBe(beyond > 0 ? 'string' : 'object')
    expect(bench.outcomes).toEqual(beyond > 0 ? ['BUSY'] : [])
  })

  it.each(aroundOnEachSide)('of circuits of a %s: %i beyond', (side, beyond) => {
    const bench = new RelayBench()
    const owners = (index: number) =>
      side === 'client' ? (['x', `s${index}`] as const) : (['c' + index, 'x'] as const)
    for (let index = 1; index < 8 + beyond; index += 1) {
      const opened = bench.open(...owners(index))
      // It counts for a client from the beginning, for a server once the client is there.
      if (side === 'server') bench.say(opened[0] ?? '')
    }
    const last = bench.open(...owners(0))
    expect(typeof last === 'string' ? last : 'opened').toBe(beyond > 0 ? 'QUOTA' : 'opened')
  })

  it.each(around)('of circuits of two with each other: %i beyond', (beyond) => {
    const bench = new RelayBench()
    const most = bench.limits.relayCircuitsPerPair
    for (let index = 1; index < most + beyond; index += 1) bench.open('x', 'y')
    const last = bench.open('x', 'y')
    expect(typeof last === 'string' ? last : 'opened').toBe(beyond > 0 ? 'QUOTA' : 'opened')
    expect(bench.open('x', 'z')).not.toBe('QUOTA')
    expect(bench.open('z', 'y')).not.toBe('QUOTA')
  })

  it('of circuits with one server hold for an address, however many keys it has', () => {
    const bench = new RelayBench({ relayCircuitsPerPair: 2 })
    const from = (peer: string, address: string) =>
      bench.openFor({ client: { peer, address }, server: { peer: 'server' } })
    for (const peer of ['a', 'b']) from(peer, 'here')
    expect(from('c', 'here')).toBe('QUOTA')
    expect(from('c', 'there')).not.toBe('QUOTA')
  })

  it.each(aroundOnEachSide)(
    'of circuits of an address at the end of the %s: %i beyond, whatever the keys',
    (side, beyond) => {
      const bench = new RelayBench()
      const most = bench.limits.relayCircuitsPerAddress
      const open = (index: number) => {
        const [here, there] = [{ peer: `h${index}`, address: 'here' }, { peer: `t${index}` }]
        return bench.openFor(
          side === 'client' ? { client: here, server: there } : { client: there, server: here },
        )
      }
      for (let index = 1; index < most + beyond; index += 1) bench.say(open(index)[0] ?? '')
      const last = open(0)
      expect(typeof last === 'string' ? last : 'opened').toBe(beyond > 0 ? 'QUOTA' : 'opened')
    },
  )

  it('of circuits of an address count one twice that has both its ends there', () => {
    const bench = new RelayBench({ relayCircuitsPerAddress: 4 })
    const open = (index: number) =>
      bench.openFor({
        client: { peer: `c${index}`, address: 'here' },
        server: { peer: `s${index}`, address: 'here' },
      })
    const circuits = [bench.join(open(1)), bench.join(open(2))]
    expect(open(3)).toBe('QUOTA')
    for (const [one] of circuits) bench.handle({ kind: 'disconnected', socket: one })
    for (const index of [1, 2]) bench.join(open(index))
    expect(open(3)).toBe('QUOTA')
  })

  it.each([
    ['a peer', { relayCircuitsPerPeer: 1 }],
    ['two with each other', { relayCircuitsPerPair: 1 }],
    ['an address', { relayCircuitsPerAddress: 2 }],
  ])('of circuits of %s count again once one has ended', (_whose, limits) => {
    const bench = new RelayBench(limits)
    const owners = { client: { peer: 'c', address: 'a' }, server: { peer: 's', address: 'a' } }
    const [one] = bench.join(bench.openFor(owners))
    expect(bench.openFor(owners)).toBe('QUOTA')
    bench.handle({ kind: 'disconnected', socket: one })
    expect(bench.openFor(owners)).not.toBe('QUOTA')
  })

  it('of circuits of a server are not used up by clients that take none', () => {
    const bench = new RelayBench({ relayCircuitsPerPeer: 2 })
    for (let index = 0; index < 20; index += 1) expect(bench.open(`c${index}`, 'server')).not.toBe('QUOTA')
    // Not even when the server comes.
    for (let index = 0; index < 20; index += 1) bench.say(bench.open(`d${index}`, 'server')[1] ?? '')
    expect(bench.open('client', 'server')).not.toBe('QUOTA')
  })

  it('of circuits of a server end one that was granted while it had fewer', () => {
    const bench = new RelayBench({ relayCircuitsPerPeer: 2 })
    const granted = [1, 2, 3].map((index) => bench.open(`c${index}`, 'server') as [string, string])
    const [third] = granted.splice(2)
    const waiting = bench.say(third?.[1] ?? '')
    const open = granted.map((tokens) => bench.join(tokens))
    const late = bench.say(third?.[0] ?? '')
    const { quota } = relayCloseCodes
    expect(bench.closed).toEqual(new Map([late, waiting].map((socket) => [socket, quota])))
    expect(bench.outcomes).toEqual(['opened', 'opened', 'quota'])
    // What was not granted in the end does not count.
    bench.handle({ kind: 'disconnected', socket: open[0]?.[0] ?? 0 })
    expect(bench.open('c3', 'server')).not.toBe('QUOTA')
    expect(bench.relay.counts()).toEqual({ sockets: 0, waiting: 1, open: 1, peers: 3 })
  })

  it('do not hold for a peer without an owner', () => {
    const bench = new RelayBench({ relayCircuitsPerPeer: 1 })
    for (let index = 0; index < 5; index += 1)
      expect(typeof bench.openFor({ client: {}, server: {} })).toBe('object')
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

  it('do not hold a circuit of 200 calls a second each way, with 100 bytes in each', () => {
    const bench = new RelayBench()
    const ends = bench.circuit()
    const tagBytes = 16
    // A box of shs in a frame of the session, sealed; and its acknowledgement.
    const callBytes = 34 + 100 + dataHeaderBytes + tagBytes
    const ackBytes = encodeFrame({ type: 'ack', received: 0, limit: 0 }).length + tagBytes
    const { acknowledgeAfterMs } = peerLimits.session
    for (let atMs = 0; atMs < 60_000; atMs += 5) {
      for (const end of ends) bench.send(end, callBytes)
      if (atMs % acknowledgeAfterMs === 0) for (const end of ends) bench.send(end, ackBytes)
      bench.advance(5)
      expect(bench.held).toEqual(new Set())
    }
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
      const tokens = bench.openFor({ client: { peer: `c${index}` }, server: {} }) as [string, string]
      const [one] = tokens.map((token) => bench.say(token)) as [number, number]
      bench.send(one, 1)
      bench.handle({ kind: 'disconnected', socket: one })
    }
    expect(bench.relay.counts().peers).toBe(Math.min(4, 4 + beyond))
  })

  it('are told, with what is left of the day', () => {
    const bench = new RelayBench({ relayBytes: 800, relayBytesPerDayPerPeer: 1_000 })
    const told = () => {
      const answer = bench.relay.open({ client: { peer: 'client' }, server: {} }, bench.nowMs)
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
    const count = Math.floor(bench.limits.relayBytesPerSecond / frameCost)
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
