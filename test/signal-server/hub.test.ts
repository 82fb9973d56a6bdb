import { describe, expect, it } from 'vitest'
import { hubCloseCodes } from '../../core/hub-protocol.ts'
import { defaultLimits } from '../../signal-server/limits.ts'
import { rigSignature, HubRig, idOf, keyOf } from './hub-rig.ts'

const nothing = {
  sockets: 0,
  unregistered: 0,
  anonymous: 0,
  registered: 0,
  introductions: 0,
  targets: 0,
  addresses: 0,
  sites: 0,
}

const server = keyOf(1)

/** A registered server and a client that was introduced to it. */
function introduced(rig = new HubRig()) {
  const target = rig.registered(server)
  const client = rig.connect()
  rig.send(client, { type: 'introduce', id: idOf(1), to: server })
  rig.take(client)
  rig.take(target)
  return { rig, target, client }
}

describe('registering', () => {
  it('takes a proof for any of its names', () => {
    const rig = new HubRig()
    for (const name of ['ws://other.test', 'ws://hub.test']) {
      const socket = rig.connect()
      rig.send(socket, rig.proof(socket, server, name))
      expect(rig.take(socket)).toEqual([{ type: 'registered', iceServers: [] }])
    }
  })

  it('tells a proof for the name it was dialed by from a bad one', () => {
    const rig = new HubRig()
    const codeFor = (name: string) => {
      const socket = rig.connect()
      rig.send(socket, rig.proof(socket, server, name))
      const [answer] = rig.take(socket)
      return answer?.type === 'error' ? answer.code : undefined
    }
    expect(codeFor('ws://elsewhere.test')).toBe('WRONG_HUB')
    expect(codeFor('ws://nowhere.test')).toBe('BAD_SIGNATURE')
    expect(rig.hub.counts().registered).toBe(0)
  })

  it('uses a challenge up, whether the proof is good or not', () => {
    const rig = new HubRig()
    const socket = rig.connect()
    rig.send(socket, { type: 'register', key: server, signature: rigSignature(server) })
    rig.send(socket, rig.proof(socket, server))
    expect(rig.take(socket)).toMatchObject([{ code: 'BAD_SIGNATURE' }, { code: 'BAD_SIGNATURE' }])
  })

  it.each([
    [-1, 'registered'],
    [0, 'error'],
    [1, 'error'],
  ])('takes a challenge %i ms from its end with %s', (fromEndMs, type) => {
    const { rig, client } = introduced()
    rig.advance(defaultLimits.challengeMs + fromEndMs)
    rig.send(client, rig.proof(client, keyOf(2)))
    expect(rig.take(client)).toMatchObject([{ type }])
  })

  it('refuses a second key on one socket', () => {
    const rig = new HubRig()
    const socket = rig.registered(server)
    rig.send(socket, rig.proof(socket, keyOf(2)))
    expect(rig.take(socket)).toMatchObject([{ code: 'INVALID' }])
  })

  it('replaces the older socket and ends its introductions', () => {
    const { rig, target, client } = introduced()
    const newer = rig.registered(server)
    expect(rig.take(target)).toEqual([{ type: 'replaced' }])
    expect(rig.closed.get(target)).toBe(hubCloseCodes.replaced)
    expect(rig.take(client)).toEqual([{ type: 'closed', id: idOf(1), reason: 'gone' }])
    rig.send(client, { type: 'introduce', id: idOf(2), to: server })
    expect(rig.take(newer)).toEqual([{ type: 'incoming', id: idOf(2) }])
    rig.leave(target)
    expect(rig.hub.counts().registered).toBe(1)
  })
})

describe('introducing', () => {
  it('answers at once when the peer is not there', () => {
    const rig = new HubRig()
    const client = rig.connect()
    rig.send(client, { type: 'introduce', id: idOf(1), to: server })
    expect(rig.take(client)).toMatchObject([{ code: 'PEER_NOT_FOUND', id: idOf(1) }])
  })

  it('refuses an id in use and a socket that asks for itself', () => {
    const { rig, target } = introduced()
    const other = rig.connect()
    rig.send(other, { type: 'introduce', id: idOf(1), to: server })
    expect(rig.take(other)).toMatchObject([{ code: 'ID_IN_USE', id: idOf(1) }])
    rig.send(target, { type: 'introduce', id: idOf(2), to: server })
    expect(rig.take(target)).toMatchObject([{ code: 'INVALID', id: idOf(2) }])
  })

  it('says the same of an id of others as of one that does not exist', () => {
    const { rig, target, client } = introduced()
    const stranger = rig.connect()
    for (const type of ['signal', 'relay', 'close'] as const) {
      for (const id of [idOf(1), idOf(9)]) rig.send(stranger, { type, id, data: 'x', reason: '' })
      const [foreign, missing] = rig.take(stranger)
      expect(foreign).toMatchObject({ code: 'NO_INTRODUCTION', id: idOf(1) })
      expect({ ...missing, id: idOf(1) }).toEqual(foreign)
    }
    expect([...rig.take(target), ...rig.take(client)]).toEqual([])
  })

  it('lets only the dialed peer ask for a relay, which this hub has not', () => {
    const { rig, target, client } = introduced()
    rig.send(target, { type: 'relay', id: idOf(1) })
    expect(rig.take(target)).toMatchObject([{ code: 'RELAY_OFF', id: idOf(1) }])
    rig.send(client, { type: 'relay', id: idOf(1) })
    expect(rig.take(client)).toMatchObject([{ code: 'INVALID', id: idOf(1) }])
  })

  it('ends for both after its life', () => {
    const { rig, target, client } = introduced(new HubRig({ pingMs: 1e9 }))
    rig.advance(defaultLimits.introductionMs - 1)
    expect(rig.hub.counts().introductions).toBe(1)
    rig.advance(1)
    const closed = { type: 'closed', id: idOf(1), reason: 'expired' }
    expect([...rig.take(target), ...rig.take(client)]).toEqual([closed, closed])
  })

  it.each([
    ['client', 63, 0],
    ['client', 64, 0],
    ['client', 65, 1],
    ['target', 64, 0],
    ['target', 65, 1],
  ] as const)('takes 64 signals of its %s: of %i, %i are refused', (side, sent, refused) => {
    const ends = introduced()
    const { rig } = ends
    const far = side === 'client' ? ends.target : ends.client
    for (let index = 0; index < sent; index += 1) {
      rig.send(ends[side], { type: 'signal', id: idOf(1), data: `s${index}` })
    }
    const datas = rig.take(far).map((message) => (message.type === 'signal' ? message.data : ''))
    expect(datas).toEqual(Array.from({ length: sent - refused }, (_, index) => `s${index}`))
    expect(rig.take(ends[side]).length).toBe(refused)
  })

  it('ends for both when a signal of it could not be sent to one, and for nobody else', () => {
    const { rig, target, client } = introduced()
    const other = rig.connect()
    rig.send(other, { type: 'introduce', id: idOf(2), to: server })
    for (const socket of [target, other]) rig.take(socket)
    const lose = (socket: number, id: string) =>
      rig.handle({ kind: 'undelivered', socket, id, what: 'signal' })
    lose(other, idOf(1))
    lose(target, idOf(3))
    for (const socket of [target, client, other]) expect(rig.take(socket)).toEqual([])
    lose(target, idOf(1))
    lose(target, idOf(1))
    for (const socket of [target, client]) {
      expect(rig.take(socket)).toEqual([{ type: 'closed', id: idOf(1), reason: 'lost' }])
    }
    rig.send(other, { type: 'signal', id: idOf(2), data: 'a' })
    expect(rig.take(target)).toEqual([{ type: 'signal', id: idOf(2), data: 'a' }])
    expect(rig.closed.size).toBe(0)
  })

  it('ends for the client alone when its peer could not be told of it', () => {
    const { rig, target, client } = introduced()
    rig.handle({ kind: 'undelivered', socket: target, id: idOf(1), what: 'incoming' })
    expect(rig.take(client)).toEqual([{ type: 'closed', id: idOf(1), reason: 'lost' }])
    expect(rig.take(target)).toEqual([])
    expect(rig.hub.counts()).toMatchObject({ introductions: 0, targets: 0, registered: 1 })
  })

  it('takes no more at once than an address may make', () => {
    const rig = new HubRig()
    for (const number of [1, 2]) rig.registered(keyOf(number))
    const clients: number[] = []
    const codes = Array.from({ length: 17 }, (_, index) => {
      const client = rig.connect('198.51.100.1')
      clients.push(client)
      rig.send(client, { type: 'introduce', id: idOf(index), to: keyOf((index % 2) + 1) })
      return rig.take(client)[0]
    })
    expect(codes.slice(0, 16).every((answer) => answer?.type === 'introduced')).toBe(true)
    expect(codes[16]).toMatchObject({ code: 'BUSY', id: idOf(16), retryAfterMs: 5_000 })
    const [one = 0, other = 0] = clients
    rig.send(one, { type: 'close', id: idOf(0), reason: 'open' })
    rig.send(other, { type: 'introduce', id: idOf(17), to: keyOf(1) })
    expect(rig.take(other)).toMatchObject([{ type: 'introduced' }])
  })

  it('takes no more at once for a target than it may have, from all and from one address', () => {
    const rig = new HubRig({ introductionsPerAddress: 100 })
    rig.registered(server)
    const ask = (source: string, number: number) => {
      const client = rig.connect(source)
      rig.send(client, { type: 'introduce', id: idOf(number), to: server })
      return rig.take(client)[0]
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
    const rig = new HubRig()
    const client = rig.connect()
    for (let number = 0; number < 21; number += 1) {
      rig.send(client, { type: 'introduce', id: idOf(number), to: server })
    }
    const codes = rig.take(client).map((answer) => (answer.type === 'error' ? answer.code : answer.type))
    expect(codes).toEqual([...Array.from({ length: 20 }, () => 'PEER_NOT_FOUND'), 'RATE'])
    rig.advance(100)
    rig.send(client, { type: 'introduce', id: idOf(1), to: server })
    expect(rig.take(client)).toMatchObject([{ code: 'PEER_NOT_FOUND' }])
  })
})

describe('sockets', () => {
  it.each([
    ['unregisteredSocketsPerAddress', 16],
    ['socketsPerAddress', 64],
  ] as const)('of one address end at %s', (limit, cap) => {
    const rig = new HubRig({
      newSocketsBurstPerAddress: 1_000,
      unregisteredSocketsPerAddress: 1_000,
      [limit]: cap,
    })
    const taken = Array.from({ length: cap + 1 }, () => rig.tryConnect('192.0.2.1'))
    expect(taken.slice(0, cap).every((socket) => typeof socket === 'number')).toBe(true)
    expect(taken[cap]).toBe('BUSY')
    rig.leave(Number(taken[0]))
    expect(rig.tryConnect('192.0.2.1')).toBeTypeOf('number')
  })

  it('that have not registered end at their cap over all addresses', () => {
    const rig = new HubRig()
    for (let index = 0; index < 1_024; index += 1) expect(rig.tryConnect(`s${index}`)).toBeTypeOf('number')
    expect(rig.tryConnect('another')).toBe('BUSY')
    rig.send(1, rig.proof(1, server))
    expect(rig.tryConnect('another')).toBeTypeOf('number')
  })

  it('of one address are opened no faster than they may be', () => {
    const rig = new HubRig({ unregisteredSocketsPerAddress: 1_000 })
    for (let index = 0; index < 20; index += 1) expect(rig.tryConnect('192.0.2.1')).toBeTypeOf('number')
    expect(rig.tryConnect('192.0.2.1')).toBe('RATE')
    rig.advance(199)
    expect(rig.tryConnect('192.0.2.1')).toBe('RATE')
    rig.advance(1)
    expect(rig.tryConnect('192.0.2.1')).toBeTypeOf('number')
  })

  it('that leave and come again do not get their rates back sooner', () => {
    const rig = new HubRig()
    for (let index = 0; index < 20; index += 1) rig.leave(Number(rig.tryConnect('192.0.2.1')))
    expect(rig.tryConnect('192.0.2.1')).toBe('RATE')
  })

  it('of loopback are exempt only when that was asked for', () => {
    for (const [exempt, answer] of [
      [true, 'number'],
      [false, 'string'],
    ] as const) {
      const rig = new HubRig({ unregisteredSocketsPerAddress: 1 }, exempt)
      rig.tryConnect('127.0.0.1')
      expect(rig.tryConnect('127.0.0.1')).toBeTypeOf(answer)
    }
  })

  it('that proved a key end at their cap, but an old key may be proved anew', () => {
    const rig = new HubRig({ registeredPeers: 2 })
    rig.registered(keyOf(1))
    rig.registered(keyOf(2))
    const third = rig.connect()
    rig.send(third, rig.proof(third, keyOf(3)))
    expect(rig.take(third)).toMatchObject([{ code: 'BUSY' }])
    rig.registered(keyOf(2))
    expect(rig.hub.counts().registered).toBe(2)
  })

  it('that are clients end at their cap', () => {
    const { rig, client } = introduced(new HubRig({ anonymousPeers: 1 }))
    const second = rig.connect()
    rig.send(second, { type: 'introduce', id: idOf(2), to: server })
    expect(rig.take(second)).toMatchObject([{ code: 'BUSY' }])
    rig.leave(client)
    rig.send(second, { type: 'introduce', id: idOf(2), to: server })
    expect(rig.take(second)).toMatchObject([{ type: 'introduced' }])
  })

  it('that do nothing are closed at the deadline, counted from when they were accepted', () => {
    const rig = new HubRig()
    rig.nowMs = 10_000
    rig.handle({ kind: 'connected', socket: 99, source: 's', acceptedAtMs: 7_000, dialedAs: [] })
    rig.advance(1_999)
    expect(rig.closed.size).toBe(0)
    rig.advance(1)
    expect(rig.closed.get(99)).toBe(hubCloseCodes.deadline)
  })

  it('of clients are closed when they have had no introduction for a while', () => {
    const { rig, client, target } = introduced(new HubRig({ pingMs: 1e9 }))
    rig.send(client, { type: 'close', id: idOf(1), reason: 'open' })
    rig.advance(defaultLimits.idleAnonymousMs - 1)
    expect(rig.closed.size).toBe(0)
    rig.advance(1)
    expect(rig.closed).toEqual(new Map([[client, hubCloseCodes.deadline]]))
    rig.advance(1e6)
    expect(rig.closed.has(target)).toBe(false)
  })

  it('are pinged, and closed when no pong comes', () => {
    const rig = new HubRig()
    const socket = rig.registered(server)
    rig.advance(25_000)
    expect(rig.pings).toEqual([socket])
    rig.handle({ kind: 'pong', socket, bytes: 0 })
    rig.advance(34_999)
    expect(rig.pings).toEqual([socket, socket])
    expect(rig.closed.size).toBe(0)
    rig.advance(1)
    expect(rig.closed.get(socket)).toBe(hubCloseCodes.deadline)
  })
})

describe('rates', () => {
  it('pause a socket after its burst and obey the rest in order at the rate', () => {
    const rig = new HubRig()
    const socket = rig.registered(server)
    for (let index = 0; index < 210; index += 1) rig.send(socket, { type: 'relay', id: idOf(index) })
    // One of the burst was the registration.
    expect(rig.take(socket).length).toBe(199)
    expect(rig.paused.has(socket)).toBe(true)
    rig.advance(100)
    expect(rig.take(socket).length).toBe(5)
    rig.advance(120)
    expect(rig.take(socket).map((message) => 'id' in message && message.id)).toEqual(
      [204, 205, 206, 207, 208, 209].map(idOf),
    )
    expect(rig.paused.has(socket)).toBe(false)
  })

  it('count bytes as well', () => {
    const rig = new HubRig()
    const socket = rig.connect()
    const text = `{"type":"x","pad":"${'x'.repeat(60_000)}"}`
    for (let index = 0; index < 5; index += 1) rig.sendText(socket, text)
    expect(rig.take(socket).length).toBe(4)
    expect(rig.paused.has(socket)).toBe(true)
    rig.advance(500)
    expect(rig.take(socket).length).toBe(1)
  })

  it('count pings and pongs as well', () => {
    const rig = new HubRig()
    const socket = rig.registered(server)
    for (let index = 0; index < 200; index += 1)
      rig.handle({ kind: index % 2 ? 'ping' : 'pong', socket, bytes: 0 })
    expect(rig.paused.has(socket)).toBe(true)
  })

  it('of an address are four times those of a peer, whatever the number of its sockets', () => {
    const rig = new HubRig({ newSocketsBurstPerAddress: 100 })
    const sockets = Array.from({ length: 8 }, () => rig.connect('192.0.2.1'))
    for (const socket of sockets)
      for (let index = 0; index < 150; index += 1) rig.sendText(socket, '{"type":"x"}')
    expect(sockets.flatMap((socket) => rig.take(socket)).length).toBe(800)
  })

  it('close a socket that goes on for too long, and forgive one that calms down', () => {
    const rig = new HubRig()
    const [loud, calm] = [rig.registered(server), rig.registered(keyOf(2))]
    const relay = { type: 'relay', id: idOf(1) } as const
    for (let index = 0; index < 210; index += 1) rig.send(calm, relay)
    for (let ms = 0; ms < 12_000 && !rig.closed.has(loud); ms += 10) {
      for (let index = 0; index < 5 && !rig.paused.has(loud); index += 1) rig.send(loud, relay)
      if (rig.nowMs === 9_000) for (let index = 0; index < 210; index += 1) rig.send(calm, relay)
      rig.advance(10)
    }
    expect(rig.closed.get(loud)).toBe(hubCloseCodes.flood)
    expect(rig.nowMs).toBeGreaterThanOrEqual(10_000)
    expect(rig.nowMs).toBeLessThan(11_500)
    rig.advance(5_000)
    expect(rig.closed.has(calm)).toBe(false)
  })

  it.each([
    [-1, undefined],
    [0, undefined],
    [1, hubCloseCodes.flood],
  ])('close at once what waits for %i bytes more than may wait: %s', (more, code) => {
    // Each costs 128 beside its own.
    const rig = new HubRig({ messagesBurst: 1, waitingBytes: 1_256 })
    const socket = rig.connect()
    rig.sendText(socket, '{"type":"x"}')
    rig.sendText(socket, '{"type":"x"}'.padEnd(500))
    rig.sendText(socket, '{"type":"x"}'.padEnd(500 + more))
    expect(rig.closed.get(socket)).toBe(code)
  })

  it('close at once what sends thousands of empty frames in one breath', () => {
    const rig = new HubRig()
    const socket = rig.connect()
    let frames = 0
    while (!rig.closed.has(socket) && frames < 10_900) {
      rig.handle({ kind: 'pong', socket, bytes: 0 })
      frames += 1
    }
    expect(rig.closed.get(socket)).toBe(hubCloseCodes.flood)
    expect(frames).toBe(rig.limits.messagesBurst + rig.limits.waitingBytes / 128 + 1)
  })

  it('owe nothing for what was obeyed', () => {
    const rig = new HubRig({ messagesBurst: 1, waitingBytes: 1_000 })
    const socket = rig.connect()
    for (let count = 0; count < 10; count += 1) {
      for (const _ of [1, 2]) rig.sendText(socket, '{"type":"x"}'.padEnd(300))
      rig.advance(300)
    }
    expect(rig.closed.has(socket)).toBe(false)
  })

  it('close at once what sends on although it is not read', () => {
    const rig = new HubRig()
    const socket = rig.connect()
    const text = `{"type":"x","pad":"${'x'.repeat(60_000)}"}`
    for (let index = 0; index < 9; index += 1) rig.sendText(socket, text)
    expect(rig.closed.get(socket)).toBe(hubCloseCodes.flood)
  })
})

describe('messages that are not understood', () => {
  it('are answered', () => {
    const rig = new HubRig()
    const socket = rig.connect()
    rig.sendText(socket, `{"type":"later","id":"${idOf(1)}"}`)
    rig.sendText(socket, `{"type":"introduce","id":"${idOf(1)}"}`)
    expect(rig.take(socket)).toMatchObject([
      { code: 'UNKNOWN_MESSAGE', id: idOf(1) },
      { code: 'INVALID', id: idOf(1), message: 'to of introduce is malformed' },
    ])
  })

  it.each(['', '{', '[]', '"x"'])('close the socket when they are %j', (text) => {
    const rig = new HubRig()
    const socket = rig.connect()
    rig.sendText(socket, text)
    expect(rig.closed.get(socket)).toBe(hubCloseCodes.protocol)
  })
})

describe('leaving', () => {
  it('tells the other side of each introduction and leaves nothing behind', () => {
    const { rig, target, client } = introduced()
    rig.leave(client)
    expect(rig.take(target)).toEqual([{ type: 'closed', id: idOf(1), reason: 'gone' }])
    rig.leave(target)
    rig.advance(60_000)
    expect(rig.hub.counts()).toEqual(nothing)
    expect(rig.hub.nextAtMs).toBeUndefined()
  })

  it('sends everyone away a little apart when the hub drains', () => {
    const rig = new HubRig()
    const sockets = [1, 2, 3, 4].map((number) => rig.registered(keyOf(number)))
    rig.handle({ kind: 'drain' })
    const waits = sockets.flatMap((socket) => rig.take(socket))
    expect(waits).toEqual(
      [0, 1_250, 2_500, 3_750].map((reconnectAfterMs) => ({
        type: 'restarting',
        reconnectAfterMs,
        tryForMs: 60_000,
      })),
    )
    for (const socket of sockets) expect(rig.closed.get(socket)).toBe(hubCloseCodes.restarting)
    expect(rig.hub.counts().sockets).toBe(0)
  })

  it('takes as long for that as a hub needs to let so many in again', () => {
    const rig = new HubRig({ registrationsPerSecond: 0.1, registrationsBurst: 10 })
    const sockets = [1, 2, 3, 4].map((number) => rig.registered(keyOf(number)))
    rig.handle({ kind: 'drain' })
    const waits = sockets.flatMap((socket) => rig.take(socket))
    expect(waits).toMatchObject([0, 10_000, 20_000, 30_000].map((reconnectAfterMs) => ({ reconnectAfterMs })))
  })
})
