import { expect, it, vi } from 'vitest'
import { Compose } from '../../compat/compose.ts'
import { MultiServer } from '../../compat/index.ts'
import { Net } from '../../compat/plugins/net.ts'
import { Noauth } from '../../compat/plugins/noauth.ts'
import type {
  Close,
  StartedCallback,
  Stream,
  StreamCallback,
  TransformPlugin,
  TransportPlugin,
} from '../../compat/types.ts'
import { collect, pull, pullPair } from '../streams/pull-streams.ts'
import { abort, ask, dial, echoInCapitals, freePort, keys, serverShs, start, stop } from './setup.ts'

/** A tunnel as ssb-room-client has one: an async client, no address of its own, a close without a callback. */
function createTunnel(meta?: string): TransportPlugin<{ name: string }> & { isOpen: boolean } {
  let accept: ((stream: Stream) => void) | undefined
  return {
    name: 'tunnel',
    get isOpen() {
      return accept !== undefined
    },
    scope: () => 'public',
    async client(target: { name: string }, callback: StreamCallback) {
      await Promise.resolve()
      if (accept === undefined) return callback(new Error(`nobody is at ${target.name}`))
      const [near, far] = pullPair()
      accept({ ...far, address: 'tunnel:portal:client', meta })
      callback(null, { ...near, address: `tunnel:portal:${target.name}`, meta })
    },
    server(onConnection, onStarted) {
      accept = onConnection
      onStarted?.()
      return () => {
        accept = undefined
      }
    },
    parse(text) {
      const [protocol, , name] = text.split(':')
      return protocol === 'tunnel' ? { name } : null
    },
    stringify: () => undefined,
  }
}

const address = `tunnel:portal:somebody~shs:${keys.server.publicKey.toString('base64')}`

it('a transport of 3.8.2 carries shs, though it is no socket', async () => {
  const tunnel = createTunnel('room')
  const multi = MultiServer([[tunnel, serverShs()]])
  const accepted: Stream[] = []
  const close = await start(multi, (stream) => {
    accepted.push(stream)
    echoInCapitals(stream)
  })
  expect(multi.stringify('public')).toBe('')
  const stream = await dial(multi, address)
  expect(stream).toMatchObject({ address, meta: 'room', remote: keys.server.publicKey, auth: undefined })
  expect(accepted).toMatchObject([{ meta: 'room', remote: keys.server.publicKey, auth: 'welcome' }])
  expect(await ask(stream, 'through the tunnel')).toBe('THROUGH THE TUNNEL')
  await stop(close)
  expect(tunnel.isOpen).toBe(false)
  await expect(dial(multi, address)).rejects.toThrow('nobody is at somebody')
})

it('the end of a tunnel without a goodbye is an error, and no crash', async () => {
  const multi = MultiServer([[createTunnel(), serverShs()]])
  const accepted: Stream[] = []
  await start(multi, (stream) => accepted.push(stream))
  const stream = await dial(multi, address)
  const [other] = accepted
  const reading = expect(other && collect(other.source)).rejects.toThrow()
  await abort(stream)
  await reading
})

it('a transform of 3.8.2 works between ours', async () => {
  const inverted: TransformPlugin = {
    name: 'inverted',
    create:
      () =>
      ({ source, sink }, callback) => {
        const invert = pull.map((chunk) => chunk.map((byte) => ~byte) as Buffer)
        const through = {
          source: pull(source, invert),
          sink: pull(invert, sink),
          address: 'inverted',
          extra: 'kept',
        }
        callback(null, through as unknown as Stream)
      },
    parse: (text) => (text === 'inverted' ? {} : null),
    stringify: () => 'inverted',
  }
  const port = await freePort()
  const stack = Compose([Net({ port }), inverted, serverShs()])
  const close = await start(stack, echoInCapitals)
  expect(stack.stringify()).toMatch(/^net:localhost:\d+~inverted~shs:/)
  const stream = await dial(stack, stack.stringify())
  expect(stream.address).toMatch(/~inverted~shs:/)
  expect(await ask(stream, 'upside down')).toBe('UPSIDE DOWN')
  await stop(close)
})

it('what a transform of 3.8.2 says about a stream comes through', async () => {
  const named: TransformPlugin = {
    name: 'named',
    create: () => (stream, callback) =>
      callback(null, Object.assign(stream, { address: 'named', nickname: 'bob' })),
    parse: (text) => (text === 'named' ? {} : null),
    stringify: () => 'named',
  }
  const stack = Compose([Net({ port: await freePort() }), named])
  const close = await start(stack, echoInCapitals)
  const stream = await dial(stack, stack.stringify())
  expect(stream).toMatchObject({ nickname: 'bob' })
  expect(await ask(stream, 'hello')).toBe('HELLO')
  await stop(close)
})

it('streams of other things than bytes pass a stack that has none of our transforms', async () => {
  const channel = createTunnel()
  const stack = Compose([channel, Noauth({ keys: keys.server })])
  await start(stack, (stream) => pull(stream, stream))
  const stream = await dial(stack, 'tunnel:portal:somebody~noauth')
  expect(stream).toMatchObject({ remote: keys.server.publicKey, auth: { allow: null, deny: null } })
  const received: unknown[] = []
  pull(
    pull.values([{ json: 1 }, 'text']),
    stream,
    pull.map((chunk) => (received.push(chunk), chunk)),
    pull.collect(() => undefined),
  )
  await vi.waitFor(() => expect(received).toEqual([{ json: 1 }, 'text']))
})

it('wrap changes the stream of the transport, on both sides, below the transforms', async () => {
  let bytes = 0
  const wrap = ({ source, sink, ...facts }: Stream): Stream => ({
    ...facts,
    sink,
    source: pull(
      source,
      pull.map((chunk) => {
        bytes += chunk.length
        return chunk
      }),
    ) as Stream['source'],
  })
  const multi = MultiServer([[Net({ port: await freePort() }), serverShs()]], wrap)
  const close = await start(multi, echoInCapitals)
  expect(await ask(await dial(multi, multi.stringify()), 'counted')).toBe('COUNTED')
  // The four messages of the handshake, and twice a frame of seven bytes and a goodbye.
  expect(bytes).toBe(64 + 64 + 112 + 80 + 2 * (34 + 7 + 34))
  await stop(close)
})

it('a transport that never says it has started is waited for, and closes', async () => {
  const silent: TransportPlugin = {
    name: 'dht',
    scope: () => 'public',
    client: () => undefined,
    server:
      (_onConnection: unknown, _onError?: StartedCallback): Close =>
      () =>
        undefined,
    parse: () => null,
  }
  const onStarted = vi.fn()
  const close = MultiServer([[silent], [Net({ port: await freePort() })]]).server(
    () => undefined,
    null,
    onStarted,
  )
  await stop(close)
  expect(onStarted).not.toHaveBeenCalled()
})
