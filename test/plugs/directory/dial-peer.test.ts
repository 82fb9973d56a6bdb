import { lookup as resolve } from 'node:dns/promises'
import { createServer } from 'node:http'
import { hostname } from 'node:os'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { classifyIp, parseIp } from '../../../core/ip.ts'
import {
  MultiServer,
  type CloseServer,
  type DialStage,
  type MultiServer as Peer,
} from '../../../core/multiserver.ts'
import { dialPeer, lookup } from '../../../plugs/directory/index.ts'
import { hostOf } from '../../../plugs/directory/host-of.ts'
import { parseSection } from '../../../core/address.ts'
import { generateKeys, keyToString, type Keys } from '../../../plugs/keys.ts'
import net from '../../../plugs/net.ts'
import rtc from '../../../plugs/rtc/index.ts'
import shs from '../../../plugs/shs/index.ts'
import utp from '../../../plugs/utp/index.ts'
import ws from '../../../plugs/ws.ts'
import { failure } from '../../support/failure.ts'
import { recordOf } from '../../support/records.ts'
import { startLyingHub, type LyingHub } from './lying-hub.ts'

let hub: LyingHub
let keys: Keys
let key: string
let server: Peer
let close: CloseServer
let client: Peer
let accepted = 0

beforeAll(async () => {
  hub = await startLyingHub()
  keys = await generateKeys()
  key = keyToString(keys.publicKey)
  server = MultiServer([
    [net({ port: 0, host: '127.0.0.1' }), shs({ keys })],
    [ws({ port: 0, host: '127.0.0.1' }), shs({ keys })],
  ])
  close = server.server((connection) => {
    accepted += 1
    return connection.close()
  })
  await close.listening
  const own = await generateKeys()
  client = MultiServer([
    [net({ listen: false }), shs({ keys: own })],
    [ws({ listen: false }), shs({ keys: own })],
    [utp({ listen: false }), shs({ keys: own })],
    [rtc(), shs({ keys: own })],
    net({ listen: false }),
  ])
})

afterAll(async () => {
  await close()
  await hub.close()
})

let sequence = Date.now() - 60_000

/** Lets the hub show a record with these alternatives. */
async function show(...addresses: string[]): Promise<void> {
  sequence += 1
  const record = await recordOf(keys, { sequence, addresses, expiresAtMs: Date.now() + 60_000 })
  hub.answer = (response) => response.end(record)
}

function ports(): { net: number; ws: number } {
  const [tcp, web] = server.stringify().split(';')
  return { net: Number(/:(\d+)~/.exec(tcp ?? '')?.[1]), ws: Number(/:(\d+)[~/]/.exec(web ?? '')?.[1]) }
}

describe('dialing from a record', () => {
  it('dials what the record names, after a lookup, in one deadline', async () => {
    await show(...server.stringify().split(';'))
    const stages: DialStage[] = []
    const connection = await dialPeer(client, hub.url, keys.publicKey, {
      timeoutMs: 10_000,
      onProgress: ({ stage }) => stages.push(stage),
    })
    expect(connection.remote).toEqual(keys.publicKey)
    expect(stages).toContain('secured')
    await connection.close()
  })

  it('skips unix and memory, and what is nearer than the hub', async () => {
    const near = [
      'net:10.0.0.1:1',
      'net:fe80::1:1',
      'net:169.254.169.254:80',
      'utp:192.168.0.1:1',
      'ws://[fd00::1]:1/',
      'rtc:10.0.0.1',
      'net:localhost:1',
    ]
    const far = ['net:203.0.113.7:1', 'wss://example.com/', 'rtc:hub.example.com', 'onion:abc.onion:1']
    const local = ['unix:/tmp/socket', 'memory:name']
    const all = [...local, ...near, ...far].map((section) => `${section}~shs:${key}`)
    await show(...all.slice(0, 16))
    const found = await lookup(hub.url, key)
    expect(found.alternatives).toEqual(all)
    const sections = found.address.split(';').map((alternative) => alternative.split('~')[0])
    // This hub is on this machine, and so may be whatever it names, but not what nobody has a reason to name.
    expect(found.reach).toBe('device')
    expect(sections).toEqual([...near, ...far].filter((section) => !/169\.254|fe80/.test(section)))
  })

  it('goes to local networks for a hub from elsewhere only when the caller says so', async () => {
    // A hub whose name says nothing about where it is.
    const elsewhere = await startLyingHub('::')
    const name = `ws://${await nearName()}:${new URL(elsewhere.url).port}`
    try {
      const sections = ['net:10.0.0.1:1', 'net:127.0.0.1:1', 'net:203.0.113.7:1', 'net:host.example:1']
      const [inside, device, outside, named] = sections.map((section) => `${section}~shs:${key}`)
      await show(inside ?? '', device ?? '', outside ?? '', named ?? '')
      elsewhere.answer = hub.answer
      const found = await lookup(name, key)
      expect(found).toMatchObject({ address: `${outside};${named}`, reach: 'public' })
      const allowed = await lookup(name, key, { allowPrivate: true })
      expect(allowed).toMatchObject({ address: `${inside};${outside};${named}`, reach: 'local' })
      await show(`net:${await nearName()}:${ports().net}~shs:${key}`)
      elsewhere.answer = hub.answer
      const { attempts } = await failure(dialPeer(client, name, key))
      expect(attempts?.[0]?.message).toContain('may reach (public)')
    } finally {
      await elsewhere.close()
    }
  })

  it('has an error when nothing is left', async () => {
    await show(`unix:/tmp/socket~shs:${key}`)
    expect((await lookup(hub.url, key)).address).toBe('')
    expect((await failure(dialPeer(client, hub.url, key))).code).toBe('NO_STACK_FITS')
  })

  it('refuses what is weaker than shs, whatever the options say', async () => {
    const { net: port } = ports()
    await show(`net:127.0.0.1:${port}~shs:${key}`)
    const plain = MultiServer([net({ listen: false })])
    expect((await failure(dialPeer(plain, hub.url, key, { minStrength: 0 }))).code).toBe('NO_STACK_FITS')
    const stronger = dialPeer(client, hub.url, key, { minStrength: 2 })
    expect((await failure(stronger)).code).toBe('DOWNGRADE_REFUSED')
  })

  it('has the time of the lookup too', async () => {
    hub.answer = () => undefined
    expect((await failure(dialPeer(client, hub.url, key, { timeoutMs: 50 }))).code).toBe('TIMEOUT')
  })
})

describe('a dial within reach', () => {
  it.each([
    ['public', ['127.0.0.1', 'localhost', '10.0.0.1', '169.254.169.254']],
    ['local', ['127.0.0.1', 'localhost', '169.254.169.254', '0.0.0.0']],
    ['device', ['169.254.169.254', '0.0.0.0']],
  ] as const)('%s goes nowhere near %s', async (reach, hosts) => {
    const before = accepted
    for (const host of hosts) {
      for (const section of [
        `net:${host}:${ports().net}`,
        `ws://${host}:${ports().ws}`,
        `utp:${host}:${ports().net}`,
        `rtc:ws!://${host}!:${ports().ws}`,
      ]) {
        const error = await failure(client.client(`${section}~shs:${key}`, { reach }))
        expect([section, error.attempts?.[0]?.message]).toEqual([
          section,
          expect.stringContaining(`may reach (${reach})`),
        ])
      }
    }
    expect(accepted).toBe(before)
  })

  it('device goes to this machine', async () => {
    const connections = await Promise.all(
      server
        .stringify()
        .split(';')
        .map((address) => client.client(address, { reach: 'device' })),
    )
    for (const connection of connections) await connection.close()
    expect(connections).toHaveLength(2)
  })

  it('public goes to no name that stands for this machine or its network, as it is resolved then', async () => {
    const name = await nearName()
    const web = createServer((_request, response) => response.end())
    let sockets = 0
    web.on('connection', () => (sockets += 1))
    web.listen(0)
    await once(web, 'listening')
    const { port } = web.address() as AddressInfo
    try {
      for (const section of [
        `net:${name}:${port}`,
        `ws://${name}:${port}`,
        `utp:${name}:${port}`,
        `rtc:${name}!:${port}`,
      ]) {
        const { attempts } = await failure(
          client.client(`${section}~shs:${key}`, { reach: 'public', timeoutMs: 5000 }),
        )
        expect([section, attempts?.[0]?.message]).toEqual([
          section,
          expect.stringContaining('may reach (public)'),
        ])
      }
      expect(sockets).toBe(0)
      // The same name leads there when nobody restricts it.
      await show(`net:${name}:${ports().net}~shs:${key}`)
      const connection = await dialPeer(client, hub.url, key)
      await connection.close()
    } finally {
      web.closeAllConnections()
      web.close()
    }
  })
})

describe('the host of a section', () => {
  it.each([
    ['net:192.0.2.1:1', '192.0.2.1'],
    ['net:fe80::1:8008', 'fe80::1'],
    ['net:[::1]:8008', '::1'],
    ['utp:example.com:1', 'example.com'],
    ['ws://127.1:8989/path', '127.0.0.1'],
    ['wss://[::ffff:10.0.0.1]/', '[::ffff:a00:1]'],
    ['rtc:hub.example.com', 'hub.example.com'],
    ['rtc:ws!://10.0.0.1!:80/x', '10.0.0.1'],
    ['rtc:not a hub', null],
    ['onion:abc.onion:1', 'abc.onion'],
    ['onion:10.0.0.1:22', '10.0.0.1'],
    ['onion:x', null],
    ['memory:x', null],
    ['net:x', null],
  ])('%s is %s', (text, host) => {
    const section = parseSection(text)
    expect(section && hostOf(section)).toBe(host)
  })
})

/** A name that looks like any other and stands for this machine or its network. */
async function nearName(): Promise<string> {
  for (const name of [hostname(), 'ip6-loopback']) {
    const address = await resolve(name).then(
      ({ address: text }) => parseIp(text),
      () => null,
    )
    if (address !== null && classifyIp(address) !== 'public') return name
  }
  throw new Error('no name of this machine resolves to an address of its own')
}
