import { describe, expect, it } from 'vitest'
import { hubCloseCodes } from '../../core/hub-protocol.ts'
import { defaultLimits } from '../../signal-server/limits.ts'
import { benchSignature, HubBench, idOf, keyOf } from './hub-bench.ts'

const nothing = {
  sockets: 0,
  unregistered: 0,
  anonymous: 0,
  registered: 0,
  introductions: 0,
  targets: 0,
  addresses: 0,
}

const server = keyOf(1)

/** A registered server and a client that was introduced to it. */
function introduced(bench = new HubBench()) {
  const target = bench.registered(server)
  const client = bench.connect()
  bench.send(client, { type: 'introduce', id: idOf(1), to: server })
  bench.take(client)
  bench.take(target)
  return { bench, target, client }
}

describe('registering', () => {
  it('takes a proof for any of its names', () => {
    const bench = new HubBench()
    for (const name of ['ws://other.test', 'ws://hub.test']) {
      const socket = bench.connect()
      bench.send(socket, bench.proof(socket, server, name))
      expect(bench.take(socket)).toEqual([{ type: 'registered', iceServers: [] }])
    }
  })

  it('tells a proof for the name it was dialed by from a bad one', () => {
    const bench = new HubBench()
    const codeFor = (name: string) => {
      const socket = bench.connect()
      bench.send(socket, bench.proof(socket, server, name))
      const [answer] = bench.take(socket)
      return answer?.type === 'error' ? answer.code : undefined
    }
    expect(codeFor('ws://elsewhere.test')).toBe('WRONG_HUB')
    expect(codeFor('ws://nowhere.test')).toBe('BAD_SIGNATURE')
    expect(bench.hub.counts().registered).toBe(0)
  })

  it('uses a challenge up, whether the proof is good or not', () => {
    const bench = new HubBench()
    const socket = bench.connect()
    bench.send(socket, { type: 'register', key: server, signature: benchSignature(server) })
    bench.send(socket, bench.proof(socket, server))
    expect(bench.take(socket)).toMatchObject([{ code: 'BAD_SIGNATURE' }, { code: 'BAD_SIGNATURE' }])
  })

  it.each([
    [-1, 'registered'],
    [0, 'error'],
    [1, 'error'],
  ])('takes a challenge %i ms from its end with %s', (fromEndMs, type) => {
    const { bench, client } = introduced()
    bench.advance(defaultLimits.challengeMs + fromEndMs)
    bench.send(client, bench.proof(client, keyOf(2)))
    expect(bench.take(client)).toMatchObject([{ type }])
  })

  it('refuses a second key on one socket', () => {
    const bench = new HubBench()
    const socket = bench.registered(server)
    bench.send(socket, bench.proof(socket, keyOf(2)))
    expect(bench.take(socket)).toMatchObject([{ code: 'INVALID' }])
  })

  it('replaces the older socket and ends its introductions', () => {
    const { bench, target, client } = introduced()
    const newer = bench.registered(server)
    expect(bench.take(target)).toEqual([{ type: 'replaced' }])
    expect(bench.closed.get(target)).toBe(hubCloseCodes.replaced)
    expect(bench.take(client)).toEqual([{ type: 'closed', id: idOf(1), reason: 'gone' }])
    bench.send(client, { type: 'introduce', id: idOf(2), to: server })
    expect(bench.take(newer)).toEqual([{ type: 'incoming', id: idOf(2) }])
    bench.leave(target)
    expect(bench.hub.counts().registered).toBe(1)
  })
})

describe('introducing', () => {
  it('answers at once when the peer is not there', () => {
    const bench = new HubBench()
    const client = bench.connect()
    bench.send(client, { type: 'introduce', id: idOf(1), to: server })
    expect(bench.take(client)).toMatchObject([{ code: 'PEER_NOT_FOUND', id: idOf(1) }])
  })

  it('refuses an id in use and a socket that asks for itself', () => {
    const { bench, target } = introduced()
    const other = bench.connect()
    bench.send(other, { type: 'introduce', id: idOf(1), to: server })
    expect(bench.take(other)).toMatchObject([{ code: 'ID_IN_USE', id: idOf(1) }])
    bench.send(target, { type: 'introduce', id: idOf(2), to: server })
    expect(bench.take(target)).toMatchObject([{ code: 'INVALID', id: idOf(2) }])
  })

  it('says the same of an id of others as of one that does not exist', () => {
    const { bench, target, client } = introduced()
    const stranger = bench.connect()
    for (const type of ['signal', 'relay', 'close'] as const) {
      for (const id of [idOf(1), idOf(9)]) bench.send(stranger, { type, id, data: 'x', reason: '' })
      const [foreign, missing] = bench.take(stranger)
      expect(foreign).toMatchObject({ code: 'NO_INTRODUCTION', id: idOf(1) })
      expect({ ...missing, id: idOf(1) }).toEqual(foreign)
    }
    expect([...bench.take(target), ...bench.take(client)]).toEqual([])
  })

  it('lets only the dialed peer ask for a relay, which this hub has not', () => {
    const { bench, target, client } = introduced()
    bench.send(target, { type: 'relay', id: idOf(1) })
    expect(bench.take(target)).toMatchObject([{ code: 'RELAY_OFF', id: idOf(1) }])
    bench.send(client, { type: 'relay', id: idOf(1) })
    expect(bench.take(client)).toMatchObject([{ code: 'INVALID', id: idOf(1) }])
  })

  it('ends for both after its life', () => {
    const { bench, target, client } = introduced(new HubBench({ pingMs: 1e9 }))
    bench.advance(defaultLimits.introductionMs - 1)
    expect(bench.hub.counts().introductions).toBe(1)
    bench.advance(1)
    const closed = { type: 'closed', id: idOf(1), reason: 'expired' }
    expect([...bench.take(target), ...bench.take(client)]).toEqual([closed, closed])
  })

  it.each([
    ['client', 63, 0],
    ['client', 64, 0],
    ['client', 65, 1],
    ['target', 64, 0],
    ['target', 65, 1],
  ] as const)('takes 64 signals of its %s: of %i, %i are refused', (side, sent, refused) => {
    const ends = introduced()
    const { bench } = ends
    const far = side === 'client' ? ends.target : ends.client
    for (let index = 0; index < sent; index += 1) {
      bench.send(ends[side], { type: 'signal', id: idOf(1), data: `s${index}` })
    }
    const datas = bench.take(far).map((message) => (message.type === 'signal' ? message.data : ''))
    expect(datas).toEqual(Array.from({ length: sent - refused }, (_, index) => `s${index}`))
    expect(bench.take(ends[side]).length).toBe(refused)
  })

  it('takes no more at once than an address may make', () => {
    const bench = new HubBench()
    for (const number of [1, 2]) bench.registered(keyOf(number))
    const clients: number[] = []
    const codes = Array.from({ length: 17 }, (_, index) => {
      const client = bench.connect('198.51.100.1')
      clients.push(client)
      bench.send(client, { type: 'introduce', id: idOf(index), to: keyOf((index % 2) + 1) })
      return bench.take(client)[0]
    })
    expect(codes.slice(0, 16).every((answer) => answer?.type === 'introduced')).toBe(true)
    expect(codes[16]).toMatchObject({ code: 'BUSY', id: idOf(16), retryAfterMs: 5_000 })
    const [one = 0, other = 0] = clients
    bench.send(one, { type: 'close', id: idOf(0), reason: 'open' })
    bench.send(other, { type: 'introduce', id: idOf(17), to: keyOf(1) })
    expect(bench.take(other)).toMatchObject([{ type: 'introduced' }])
  })

  it('takes no more at once for a target than it may have, from all and from one address', () => {
    const bench = new HubBench({ introductionsPerAddress: 100 })
    bench.registered(server)
    const ask = (source: string, number: number) => {
      const client = bench.connect(source)
      bench.send(client, { type: 'introduce', id: idOf(number), to: server })
      return bench.take(client)[0]
    }
    for (let number = 0; number < 16; number += 1)
      expect(ask('a', number)).toMatchObject({ type: 'introduced' })
    expect(ask('a', 16)).toMatchObject({ code: 'BUSY' })
    for (let number = 16; number < 64; number += 1) {
      expect(ask(`b${number >> 3}`, number)).toMatchObject({ type: 'introduced' })
    }
    expect(ask('c', 64)).toMatchObject({ code: 'BUSY' })
  })

  it('takes them no faster than an address may ask', () => {
    const bench = new HubBench()
    const client = bench.connect()
    for (let number = 0; number < 21; number += 1) {
      bench.send(client, { type: 'introduce', id: idOf(number), to: server })
    }
    const codes = bench.take(client).map((answer) => (answer.type === 'error' ? answer.code : answer.type))
    expect(codes).toEqual([...Array.from({ length: 20 }, () => 'PEER_NOT_FOUND'), 'RATE'])
    bench.advance(100)
    bench.send(client, { type: 'introduce', id: idOf(1), to: server })
    expect(bench.take(client)).toMatchObject([{ code: 'PEER_NOT_FOUND' }])
  })
})

describe('sockets', () => {
  it.each([
    ['unregisteredSocketsPerAddress', 16],
    ['socketsPerAddress', 64],
  ] as const)('of one address end at %s', (limit, cap) => {
    const bench = new HubBench({
      newSocketsBurstPerAddress: 1_000,
      unregisteredSocketsPerAddress: 1_000,
      [limit]: cap,
    })
    const taken = Array.from({ length: cap + 1 }, () => bench.tryConnect('192.0.2.1'))
    expect(taken.slice(0, cap).every((socket) => typeof socket === 'number')).toBe(true)
    expect(taken[cap]).toBe('BUSY')
    bench.leave(Number(taken[0]))
    expect(bench.tryConnect('192.0.2.1')).toBeTypeOf('number')
  })

  it('that have not registered end at their cap over all addresses', () => {
    const bench = new HubBench()
    for (let index = 0; index < 1_024; index += 1) expect(bench.tryConnect(`s${index}`)).toBeTypeOf('number')
    expect(bench.tryConnect('another')).toBe('BUSY')
    bench.send(1, bench.proof(1, server))
    expect(bench.tryConnect('another')).toBeTypeOf('number')
  })

  it('of one address are opened no faster than they may be', () => {
    const bench = new HubBench({ unregisteredSocketsPerAddress: 1_000 })
    for (let index = 0; index < 20; index += 1) expect(bench.tryConnect('192.0.2.1')).toBeTypeOf('number')
    expect(bench.tryConnect('192.0.2.1')).toBe('RATE')
    bench.advance(199)
    expect(bench.tryConnect('192.0.2.1')).toBe('RATE')
    bench.advance(1)
    expect(bench.tryConnect('192.0.2.1')).toBeTypeOf('number')
  })

  it('that leave and come again do not get their rates back sooner', () => {
    const bench = new HubBench()
    for (let index = 0; index < 20; index += 1) bench.leave(Number(bench.tryConnect('192.0.2.1')))
    expect(bench.tryConnect('192.0.2.1')).toBe('RATE')
  })

  it('of loopback are exempt only when that was asked for', () => {
    for (const [exempt, answer] of [
      [true, 'number'],
      [false, 'string'],
    ] as const) {
      const bench = new HubBench({ unregisteredSocketsPerAddress: 1 }, exempt)
      bench.tryConnect('127.0.0.1')
      expect(bench.tryConnect('127.0.0.1')).toBeTypeOf(answer)
    }
  })

  it('that proved a key end at their cap, but an old key may be proved anew', () => {
    const bench = new HubBench({ registeredPeers: 2 })
    bench.registered(keyOf(1))
    bench.registered(keyOf(2))
    const third = bench.connect()
    bench.send(third, bench.proof(third, keyOf(3)))
    expect(bench.take(third)).toMatchObject([{ code: 'BUSY' }])
    bench.registered(keyOf(2))
    expect(bench.hub.counts().registered).toBe(2)
  })

  it('that are clients end at their cap', () => {
    const { bench, client } = introduced(new HubBench({ anonymousPeers: 1 }))
    const second = bench.connect()
    bench.send(second, { type: 'introduce', id: idOf(2), to: server })
    expect(bench.take(second)).toMatchObject([{ code: 'BUSY' }])
    bench.leave(client)
    bench.send(second, { type: 'introduce', id: idOf(2), to: server })
    expect(bench.take(second)).toMatchObject([{ type: 'introduced' }])
  })

  it('that do nothing are closed at the deadline, counted from when they were accepted', () => {
    const bench = new HubBench()
    bench.nowMs = 10_000
    bench.handle({ kind: 'connected', socket: 99, source: 's', acceptedAtMs: 7_000, dialedAs: [] })
    bench.advance(1_999)
    expect(bench.closed.size).toBe(0)
    bench.advance(1)
    expect(bench.closed.get(99)).toBe(hubCloseCodes.deadline)
  })

  it('of clients are closed when they have had no introduction for a while', () => {
    const { bench, client, target } = introduced(new HubBench({ pingMs: 1e9 }))
    bench.send(client, { type: 'close', id: idOf(1), reason: 'open' })
    bench.advance(defaultLimits.idleAnonymousMs - 1)
    expect(bench.closed.size).toBe(0)
    bench.advance(1)
    expect(bench.closed).toEqual(new Map([[client, hubCloseCodes.deadline]]))
    bench.advance(1e6)
    expect(bench.closed.has(target)).toBe(false)
  })

  it('are pinged, and closed when no pong comes', () => {
    const bench = new HubBench()
    const socket = bench.registered(server)
    bench.advance(25_000)
    expect(bench.pings).toEqual([socket])
    bench.handle({ kind: 'pong', socket, bytes: 0 })
    bench.advance(34_999)
    expect(bench.pings).toEqual([socket, socket])
    expect(bench.closed.size).toBe(0)
    bench.advance(1)
    expect(bench.closed.get(socket)).toBe(hubCloseCodes.deadline)
  })
})

describe('rates', () => {
  it('pause a socket after its burst and obey the rest in order at the rate', () => {
    const bench = new HubBench()
    const socket = bench.registered(server)
    for (let index = 0; index < 210; index += 1) bench.send(socket, { type: 'relay', id: idOf(index) })
    // One of the burst was the registration.
    expect(bench.take(socket).length).toBe(199)
    expect(bench.paused.has(socket)).toBe(true)
    bench.advance(100)
    expect(bench.take(socket).length).toBe(5)
    bench.advance(120)
    expect(bench.take(socket).map((message) => 'id' in message && message.id)).toEqual(
      [204, 205, 206, 207, 208, 209].map(idOf),
    )
    expect(bench.paused.has(socket)).toBe(false)
  })

  it('count bytes as well', () => {
    const bench = new HubBench()
    const socket = bench.connect()
    const text = `{"type":"x","pad":"${'x'.repeat(60_000)}"}`
    for (let index = 0; index < 5; index += 1) bench.sendText(socket, text)
    expect(bench.take(socket).length).toBe(4)
    expect(bench.paused.has(socket)).toBe(true)
    bench.advance(500)
    expect(bench.take(socket).length).toBe(1)
  })

  it('count pings and pongs as well', () => {
    const bench = new HubBench()
    const socket = bench.registered(server)
    for (let index = 0; index < 200; index += 1)
      bench.handle({ kind: index % 2 ? 'ping' : 'pong', socket, bytes: 0 })
    expect(bench.paused.has(socket)).toBe(true)
  })

  it('of an address are four times those of a peer, whatever the number of its sockets', () => {
    const bench = new HubBench({ newSocketsBurstPerAddress: 100 })
    const sockets = Array.from({ length: 8 }, () => bench.connect('192.0.2.1'))
    for (const socket of sockets)
      for (let index = 0; index < 150; index += 1) bench.sendText(socket, '{"type":"x"}')
    expect(sockets.flatMap((socket) => bench.take(socket)).length).toBe(800)
  })

  it('close a socket that goes on for too long, and forgive one that calms down', () => {
    const bench = new HubBench()
    const [loud, calm] = [bench.registered(server), bench.registered(keyOf(2))]
    const relay = { type: 'relay', id: idOf(1) } as const
    for (let index = 0; index < 210; index += 1) bench.send(calm, relay)
    for (let ms = 0; ms < 12_000 && !bench.closed.has(loud); ms += 10) {
      for (let index = 0; index < 5 && !bench.paused.has(loud); index += 1) bench.send(loud, relay)
      if (bench.nowMs === 9_000) for (let index = 0; index < 210; index += 1) bench.send(calm, relay)
      bench.advance(10)
    }
    expect(bench.closed.get(loud)).toBe(hubCloseCodes.flood)
    expect(bench.nowMs).toBeGreaterThanOrEqual(10_000)
    expect(bench.nowMs).toBeLessThan(11_500)
    bench.advance(5_000)
    expect(bench.closed.has(calm)).toBe(false)
  })

  it.each([
    [-1, undefined],
    [0, undefined],
    [1, hubCloseCodes.flood],
  ])('close at once what waits for %i bytes more than may wait: %s', (more, code) => {
    const bench = new HubBench({ messagesBurst: 1, waitingBytes: 1_000 })
    const socket = bench.connect()
    bench.sendText(socket, '{"type":"x"}')
    bench.sendText(socket, '{"type":"x"}'.padEnd(500))
    bench.sendText(socket, '{"type":"x"}'.padEnd(500 + more))
    expect(bench.closed.get(socket)).toBe(code)
  })

  it('close at once what sends on although it is not read', () => {
    const bench = new HubBench()
    const socket = bench.connect()
    const text = `{"type":"x","pad":"${'x'.repeat(60_000)}"}`
    for (let index = 0; index < 9; index += 1) bench.sendText(socket, text)
    expect(bench.closed.get(socket)).toBe(hubCloseCodes.flood)
  })
})

describe('messages that are not understood', () => {
  it('are answered', () => {
    const bench = new HubBench()
    const socket = bench.connect()
    bench.sendText(socket, `{"type":"later","id":"${idOf(1)}"}`)
    bench.sendText(socket, `{"type":"introduce","id":"${idOf(1)}"}`)
    expect(bench.take(socket)).toMatchObject([
      { code: 'UNKNOWN_MESSAGE', id: idOf(1) },
      { code: 'INVALID', id: idOf(1), message: 'to of introduce is malformed' },
    ])
  })

  it.each(['', '{', '[]', '"x"'])('close the socket when they are %j', (text) => {
    const bench = new HubBench()
    const socket = bench.connect()
    bench.sendText(socket, text)
    expect(bench.closed.get(socket)).toBe(hubCloseCodes.protocol)
  })
})

describe('leaving', () => {
  it('tells the other side of each introduction and leaves nothing behind', () => {
    const { bench, target, client } = introduced()
    bench.leave(client)
    expect(bench.take(target)).toEqual([{ type: 'closed', id: idOf(1), reason: 'gone' }])
    bench.leave(target)
    bench.advance(60_000)
    expect(bench.hub.counts()).toEqual(nothing)
    expect(bench.hub.nextAtMs).toBeUndefined()
  })

  it('sends everyone away a little apart when the hub drains', () => {
    const bench = new HubBench()
    const sockets = [1, 2, 3, 4].map((number) => bench.registered(keyOf(number)))
    bench.handle({ kind: 'drain' })
    const waits = sockets.flatMap((socket) => bench.take(socket))
    expect(waits).toEqual(
      [0, 1_250, 2_500, 3_750].map((reconnectAfterMs) => ({
        type: 'restarting',
        reconnectAfterMs,
        tryForMs: 60_000,
      })),
    )
    for (const socket of sockets) expect(bench.closed.get(socket)).toBe(hubCloseCodes.restarting)
    expect(bench.hub.counts().sockets).toBe(0)
  })

  it('takes as long for that as a hub needs to let so many in again', () => {
    const bench = new HubBench({ registrationsPerSecond: 0.1, registrationsBurst: 10 })
    const sockets = [1, 2, 3, 4].map((number) => bench.registered(keyOf(number)))
    bench.handle({ kind: 'drain' })
    const waits = sockets.flatMap((socket) => bench.take(socket))
    expect(waits).toMatchObject([0, 10_000, 20_000, 30_000].map((reconnectAfterMs) => ({ reconnectAfterMs })))
  })
})
