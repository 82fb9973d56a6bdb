import { describe, expect, it, vi } from 'vitest'
import { fromText, toBase64 } from '../../../core/bytes.ts'
import { MultiserverError } from '../../../core/errors.ts'
import { createPair } from '../../../core/pair.ts'
import { deferred } from '../../support/deferred.ts'
import { failure } from '../../support/failure.ts'
import { clientKey, join, meet, openPlace, serverKey, takeOver, tunnelOf, tunnelTarget } from './meeting.ts'
import type { ByteStream, Transport } from '../../../core/types.ts'
import type { BridgeOptions } from '../../../plugs/tunnel/bridge.ts'

const { signal } = new AbortController()

/** What client and bridge end with when the bridge says no. */
async function refusal(
  options: Partial<BridgeOptions>,
): Promise<[client: MultiserverError, bridge: MultiserverError]> {
  const { connecting, takingOver, near, far } = meet(tunnelOf({ to: () => undefined, ...options }))
  const errors: [MultiserverError, MultiserverError] = [await failure(connecting), await failure(takingOver)]
  await Promise.all([near.closed, far.closed])
  return errors
}

describe('the answer of a bridge', () => {
  it('is open once the server is reached, and then bytes pass both ways', async () => {
    const { client, server, tunnel } = await join()
    await client.write(fromText('hello'))
    expect(await server.read()).toEqual(fromText('hello'))
    await server.write(fromText('welcome'))
    expect(await client.read()).toEqual(fromText('welcome'))
    expect(tunnel).toMatchObject({ clientKey, serverKey, passed: { toServer: 5, toClient: 7 } })
    client.abort()
    await tunnel.closed
    server.abort()
  })

  it('leaves to the stream what a client sends without waiting for it', async () => {
    const place = await openPlace()
    const [near, far] = createPair()
    await near.write(Uint8Array.of(1, ...serverKey, 42))
    const tunnel = await takeOver(tunnelOf({ to: () => place.address }), far)
    const server = await place.arrived()
    expect(await server.read()).toEqual(Uint8Array.of(42))
    tunnel.abort()
    await tunnel.closed
    await place.close()
  })

  it('leaves to the stream what a server sends at once', async () => {
    const [near, far] = createPair()
    const connecting = tunnelTarget().connect(near, { signal })
    await far.read()
    await far.write(Uint8Array.of(0, 42))
    const { stream } = await connecting
    expect(await stream.read()).toEqual(Uint8Array.of(42))
    stream.abort()
  })

  it('is unknown for a server that it does not have', async () => {
    const [atClient, atBridge] = await refusal({ to: () => undefined })
    expect(atClient.code).toBe('TUNNEL_UNKNOWN')
    expect(atBridge).toMatchObject({ code: 'TUNNEL_UNKNOWN', message: expect.stringContaining('BwcHBwcH…') })
  })

  it('is refused for a client that it does not let through, and nothing is looked up', async () => {
    const to = vi.fn(() => 'memory:somewhere')
    const allow = vi.fn(() => false)
    const errors = await refusal({ to, allow })
    expect(errors.map(({ code }) => code)).toEqual(['TUNNEL_REFUSED', 'TUNNEL_REFUSED'])
    expect(allow).toHaveBeenCalledWith(clientKey, serverKey)
    expect(to).not.toHaveBeenCalled()
  })

  it.each<[string, Partial<BridgeOptions>]>([
    ['nobody listens there', { to: () => 'memory:nobody' }],
    ['no transport knows the address', { to: () => 'net:localhost:9' }],
    ['the address is none', { to: () => ';' }],
    ['the address has two alternatives', { to: () => 'memory:a;memory:b' }],
    ['it could not find out', { to: () => Promise.reject(new Error('the database is away')) }],
    [
      'it could not find out whether',
      { to: () => 'memory:a', allow: () => Promise.reject(new Error('away')) },
    ],
    ['it takes too long', { to: () => 'silent:x', transports: [silentTransport()], dialTimeoutMs: 1 }],
  ])('is unreachable when %s; only the bridge hears why', async (_why, options) => {
    const [atClient, atBridge] = await refusal(options)
    expect(atClient.code).toBe('TUNNEL_UNREACHABLE')
    expect(atClient.cause).toBeUndefined()
    expect(atBridge.code).toBe('TUNNEL_UNREACHABLE')
    expect(atBridge.cause).toBeInstanceOf(Error)
  })

  it('is busy with as many tunnels of a client as it may have, until one ends', async () => {
    const place = await openPlace()
    const bridge = tunnelOf({ to: () => place.address, maxTunnelsPerClient: 1 })
    const first = meet(bridge)
    const tunnel = await first.takingOver
    expect((await failure(meet(bridge).connecting)).code).toBe('BUSY')
    const other = await meet(bridge, new Uint8Array(32).fill(1)).takingOver
    tunnel.abort()
    await tunnel.closed
    const again = await meet(bridge).takingOver
    for (const each of [other, again]) each.abort()
    await Promise.all([other.closed, again.closed])
    await place.close()
  })

  it('is busy with as many tunnels as it may have, those that it dials included', async () => {
    const place = await openPlace()
    const dialing = deferred<string>()
    const to = vi.fn(() => 'silent:x')
    const bridge = tunnelOf({ to, transports: [silentTransport(dialing.resolve)], maxTunnels: 1 })
    const first = meet(bridge)
    await dialing.promise
    const second = meet(bridge, new Uint8Array(32).fill(1))
    expect((await failure(second.connecting)).code).toBe('BUSY')
    first.near.abort()
    await failure(first.takingOver)
    await place.close()
  })
})

describe('a bridge', () => {
  it('gives up dialing when the client goes away', async () => {
    const dialing = deferred<AbortSignal>()
    const bridge = tunnelOf({
      to: () => 'silent:x',
      transports: [silentTransport(() => undefined, dialing.resolve)],
    })
    const { near, takingOver } = meet(bridge)
    const dial = await dialing.promise
    near.abort()
    expect((await failure(takingOver)).code).toBe('TUNNEL_UNREACHABLE')
    expect(dial.reason).toMatchObject({ code: 'CONNECTION_LOST' })
  })

  it('tells of each tunnel that opens, and how it ended', async () => {
    const onTunnel = vi.fn()
    const { client, server, tunnel } = await join({ onTunnel })
    expect(onTunnel).toHaveBeenCalledExactlyOnceWith(tunnel)
    server.abort()
    await tunnel.closed
    expect(tunnel.error?.code).toBe('CONNECTION_LOST')
    client.abort()
  })

  it('ends a tunnel through which nothing passes', async () => {
    const { client, server, tunnel } = await join({ idleMs: 20 })
    await tunnel.closed
    expect(tunnel.error?.code).toBe('TIMEOUT')
    expect((await failure(client.read())).code).toBe('CONNECTION_LOST')
    expect((await failure(server.read())).code).toBe('CONNECTION_LOST')
  })

  it('tells the server of a client that broke off, and the client of a server that did', async () => {
    const one = await join()
    one.client.abort()
    expect((await failure(one.server.read())).code).toBe('CONNECTION_LOST')
    const two = await join()
    two.server.abort()
    expect((await failure(two.client.read())).code).toBe('CONNECTION_LOST')
    await Promise.all([one.tunnel.closed, two.tunnel.closed])
  })

  it('does not open for a client whose key nobody has proved', async () => {
    const [near, far] = createPair()
    await near.write(Uint8Array.of(1, ...serverKey))
    const taking = tunnelOf({ to: () => 'memory:x' }).takeOver?.(far, { signal })
    expect((await failure(Promise.resolve(taking))).code).toBe('TUNNEL_REFUSED')
  })

  it.each([
    [
      'PROTOCOL',
      'asks in another version',
      async (client: ByteStream) => client.write(Uint8Array.of(2, ...serverKey)),
    ],
    ['TRUNCATED', 'ends before it asks', async (client: ByteStream) => client.end()],
    ['CONNECTION_LOST', 'breaks off before it asks', async (client: ByteStream) => client.abort()],
  ] as const)('has %s for a client that %s', async (code, _what, act) => {
    const [near, far] = createPair()
    const taking = failure(takeOver(tunnelOf({ to: () => 'memory:x' }), far))
    await act(near)
    expect((await taking).code).toBe(code)
    await far.closed
  })

  it('makes no connection of what it accepts', async () => {
    const [, far] = createPair()
    expect((await failure(tunnelOf({ to: () => 'memory:x' }).accept(far, { signal }))).code).toBe(
      'STACK_INVALID',
    )
    await far.closed
  })
})

describe('a client', () => {
  it.each([
    [
      'PROTOCOL',
      'gives an answer that is none',
      async (bridge: ByteStream) => bridge.write(Uint8Array.of(5)),
    ],
    ['HANDSHAKE_FAILED', 'ends before it answers', async (bridge: ByteStream) => bridge.end()],
    ['HANDSHAKE_FAILED', 'breaks off before it answers', async (bridge: ByteStream) => bridge.abort()],
  ] as const)('has %s for a bridge that %s', async (code, _what, act) => {
    const [near, far] = createPair()
    const connecting = failure(tunnelTarget().connect(near, { signal }))
    await far.read()
    await act(far)
    expect((await connecting).code).toBe(code)
    await near.closed
  })

  it('gives up when it is told to', async () => {
    const [near] = createPair()
    const stop = new AbortController()
    const connecting = failure(tunnelTarget().connect(near, { signal: stop.signal }))
    const reason = new MultiserverError('ABORTED', 'changed my mind')
    stop.abort(reason)
    expect(await connecting).toBe(reason)
    await near.closed
  })

  it.each([
    'tunnel',
    'tunnel:',
    'tunnel:AAAA',
    `tunnel:${toBase64(serverKey)}:x`,
    `shs:${toBase64(serverKey)}`,
  ])('understands no %s', (section) => expect(tunnelOf().parse(section)).toBeNull())
})

/** Its dials never end by themselves. */
function silentTransport(
  onDial: (section: string) => void = () => undefined,
  onSignal: (signal: AbortSignal) => void = () => undefined,
): Pick<Transport, 'parse'> {
  return {
    parse: (section) => ({
      dial(context) {
        onDial(section)
        onSignal(context.signal)
        return new Promise(() => undefined)
      },
    }),
  }
}
