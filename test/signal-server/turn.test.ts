import { createHash, createHmac } from 'node:crypto'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { fromText, toBase64 } from '../../core/bytes.ts'
import type { IceServer } from '../../core/hub-protocol.ts'
import { MultiServer } from '../../core/multiserver.ts'
import { generateKeys } from '../../plugs/keys.ts'
import { rtc } from '../../plugs/rtc/index.ts'
import { shs } from '../../plugs/shs/index.ts'
import { startHub } from '../../signal-server/index.ts'
import { IceServers } from '../../signal-server/turn.ts'
import { canRun, titleOf } from '../support/can-run.ts'
import { type Coturn, startCoturn } from './coturn.ts'
import { HubRig, idOf, keyOf } from './hub-rig.ts'
import { TurnClient } from './turn-client.ts'

const halfMs = 30 * 60_000
const startMs = Date.UTC(2026, 0, 1)
const stun: IceServer = { urls: ['stun:stun.example.com'] }
const own: IceServer = { urls: ['turn:own.example.com'], username: 'me', credential: 'mine' }
const turn = { urls: ['turn:turn.example.com'], secret: 'shared' }

const alice = { key: 'a'.repeat(43), account: { source: '192.0.2.1' } }
const stranger = { key: undefined, account: { source: '192.0.2.1' } }

function at(wallMs: number, options = {}) {
  return new IceServers({ turn, ...options }, () => wallMs)
}

/** The credential that coturn is to know, and how long it is good for. */
function credentialOf({ iceServers }: { iceServers: readonly IceServer[] }, nowMs: number) {
  const { username = '', credential = '' } = iceServers.at(-1) ?? {}
  const [expiry = '', name = ''] = username.split(':')
  return { username, name, credential, leftMs: Number(expiry) * 1000 - nowMs }
}

describe('the servers that peers are told', () => {
  it('are STUN only before the hub knows who asks, also out of a mixed list', () => {
    const mixed = { ...own, urls: ['turn:own.example.com', 'stun:own.example.com'] }
    const servers = new IceServers({ iceServers: [stun, own, mixed], turn })
    expect(servers.stunOnly()).toEqual([stun, { urls: ['stun:own.example.com'] }])
  })

  it('are all for who has a key, and for who has none unless the operator says otherwise', () => {
    const options = { iceServers: [stun, own] }
    for (const owner of [alice, stranger]) {
      expect(at(startMs, options).forOwner(owner).iceServers).toEqual([
        stun,
        own,
        { urls: turn.urls, username: expect.any(String) as string, credential: expect.any(String) as string },
      ])
    }
    const withheld = at(startMs, { ...options, turnForAnonymous: false })
    expect(withheld.forOwner(stranger)).toEqual({ iceServers: [stun], renewInMs: undefined })
    expect(withheld.forOwner(alice).iceServers).toHaveLength(3)
  })

  it('have credentials as coturn checks them', () => {
    const { username, name, credential } = credentialOf(at(startMs).forOwner(alice), startMs)
    expect(name).toBe(createHash('sha256').update(`shared${alice.key}`).digest('hex').slice(0, 16))
    expect(username).toMatch(/^\d{10}:[0-9a-f]{16}$/)
    expect(credential).toBe(createHmac('sha1', 'shared').update(username).digest('base64'))
  })

  it('have one credential for each key, for each address without one, and for each secret', () => {
    const others = [alice, stranger, { key: undefined, account: { source: '192.0.2.2' } }]
    const names = others.map((owner) => credentialOf(at(startMs).forOwner(owner), startMs).name)
    const elsewhere = at(startMs, { turn: { ...turn, secret: 'another' } }).forOwner(alice)
    expect(new Set([...names, credentialOf(elsewhere, startMs).name]).size).toBe(4)
  })

  it('repeat a credential until half its life is over, whichever hub of a cluster is asked', () => {
    fc.assert(
      fc.property(fc.nat(10 * halfMs), fc.base64String({ minLength: 1, maxLength: 44 }), (laterMs, key) => {
        const nowMs = startMs + laterMs
        const owner = { ...alice, key }
        const given = at(nowMs).forOwner(owner)
        const renewInMs = given.renewInMs ?? 0
        const { leftMs } = credentialOf(given, nowMs)
        expect(renewInMs).toBeGreaterThan(0)
        expect(renewInMs).toBeLessThanOrEqual(halfMs)
        expect(leftMs).toBeGreaterThan(halfMs - 1000)
        expect(leftMs).toBeLessThanOrEqual(2 * halfMs)
        expect(at(nowMs + renewInMs - 1).forOwner(owner).iceServers).toEqual(given.iceServers)
        const renewed = at(nowMs + renewInMs).forOwner(owner)
        expect(renewed.iceServers).not.toEqual(given.iceServers)
        expect(credentialOf(renewed, nowMs + renewInMs).leftMs).toBeGreaterThan(2 * halfMs - 1001)
      }),
    )
  })

  it('are not renewed for all peers at once', () => {
    const waits = Array.from({ length: 1000 }, (_, index) => {
      return at(startMs).forOwner({ ...alice, key: String(index) }).renewInMs ?? 0
    })
    const early = waits.filter((waitMs) => waitMs < halfMs / 4).length
    expect(early).toBeGreaterThan(150)
    expect(early).toBeLessThan(350)
  })

  it.each([
    ['with slashes', { iceServers: [{ urls: ['stun://a.example'] }] }, /stun:\/\/a\.example is no STUN/],
    ['of another scheme', { iceServers: [{ urls: ['https:a.example'] }] }, /https:a\.example is no STUN/],
    ['of an unknown transport', { turn: { ...turn, urls: ['turn:a?transport=x'] } }, /is no STUN or TURN/],
    ['with TURN but no credential', { iceServers: [{ urls: ['turn:a.example'] }] }, /needs a username/],
    ['without a secret', { turn: { ...turn, secret: '' } }, /secret of the TURN server is empty/],
    [
      'of which peers would not take all',
      { iceServers: [{ urls: Array.from({ length: 8 }, () => 'stun:a.example') }], turn },
      /peers take 8 STUN and TURN URLs, not 9/,
    ],
  ])('are refused %s', (_what, options, message) => {
    expect(() => new IceServers(options)).toThrow(message)
  })

  it('are refused before the hub listens', async () => {
    const starting = startHub({ turn: { ...turn, urls: ['turn:'] } })
    await expect(starting).rejects.toMatchObject({ code: 'LISTEN_FAILED' })
  })
})

describe('the hub', () => {
  /** Its two clocks go on together. */
  function rigWithTurn(options = {}) {
    const rig: HubRig = new HubRig(
      {},
      false,
      new IceServers({ turn, iceServers: [stun], ...options }, () => startMs + rig.nowMs),
    )
    return rig
  }

  it('gives TURN with `registered` and `introduced`, each its own', () => {
    const rig = rigWithTurn()
    const server = rig.connect()
    rig.send(server, rig.proof(server, keyOf(1)))
    const [registered] = rig.take(server)
    const client = rig.connect('192.0.2.77')
    rig.send(client, { type: 'introduce', id: idOf(1), to: keyOf(1) })
    const [introduced] = rig.take(client)
    if (registered?.type !== 'registered' || introduced?.type !== 'introduced') throw new Error('unexpected')
    expect(registered.iceServers).toHaveLength(2)
    expect(introduced.iceServers).toHaveLength(2)
    expect(credentialOf(registered, 0).name).not.toBe(credentialOf(introduced, 0).name)
  })

  it('renews them over the same socket at half their life, as long as the peer is there', () => {
    const rig = rigWithTurn()
    const server = rig.registered(keyOf(1))
    const renewals: string[] = []
    rig.onEffect = (effect) => {
      if (effect.kind === 'ping') rig.handle({ kind: 'pong', socket: server, bytes: 0 })
      if (effect.kind !== 'send' || effect.message.type !== 'ice-servers') return
      const { username, leftMs } = credentialOf(effect.message, startMs + rig.nowMs)
      expect(leftMs).toBeGreaterThan(2 * halfMs - 1001)
      renewals.push(username)
    }
    rig.advance(3 * halfMs)
    expect(new Set(renewals).size).toBe(3)
    rig.leave(server)
    rig.advance(3 * halfMs)
    expect(renewals).toHaveLength(3)
    expect(rig.hub.nextAtMs).toBeUndefined()
  })

  it('says nothing again where nothing ends', () => {
    const rig = rigWithTurn({ turn: undefined, iceServers: [own] })
    const server = rig.registered(keyOf(1))
    rig.onEffect = (effect) => {
      if (effect.kind === 'ping') rig.handle({ kind: 'pong', socket: server, bytes: 0 })
      expect(effect).not.toMatchObject({ message: { type: 'ice-servers' } })
    }
    rig.advance(3 * halfMs)
  })
})

describe.skipIf(!canRun('turnserver'))(`with a real coturn: ${titleOf('turnserver')}`, () => {
  const releases: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const release of releases.splice(0).toReversed()) await release()
  })

  async function start(lines: readonly string[] = []): Promise<Coturn> {
    const coturn = await startCoturn(lines)
    releases.push(() => coturn.stop())
    return coturn
  }

  function credentialAt(wallMs: number, { secret }: Coturn, key = 'somebody') {
    const servers = new IceServers({ turn: { ...turn, secret } }, () => wallMs)
    const { username = '', credential = '' } = servers.forOwner({ ...alice, key }).iceServers[0] ?? {}
    return { username, credential }
  }

  it('two peers that may use nothing else are connected through it', async () => {
    // Peers of this test are on this machine, which the configuration denies.
    const { port, secret } = await start(['allow-loopback-peers', 'allowed-peer-ip=127.0.0.1'])
    const hub = await startHub({ turn: { urls: [`turn:127.0.0.1:${port}`], secret } })
    releases.push(() => hub.close())
    const keys = await generateKeys()
    const relayed = () => rtc({ hub: hub.url, iceTransportPolicy: 'relay' })
    const server = MultiServer([[relayed(), shs({ keys })]])
    const close = server.server(async (connection) => {
      for await (const chunk of connection) await connection.write(chunk)
      await connection.close()
    })
    releases.push(() => close())
    await close.listening
    const client = MultiServer([[relayed(), shs({ keys: await generateKeys() })]])
    const connection = await client.client(
      `rtc:${hub.url.slice('ws://'.length)}~shs:${toBase64(keys.publicKey)}`,
    )
    await connection.write(fromText('through TURN'))
    expect(await connection.read()).toEqual(fromText('through TURN'))
    await connection.close()
  })

  it('takes a credential until its end, and none of another secret', async () => {
    const coturn = await start()
    const good = new TurnClient(coturn.port, credentialAt(Date.now(), coturn))
    expect(await good.allocate()).toBe(0)
    await good.close()
    const late = new TurnClient(coturn.port, credentialAt(Date.now() - 3_600_000, coturn))
    expect(await late.allocate()).toBe(401)
    await late.close()
    const forged = new TurnClient(coturn.port, credentialAt(Date.now(), { ...coturn, secret: 'guessed' }))
    expect(await forged.allocate()).toBe(401)
    await forged.close()
  })

  it('gives one key no more allocations than its quota, whatever credential it shows', async () => {
    const coturn = await start(['user-quota=2'])
    const clients = [0, 0, 3_500_000].map(
      (laterMs) => new TurnClient(coturn.port, credentialAt(Date.now() + laterMs, coturn)),
    )
    const codes: number[] = []
    for (const client of clients) codes.push(await client.allocate())
    expect(codes).toEqual([0, 0, 486])
    const other = new TurnClient(coturn.port, credentialAt(Date.now(), coturn, 'somebody else'))
    expect(await other.allocate()).toBe(0)
    for (const client of [...clients, other]) await client.close()
  })

  it('relays to public addresses and to no others', async () => {
    const coturn = await start(['relay-ip=::1', 'allow-loopback-peers'])
    const client = new TurnClient(coturn.port, credentialAt(Date.now(), coturn))
    expect(await client.allocate(4)).toBe(0)
    expect(await client.permit('8.8.8.8')).toBe(0)
    for (const address of denied4) expect([address, await client.permit(address)]).toEqual([address, 403])
    await client.close()
    const client6 = new TurnClient(coturn.port, credentialAt(Date.now(), coturn))
    expect(await client6.allocate(6)).toBe(0)
    expect(await client6.permit('2606:4700::1111')).toBe(0)
    for (const address of denied6) expect([address, await client6.permit(address)]).toEqual([address, 403])
    await client6.close()
  })
})

/** Both ends of what nobody may be relayed to. */
const denied4 = `
  0.0.0.1 10.0.0.1 10.255.255.254 100.64.0.1 100.100.100.200 127.0.0.1 127.255.255.254 168.63.129.16 169.254.169.254
  172.16.0.1 172.31.255.254 192.0.0.192 192.0.2.1 192.168.0.1 192.168.255.254 198.18.0.1 198.19.255.254 198.51.100.7
  203.0.113.9 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255`
  .trim()
  .split(/\s+/)
const denied6 = `
  :: ::1 ::10.0.0.1 ::ffff:10.0.0.1 ::ffff:127.0.0.1 64:ff9b::10.0.0.1 64:ff9b:1::1 100::1 2001::1 2001:db8::1
  2002:a00:1::1 fc00::1 fd00:ec2::254 fdff::1 fe80::1 febf::1 fec0::1 ff02::1 ff0e::1`
  .trim()
  .split(/\s+/)
