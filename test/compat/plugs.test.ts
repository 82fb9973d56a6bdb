import type { Server } from 'node:http'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Compose } from '../../compat/compose.ts'
import { MultiServer } from '../../compat/index.ts'
import { Net } from '../../compat/plugins/net.ts'
import { Onion } from '../../compat/plugins/onion.ts'
import type { OldAuth } from '../../compat/plugins/shs.ts'
import { UnixSocket } from '../../compat/plugins/unix-socket.ts'
import { Ws } from '../../compat/plugins/ws.ts'
import type { Close, Stack, Stream, StreamError } from '../../compat/types.ts'
import { deferred } from '../support/deferred.ts'
import { pull } from '../streams/pull-streams.ts'
import {
  abort,
  ask,
  createStack,
  dial,
  echoInCapitals,
  freePort,
  keys,
  oldKeys,
  serverShs,
  start,
  stop,
  type TransportName,
} from './setup.ts'

const keySection = `shs:${keys.server.publicKey.toString('base64')}`
const open: Close[] = []

afterEach(async () => {
  await Promise.all(open.splice(0).map(stop))
})

async function listen(
  stack: Stack,
  ...handlers: [(stream: Stream) => void, ((error: StreamError) => void)?]
) {
  open.push(await start(stack, ...handlers))
}

describe('stringify', () => {
  it('prints the same alone, composed and together', () => {
    const [net, ws, shs] = [Net({ port: 4848 }), Ws({ port: 4849 }), serverShs()]
    expect(net.stringify('device')).toBe('net:localhost:4848')
    expect(ws.stringify('device')).toBe('ws://localhost:4849')
    expect(ws.stringify()).toBe('ws://localhost:4849')
    expect(shs.stringify()).toBe(keySection)
    const stacks = [Compose([net, shs]), Compose([ws, shs])]
    expect(stacks[0]?.stringify('device')).toBe(`net:localhost:4848~${keySection}`)
    expect(stacks[1]?.stringify('device')).toBe(`ws://localhost:4849~${keySection}`)
    expect(MultiServer(stacks).stringify()).toBe(stacks.map((stack) => stack.stringify('device')).join(';'))
  })

  it('leaves out the zone of an IPv6 address', () => {
    const host = 'fe80::1065:74a4:4016:6266%wlan0'
    const stack = Compose([Net({ scope: 'private', port: 4849, host }), serverShs()])
    expect(stack.stringify('private')).toBe(`net:fe80::1065:74a4:4016:6266:4849~${keySection}`)
  })

  it('prints external for the public, and the host for nobody else', () => {
    const net = Net({ scope: 'public', port: 4853, host: 'localhost', external: 'scuttlebutt.example' })
    expect(Compose([net, serverShs()]).stringify('public')).toBe(`net:scuttlebutt.example:4853~${keySection}`)
  })

  it.each([
    ['ws', 80, null],
    ['wss', 443, true],
  ])('leaves out the default port of %s of a server that exists', (protocol, port, key) => {
    const server = { key, address: () => ({ port }) } as unknown as Server
    const ws = Ws({ external: 'domain.example', scope: 'public', server })
    expect(ws.stringify('public')).toBe(`${protocol}://domain.example`)
    expect(ws.stringify('local')).toBeNull()
    expect(ws.stringify('device')).toBeNull()
  })

  it('says wss when there is a key and a certificate, which it has not read yet', () => {
    const ws = Ws({ external: 'domain.example', scope: 'public', key: 'path', cert: 'path' })
    expect(ws.stringify('public')).toBe('wss://domain.example')
    expect(ws.stringify('local')).toBeNull()
    expect(ws.stringify('device')).toBeNull()
  })

  it.each([[['public']], [['local', 'device', 'public']]] as const)(
    'prints stacks with different hosts side by side, for the scopes %s',
    (scope) => {
      const stacks = [
        Compose([Net({ host: '127.0.0.1', port: 4854, scope }), serverShs()]),
        Compose([Net({ host: '::1', port: 4855, scope }), serverShs()]),
      ]
      expect(MultiServer(stacks).stringify('public')).toBe(
        `net:127.0.0.1:4854~${keySection};net:::1:4855~${keySection}`,
      )
    },
  )

  describe.each([
    ['net', Net, (host: string) => `net:${host}:9966`],
    ['ws', Ws, (host: string) => `ws://${host}:9966`],
  ] as const)('of %s with external', (_name, create, print) => {
    it.each([
      ['a string', 'domain.example', ['domain.example']],
      ['a list', ['domain.example', 'other.example'], ['domain.example', 'other.example']],
    ])('as %s', (_form, external, hosts) => {
      const plug = create({ external, scope: 'public', port: '9966' })
      expect(plug.stringify('public')).toBe(hosts.map(print).join(';'))
      expect(plug.stringify('local')).toBeNull()
      expect(plug.stringify('device')).toBeNull()
    })

    it.each([
      ['one entry', ['domain.example']],
      ['several', ['domain.example', 'other.example']],
    ])('as a list of %s, each with the transforms behind it', (_form, external) => {
      const stack = Compose([create({ external, scope: 'public', port: '9966' }), serverShs()])
      const addresses = external.map((host) => `${print(host)}~${keySection}`)
      expect(stack.stringify('public')).toBe(addresses.join(';'))
    })
  })
})

describe.each(['net', 'ws', 'unix'] as const)('%s with shs', (transport) => {
  it('carries bytes there and back, and ends', async () => {
    const stack = await makeStack(transport)
    const addresses: unknown[] = []
    await listen(stack, (stream) => {
      addresses.push(stream.address)
      echoInCapitals(stream)
    })
    const stream = await dial(stack, stack.stringify('device'))
    expect(stream.address).toMatch(new RegExp(`^${transport}:.*~shs:`))
    expect(await ask(stream, 'hello world')).toBe('HELLO WORLD')
    expect(addresses).toEqual([expect.stringMatching(new RegExp(`^${transport}:.*~shs:`))])
  })

  it('can be dialed in the turn in which it begins to listen', async () => {
    const stack = await makeStack(transport)
    const close = stack.server(echoInCapitals)
    if (close) open.push(close)
    expect(await ask(await dial(stack, stack.stringify('device')), 'soon')).toBe('SOON')
  })

  it('gives the error of a dial that is aborted, once, and nobody connects', async () => {
    const stack = await makeStack(transport)
    const [onConnection, onClient] = [vi.fn(), vi.fn()]
    await listen(stack, onConnection, () => undefined)
    const abortDial = stack.client(stack.stringify('device') ?? '', onClient)
    abortDial()
    abortDial()
    expect(onClient.mock.calls).toEqual([[expect.any(Error)]])
    // Whoever comes after it has been served: so has it.
    await abort(await dial(stack, stack.stringify('device')))
    expect(onClient).toHaveBeenCalledTimes(1)
    expect(onConnection).toHaveBeenCalledTimes(1)
  })
})

describe('the address of a stream', () => {
  it.each([
    ['net', 'name'],
    ['ws', 'protocol'],
  ] as const)('over %s parses on both sides', async (transport, field) => {
    const port = await freePort()
    const stack = createStack(transport, port)
    const accepted = deferred<Stream>()
    await listen(stack, (stream) => {
      accepted.resolve(stream)
      pull(stream.source, stream.sink)
    })
    const stream = await dial(stack, stack.stringify())
    const expected = stack.parse(stack.stringify() ?? '')?.[1]
    for (const end of [stream, await accepted.promise]) {
      const [place, secret] = stack.parse(end.address ?? '') as [Record<string, unknown>, unknown]
      expect(String(place[field]).replace(':', '')).toBe(transport)
      expect(secret).toEqual(expected)
    }
    const [place] = stack.parse(stream.address ?? '') as [{ port: unknown }]
    expect(Number(place.port)).toBe(port)
    await abort(stream)
  })

  it.each(['net', 'ws'] as const)(
    'over %s is on the error of a client with a wrong number',
    async (transport) => {
      const auth = vi.fn()
      const stack = createStack(transport, await freePort(), { auth })
      const failed = deferred<StreamError>()
      await listen(stack, () => expect.unreachable(), failed.resolve)
      const other = (await oldKeys(77)).publicKey.toString('base64')
      await expect(dial(stack, stack.stringify()?.replace(/shs:.*/, `shs:${other}`))).rejects.toThrow(
        'phase 3',
      )
      expect((await failed.promise).address).toMatch(new RegExp(`^${transport}:.*~shs:`))
      expect(auth).not.toHaveBeenCalled()
    },
  )

  it('closes after the error of a client whose key is none', async () => {
    const stack = createStack('net', await freePort())
    const onError = vi.fn()
    const close = await start(stack, () => expect.unreachable(), onError)
    await expect(dial(stack, stack.stringify()?.replace(/shs:......../, 'shs:XXXXXXXX'))).rejects.toThrow()
    await stop(close)
    const heard = onError.mock.calls.length
    await new Promise(setImmediate)
    expect(onError).toHaveBeenCalledTimes(heard)
  })
})

it('an address of another protocol is null for parse, and an error for client', async () => {
  const [net, ws] = [createStack('net', 4848), createStack('ws', 4849)]
  expect(ws.parse(net.stringify() ?? '')).toBeNull()
  await expect(dial(ws, net.stringify())).rejects.toThrow('could not parse address:net:')
})

it('net listens on IPv6', async () => {
  const stack = Compose([Net({ port: await freePort(), host: '::' }), serverShs()])
  await listen(stack, echoInCapitals)
  expect(await ask(await dial(stack, stack.stringify('device')), 'hello')).toBe('HELLO')
})

it('net on localhost is not reached through another address', async () => {
  const port = await freePort()
  await listen(Compose([Net({ scope: 'device', port, host: 'localhost' }), serverShs()]), echoInCapitals)
  const fake = Compose([Net({ scope: 'local', port }), serverShs()])
  // Where there is no other address, there is nothing to print.
  await expect(dial(fake, fake.stringify('local')?.split(';')[0])).rejects.toThrow()
})

it('net calls back with the error of the system when it can not listen', async () => {
  const net = Net({ scope: 'private', port: await freePort(), host: '$not-a-valid-ip-addr$' })
  const stack = Compose([net, serverShs()])
  const failed = deferred<Error>()
  const close = stack.server(echoInCapitals, null, (error) => error && failed.resolve(error))
  expect(await failed.promise).toMatchObject({ code: expect.stringMatching(/^(ENOTFOUND|EAI_AGAIN)$/) })
  if (close) await stop(close)
})

it.each(['auth', 'authenticate'] as const)('shs asks %s', async (name) => {
  const answer: OldAuth = (_key, callback) => callback(null, name)
  const stack = createStack('net', await freePort(), { auth: undefined, [name]: answer })
  const accepted = deferred<Stream>()
  await listen(stack, accepted.resolve)
  const client = await dial(stack, stack.stringify())
  expect((await accepted.promise).auth).toBe(name)
  await abort(client)
})

it('shs dials as the identity of a seed in the address', async () => {
  const seed = Buffer.alloc(32, 78)
  const bob = await oldKeys(78)
  const seen: Buffer[] = []
  const auth: Parameters<typeof serverShs>[0] = {
    auth(key, callback) {
      seen.push(key)
      callback(null, key.equals(bob.publicKey))
    },
  }
  const stack = createStack('net', await freePort(), auth)
  await listen(stack, echoInCapitals)
  await abort(await dial(stack, `${stack.stringify()}:${seed.toString('base64')}`))
  expect(seen).toEqual([bob.publicKey])
})

it('onion parses, and prints nothing', () => {
  const onion = Onion({ scope: 'public' })
  for (const scope of ['public', 'device', 'local']) expect(onion.stringify(scope)).toBeNull()
  expect(onion.parse('onion:3234j5sv346bpih2.onion:2349')).toEqual({
    name: 'onion',
    host: '3234j5sv346bpih2.onion',
    port: 2349,
  })
  expect(Compose([onion, serverShs()]).stringify()).toBeUndefined()
})

it('onion and others that only dial say so when they are to listen', async () => {
  await expect(start(Compose([Onion(), serverShs()]), () => undefined)).rejects.toThrow('net')
})

async function makeStack(transport: TransportName): Promise<Stack> {
  return transport === 'unix'
    ? Compose([UnixSocket({ server: true }), serverShs()])
    : createStack(transport, await freePort())
}
