import { afterEach, describe, expect, it, vi } from 'vitest'
import { fromText } from '../../../core/bytes.ts'
import type { ErrorCode } from '../../../core/errors.ts'
import { MultiServer, type Connection, type StackInput } from '../../../core/multiserver.ts'
import { generateKeys, keyToString, type Keys } from '../../../plugs/keys.ts'
import memory from '../../../plugs/memory.ts'
import shs from '../../../plugs/shs/index.ts'
import shs2 from '../../../plugs/shs2/index.ts'
import tunnel, { type BridgeOptions, type Tunnel } from '../../../plugs/tunnel/index.ts'
import { deferred } from '../../support/deferred.ts'
import { failure } from '../../support/failure.ts'
import type { ByteStream, Transport } from '../../../core/types.ts'

const keys = {
  server: await generateKeys(),
  bridge: await generateKeys(),
  far: await generateKeys(),
  client: await generateKeys(),
}
const key = {
  server: keyToString(keys.server.publicKey),
  bridge: keyToString(keys.bridge.publicKey),
  far: keyToString(keys.far.publicKey),
}
const open: (() => Promise<void>)[] = []
let names = 0

afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
})

describe('an address with a tunnel', () => {
  it('reaches the server, whose key is proved end to end at the strength of the last transform', async () => {
    const server = serve(keys.server)
    const bridge = runBridge({ to: () => server.place })
    const connection = await dial(throughBridge(bridge.place))
    expect(connection.remote).toEqual(keys.server.publicKey)
    expect(connection.strength).toBe(1)
    const accepted = await server.connection()
    expect(accepted.remote).toEqual(keys.client.publicKey)
    await connection.write(fromText('a secret'))
    expect(await accepted.read()).toEqual(fromText('a secret'))
    await connection.end()
    expect(await accepted.read()).toBeNull()
    await accepted.write(fromText('an answer'))
    expect(await connection.read()).toEqual(fromText('an answer'))
    await Promise.all([accepted.close(), connection.close()])
    expect(accepted.error ?? connection.error).toBeUndefined()
  })

  it('gives the bridge nothing to read', async () => {
    const seen: Uint8Array[] = []
    const server = serve(keys.server)
    const bridge = runBridge({ to: () => server.place, transports: [tapped(memory(), seen)] })
    const connection = await dial(throughBridge(bridge.place))
    const accepted = await server.connection()
    await connection.write(fromText('a sentence that nobody may read on the way'))
    await accepted.read()
    expect(Buffer.concat(seen).length).toBeGreaterThan(100)
    expect(Buffer.concat(seen).includes('a sentence')).toBe(false)
  })

  it('goes through two bridges, each of which sees the one before it', async () => {
    const server = serve(keys.server)
    const clients: Uint8Array[] = []
    const onTunnel = ({ clientKey }: Tunnel) => clients.push(clientKey)
    const far = runBridge({ to: () => server.place, onTunnel }, keys.far)
    const near = runBridge({ to: () => far.place, onTunnel })
    const address = `${near.place}~shs2:${key.bridge}~tunnel:${key.far}~shs2:${key.far}~tunnel:${key.server}~shs:${key.server}`
    const mine = shs2({ keys: keys.client })
    const ms = MultiServer([[memory(), mine, tunnel(), mine, tunnel(), shs({ keys: keys.client })]])
    const connection = await ms.client(address)
    expect(connection.remote).toEqual(keys.server.publicKey)
    connection.abort()
    expect(clients).toEqual([keys.client.publicKey, keys.client.publicKey])
  })

  it('fails where the bridge is not the one that it names', async () => {
    const server = serve(keys.server)
    const bridge = runBridge({ to: () => server.place }, keys.far)
    expect((await failure(dial(throughBridge(bridge.place)))).attempts).toMatchObject([
      { code: 'HANDSHAKE_FAILED' },
    ])
  })

  it('fails where the bridge leads to somebody else, itself included', async () => {
    const other = serve(keys.far)
    const itself = serve(keys.bridge)
    for (const { place } of [other, itself]) {
      const bridge = runBridge({ to: () => place })
      expect((await failure(dial(throughBridge(bridge.place)))).attempts).toMatchObject([
        { code: 'WRONG_KEY' },
      ])
    }
  })

  it.each<[ErrorCode, BridgeOptions]>([
    ['TUNNEL_UNKNOWN', { to: () => undefined }],
    ['TUNNEL_REFUSED', { to: () => undefined, allow: () => false }],
    ['TUNNEL_UNREACHABLE', { to: () => 'memory:nobody' }],
    ['BUSY', { to: () => 'memory:nobody', maxTunnels: 0 }],
  ])('fails with %s, and so does the bridge', async (code, options) => {
    const bridge = runBridge(options)
    expect((await failure(dial(throughBridge(bridge.place)))).attempts).toMatchObject([{ code }])
    await vi.waitFor(() => expect(bridge.onError).toHaveBeenCalledOnce())
    expect(bridge.onError.mock.calls[0]?.[0]).toMatchObject({ code })
  })

  it('counts as plain bytes, a downgrade, where nothing behind the tunnel proves a key', async () => {
    const bridge = runBridge({ to: () => 'memory:nobody' })
    const ms = MultiServer([[memory(), shs2({ keys: keys.client }), tunnel()]])
    const address = `${bridge.place}~shs2:${key.bridge}~tunnel:${key.server}`
    expect((await failure(ms.client(address))).code).toBe('DOWNGRADE_REFUSED')
    const server = serveBare()
    const plain = runBridge({ to: () => server.place })
    const there = `${plain.place}~shs2:${key.bridge}~tunnel:${key.server}`
    const connection = await ms.client(there, { allowDowngrade: true })
    expect(connection).toMatchObject({ strength: 0, remote: undefined, binding: undefined })
    await connection.close()
  })
})

describe('the stack of a bridge', () => {
  it('makes no connection, and ends its tunnels when the server is closed', async () => {
    const server = serve(keys.server)
    const bridge = runBridge({ to: () => server.place })
    const connection = await dial(throughBridge(bridge.place))
    const accepted = await server.connection()
    expect(bridge.onConnection).not.toHaveBeenCalled()
    await bridge.close()
    expect((await failure(connection.read())).code).not.toBe('TIMEOUT')
    await failure(accepted.read())
    await Promise.all([connection.closed, accepted.closed])
  })

  it('tells how much it passes on, and counts none of it as a connection', async () => {
    const server = serve(keys.server)
    const bridge = runBridge({ to: () => server.place })
    expect(bridge.status().passages).toBe(0)
    const first = await dial(throughBridge(bridge.place))
    await dial(throughBridge(bridge.place))
    await vi.waitFor(() => expect(bridge.status()).toMatchObject({ connections: [], passages: 2 }))
    first.abort()
    await vi.waitFor(() => expect(bridge.status().passages).toBe(1))
  })

  it('prints no address: it can only be dialed with the key of a server', () => {
    const to = () => undefined
    expect(
      MultiServer([[memory({ name: 'x' }), shs2({ keys: keys.bridge }), tunnel({ to })]]).stringify(),
    ).toBe('')
  })

  it('dials only, without `to`', async () => {
    const ms = MultiServer([
      [memory({ name: 'y' }), shs2({ keys: keys.client }), tunnel(), shs({ keys: keys.client })],
    ])
    const onError = vi.fn()
    const close = ms.server(() => undefined, onError)
    expect((await failure(close.listening)).code).toBe('LISTEN_FAILED')
    expect(ms.status().stacks).toMatchObject([{ state: 'dials only' }])
    await close()
  })

  it('may have transforms behind the tunnel, which are for dialing through others', async () => {
    const server = serve(keys.server)
    const secret = shs({ keys: keys.bridge })
    const bridge = runBridge({ to: () => server.place }, keys.bridge, [secret])
    const connection = await dial(throughBridge(bridge.place))
    expect(connection.remote).toEqual(keys.server.publicKey)
  })

  it.each([
    ['nothing', []],
    ['a transform without a strength', [{ ...shs2({ keys: keys.client }), strength: undefined }]],
  ])('is invalid with %s below the tunnel: who asks must be known', (_what, below) => {
    const make = () => MultiServer([[memory(), ...below, tunnel(), shs({ keys: keys.client })]])
    expect(make).toThrow(expect.objectContaining({ code: 'STACK_INVALID' }))
  })
})

interface Running {
  /** Its transport's section. */
  readonly place: string
  close(): Promise<void>
}

function start(ms: MultiServer, onConnection: (connection: Connection) => void) {
  const onError = vi.fn()
  const close = ms.server(onConnection, onError)
  open.push(close)
  return { onError, close, status: () => ms.status() }
}

function serve(own: Keys): Running & { connection(): Promise<Connection> } {
  const name = `server ${names++}`
  const accepted = deferred<Connection>()
  const { close } = start(MultiServer([[memory({ name }), shs({ keys: own })]]), (connection) => {
    accepted.resolve(connection)
  })
  return { place: `memory:${name}`, close, connection: () => accepted.promise }
}

function serveBare(): Running {
  const name = `bare ${names++}`
  const { close } = start(MultiServer([memory({ name })]), (connection) => void connection.close())
  return { place: `memory:${name}`, close }
}

function runBridge(
  options: BridgeOptions,
  own: Keys = keys.bridge,
  behind: readonly ReturnType<typeof shs>[] = [],
) {
  const name = `bridge ${names++}`
  const pass = tunnel({ transports: [memory()], ...options })
  const stack: StackInput = [memory({ name }), shs2({ keys: own }), pass, ...behind]
  const onConnection = vi.fn()
  return { place: `memory:${name}`, onConnection, ...start(MultiServer([stack]), onConnection) }
}

function throughBridge(place: string): string {
  return `${place}~shs2:${key.bridge}~tunnel:${key.server}~shs:${key.server}`
}

async function dial(address: string): Promise<Connection> {
  const stack: StackInput = [memory(), shs2({ keys: keys.client }), tunnel(), shs({ keys: keys.client })]
  const connection = await MultiServer([stack]).client(address)
  open.push(async () => {
    connection.abort()
    await connection.closed
  })
  return connection
}

/** Keeps what the bridge passes, both ways. */
function tapped(transport: Transport, seen: Uint8Array[]): Pick<Transport, 'parse'> {
  return {
    parse(section) {
      const target = transport.parse(section)
      return target && { dial: async (context) => tap(await target.dial(context), seen) }
    },
  }
}

function tap(stream: ByteStream, seen: Uint8Array[]): ByteStream {
  return {
    closed: stream.closed,
    async read() {
      const chunk = await stream.read()
      if (chunk !== null) seen.push(chunk.slice())
      return chunk
    },
    write(chunk) {
      seen.push(chunk.slice())
      return stream.write(chunk)
    },
    end: () => stream.end(),
    abort: (reason) => stream.abort(reason),
  }
}
