import { describe, expect, it } from 'vitest'
import { HubRig, idOf, keyOf } from '../hub-rig.ts'
import { connectTo, join, nextOf, start } from './started.ts'

const from = (address: string) => ({ headers: { 'x-forwarded-for': address } })

describe('the address that a limit counts by', () => {
  it.each([
    ['is forwarded by a listed proxy', { trustProxy: ['127.0.0.1'] }, '192.0.2.1', '192.0.2.2', 'welcome'],
    [
      'is forwarded by a proxy of a listed network',
      { trustProxy: ['127.0.0.0/8'] },
      '192.0.2.1',
      '192.0.2.2',
      'welcome',
    ],
    ["is the proxy's own when it is not listed", {}, '192.0.2.1', '192.0.2.2', '503'],
    [
      "is the proxy's own when others are listed",
      { trustProxy: ['192.0.2.0/24'] },
      '192.0.2.1',
      '192.0.2.2',
      '503',
    ],
    [
      'is the last that a listed proxy did not write',
      { trustProxy: ['127.0.0.1'] },
      '203.0.113.1, 192.0.2.1',
      '203.0.113.2, 192.0.2.1',
      '503',
    ],
    [
      'is one for all of a /56',
      { trustProxy: ['127.0.0.1'] },
      '2001:db8:0:100::1',
      '2001:db8:0:1ff:ffff::1',
      '503',
    ],
    [
      'is another for the next /56',
      { trustProxy: ['127.0.0.1'] },
      '2001:db8:0:100::1',
      '2001:db8:0:200::1',
      'welcome',
    ],
    [
      'is the same for an IPv4 address in IPv6',
      { trustProxy: ['127.0.0.1'] },
      '192.0.2.1',
      '::ffff:192.0.2.1',
      '503',
    ],
    [
      'does not have the port that a proxy writes behind it',
      { trustProxy: ['127.0.0.1'] },
      '192.0.2.1:1111',
      '192.0.2.1:2222',
      '503',
    ],
    [
      'does not have the port that a proxy writes behind it in IPv6',
      { trustProxy: ['127.0.0.1'] },
      '[2001:db8::1]:1111',
      '[2001:db8::1]:2222',
      '503',
    ],
    ['is one for all that have none', { trustProxy: ['127.0.0.1'] }, 'unknown', '_hidden', '503'],
  ])('%s', async (_what, options, first, second, seen) => {
    const started = await start({ ...options, limits: { unregisteredSocketsPerAddress: 1 } })
    expect(await nextOf(connectTo(started, from(first)))).toBe('welcome')
    expect(await nextOf(connectTo(started, from(second)))).toBe(seen)
  })

  it('is exempt for loopback only when it really is loopback', async () => {
    const started = await start({
      trustProxy: ['127.0.0.1'],
      exemptLoopback: true,
      limits: { unregisteredSocketsPerAddress: 1 },
    })
    for (const _ of [1, 2]) expect(await nextOf(connectTo(started))).toBe('welcome')
    expect(await nextOf(connectTo(started, from('192.0.2.1')))).toBe('welcome')
    expect(await nextOf(connectTo(started, from('192.0.2.1')))).toBe('503')
  })

  it('has its limits also when its peers are registered', async () => {
    const started = await start({ trustProxy: ['127.0.0.1'], limits: { socketsPerAddress: 2 } })
    const answers = []
    for (const address of ['192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.2']) {
      answers.push((await join(started, from(address))).answer)
    }
    expect(answers).toEqual(['registered', 'registered', '503', 'registered'])
  })
})

describe('a site', () => {
  const addressOf = (number: number) => `2001:db8:1:${number.toString(16)}00::/56`
  const others = ['2001:db8:2::/56', '192.0.2.1']
  /** One of each address of the site until it is refused; how many there were. */
  function open(rig: HubRig, isRegistered: boolean): number {
    for (let count = 0; count < 256; count += 1) {
      const socket = rig.tryConnect(addressOf(count))
      if (typeof socket === 'string') return count
      if (isRegistered) rig.send(socket, rig.proof(socket, keyOf(count)))
    }
    return Infinity
  }

  it('has as many sockets as eight of its addresses, and others have theirs', () => {
    const rig = new HubRig({ socketsPerAddress: 4 })
    expect(open(rig, true)).toBe(32)
    expect(rig.hub.refusal(addressOf(33), 0)?.message).toBe('your network has as many sockets as it may')
    for (const other of others) expect(rig.hub.refusal(other, 0)).toBeUndefined()
  })

  it('has as many that have not registered as eight of its addresses', () => {
    const rig = new HubRig()
    expect(open(rig, false)).toBe(8 * rig.limits.unregisteredSocketsPerAddress)
    expect(rig.hub.refusal(addressOf(255), 0)?.message).toContain('of your network have not registered yet')
    for (const other of others) expect(rig.hub.refusal(other, 0)).toBeUndefined()
    // Until some of them go.
    rig.advance(rig.limits.registerMs)
    expect(rig.hub.refusal(addressOf(255), rig.nowMs)).toBeUndefined()
  })

  it('opens them as fast as eight of its addresses', () => {
    const rig = new HubRig({ socketsPerAddress: 1_000 })
    expect(open(rig, true)).toBe(8 * rig.limits.newSocketsBurstPerAddress)
    const refusal = rig.hub.refusal(addressOf(255), 0)
    expect(refusal).toEqual({
      code: 'RATE',
      message: 'your network opens sockets too fast',
      retryAfterMs: 25,
    })
    for (const other of others) expect(rig.hub.refusal(other, 0)).toBeUndefined()
    expect(rig.hub.refusal(addressOf(255), 25)).toBeUndefined()
  })

  it('does not have all introductions of a target', () => {
    const rig = new HubRig({ introductionMs: 5_000 })
    const target = keyOf(1)
    rig.registered(target)
    const introduce = (source: string, id: number) => {
      const client = rig.connect(source)
      rig.send(client, { type: 'introduce', id: idOf(id), to: target })
      return rig.take(client)
    }
    for (let id = 0; id < 32; id += 1) {
      expect(introduce(addressOf(id % 4), id)).toMatchObject([{ type: 'introduced' }])
    }
    expect(introduce(addressOf(9), 32)).toMatchObject([{ code: 'BUSY' }])
    for (const [index, other] of others.entries()) {
      expect(introduce(other, 40 + index)).toMatchObject([{ type: 'introduced' }])
    }
    rig.advance(rig.limits.introductionMs)
    expect(introduce(addressOf(9), 33)).toMatchObject([{ type: 'introduced' }])
  })

  it('is that of the address that a proxy forwards', async () => {
    const limits = { unregisteredSocketsPerAddress: 1, addressesWorthPerSite: 2 }
    const started = await start({ trustProxy: ['127.0.0.1'], limits })
    const seen = []
    for (const address of ['2001:db8:0:1::1', '2001:db8:0:101::1', '2001:db8:0:201::1', '2001:db8:1::1']) {
      seen.push(await nextOf(connectTo(started, from(address))))
    }
    expect(seen).toEqual(['welcome', 'welcome', '503', 'welcome'])
  })
})

describe('no signature is checked', () => {
  it('for more peers than the hub may have', () => {
    const rig = new HubRig({ registeredPeers: 2 })
    for (const number of [1, 2]) rig.registered(keyOf(number))
    const checked = rig.checks
    const third = rig.connect()
    rig.send(third, rig.proof(third, keyOf(3)))
    expect(rig.take(third)).toMatchObject([{ code: 'BUSY' }])
    expect(rig.checks).toBe(checked)
  })

  it('for more registrations than the hub takes in this time, and says when to come again', () => {
    const rig = new HubRig({ registrationsBurst: 2, registrationsPerSecond: 10 })
    for (const number of [1, 2]) rig.registered(keyOf(number))
    const checked = rig.checks
    const turns = [3, 4, 5].map((number) => {
      const socket = rig.connect()
      rig.send(socket, rig.proof(socket, keyOf(number)))
      const [answer] = rig.take(socket)
      expect(rig.closed.get(socket)).toBe(1012)
      return answer?.type === 'restarting' ? answer.reconnectAfterMs : undefined
    })
    // One after another, at four fifths of the rate.
    expect(turns).toEqual([125, 250, 375])
    expect(rig.checks).toBe(checked)
  })

  it('for a challenge that was used, which takes no turn from others however often it is said', () => {
    const rig = new HubRig({ registrationsBurst: 2, registrationsPerSecond: 1e-9 })
    const socket = rig.connect()
    for (let times = 0; times < 100; times += 1) {
      rig.send(socket, rig.proof(socket, keyOf(1), 'ws://nowhere.test'))
    }
    expect(rig.closed.has(socket)).toBe(false)
    expect(rig.checks).toBe(3)
    const honest = rig.connect()
    rig.send(honest, rig.proof(honest, keyOf(2)))
    expect(rig.take(honest)).toMatchObject([{ type: 'registered' }])
  })

  it('for a challenge that was used, nor for one that is over', () => {
    const rig = new HubRig()
    rig.registered(keyOf(1))
    const socket = rig.connect()
    rig.send(socket, rig.proof(socket, keyOf(2), 'ws://nowhere.test'))
    const checked = rig.checks
    rig.send(socket, rig.proof(socket, keyOf(2)))
    expect(rig.take(socket)).toMatchObject([{ code: 'BAD_SIGNATURE' }, { code: 'BAD_SIGNATURE' }])
    const late = rig.connect()
    rig.send(late, { type: 'introduce', id: idOf(1), to: keyOf(1) })
    rig.advance(rig.limits.challengeMs)
    rig.send(late, rig.proof(late, keyOf(2)))
    expect(rig.take(late).at(-1)).toMatchObject({ code: 'BAD_SIGNATURE' })
    expect(rig.checks).toBe(checked)
  })
})
