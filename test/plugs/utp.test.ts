import { spawn } from 'node:child_process'
import { createSocket, type Socket } from 'node:dgram'
import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { concat, fromText } from '../../core/bytes.ts'
import { MultiserverError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { MultiServer } from '../../core/multiserver.ts'
import { generateKeys } from '../../plugs/keys.ts'
import memory from '../../plugs/memory.ts'
import shs from '../../plugs/shs/index.ts'
import {
  encodeCredit,
  encodeData,
  encodeEnd,
  encodeOpen,
  FrameParser,
  type Frame,
} from '../../plugs/utp/frames.ts'
import utp from '../../plugs/utp/index.ts'
import { loadUtp, type UtpConnection, type UtpSocket } from '../../plugs/utp/native.ts'
import { failure } from '../support/failure.ts'
import { dial, listen, nextAccepted, type Listening } from '../support/listening.ts'
import type { Bytes, ByteStream } from '../../core/types.ts'

const available = isAvailable()
const here = available ? '' : ' (utp-native does not load here)'
const open: (() => unknown)[] = []

afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
})

describe('the address of utp', () => {
  it.each(['utp:localhost:8008', 'utp:192.0.2.1:1', 'utp::8008', 'utp:2001:db8::1:80'])(
    '%s can be dialed',
    (section) => {
      expect(utp().parse(section)).not.toBeNull()
    },
  )

  it.each(['utp', 'utp:', 'utp:8008', 'utp:host:0', 'utp:host:65536', 'utp:a b:80', 'net:host:80'])(
    '%s is none',
    (section) => {
      expect(utp().parse(section)).toBeNull()
    },
  )

  it('prints a fixed port before it listens, external hosts for public, and no IPv6 address', () => {
    const external = ['a.example', '2001:db8::1']
    const transport = utp({ port: 8008, scope: ['device', 'public'], external })
    expect(transport.addresses('device')).toEqual(['utp:localhost:8008'])
    expect(transport.addresses('public')).toEqual(['utp:a.example:8008'])
    expect(transport.addresses('local')).toEqual([])
  })

  it('makes no socket with listen: false, and prints no address', async () => {
    const ms = MultiServer([memory({ name: 'beside utp' }), utp({ listen: false, port: 1234 })])
    const close = ms.server(() => undefined)
    await close.listening
    expect(ms.stringify()).toBe('memory:beside utp')
    await close()
  })
})

describe('without utp-native', () => {
  it('says UTP_UNAVAILABLE with the cause', () => {
    const cause = new Error('No native build was found for platform=linux arch=arm64')
    const load = () =>
      loadUtp(() => {
        throw cause
      })
    expect(load).toThrow(expect.objectContaining({ code: 'UTP_UNAVAILABLE', cause }))
    expect(load).toThrow(/install the optional package utp-native/)
  })
})

describe.skipIf(!available)(`listening${here}`, () => {
  it('binds loopback by default, and the port that the system chose is printed', async () => {
    const listening = await start(utp())
    expect(listening.listener.addresses('device')).toEqual([`utp:localhost:${listening.port}`])
    expect(listening.listener.addresses('public')).toEqual([])
    await expectTaken('127.0.0.1', listening.port)
  })

  it('binds every interface for public', async () => {
    const listening = await start(utp({ scope: ['device', 'public'], external: 'x.example' }))
    await expectTaken('0.0.0.0', listening.port)
    expect(listening.listener.addresses('public')).toEqual([`utp:x.example:${listening.port}`])
    await exchange(listening, utp(), `utp:localhost:${listening.port}`)
  })

  it('says LISTEN_FAILED with the cause when the port is taken, and for an IPv6 host', async () => {
    const { port } = await start(utp())
    const error = await failure(listen(utp({ port })))
    expect(error.code).toBe('LISTEN_FAILED')
    expect(error.message).toMatch(/could not listen on localhost: .*in use/)
    expect((await failure(listen(utp({ host: '::1' })))).message).toMatch(/only IPv4/)
  })

  it('gives the port back once it is closed and its connections are', async () => {
    const { listener, port } = await start(utp())
    await listener.close()
    const again = await start(utp({ port }))
    await exchange(again, utp(), `utp:localhost:${port}`)
  })

  it('takes a port again that connections of its own still use', async () => {
    const transport = utp({ port: await freeUdpPort() })
    const first = await start(transport)
    const client = await dial(utp(), `utp:localhost:${first.port}`)
    const server = await nextAccepted(first)
    await first.listener.close()
    const second = await start(transport)
    await exchange(second, utp(), `utp:localhost:${first.port}`)
    await client.write(fromText('still here'))
    expect(await server.read()).toEqual(fromText('still here'))
    await leave(client, server)
  })

  it('accepts nobody who does not say OPEN, and forgets him', async () => {
    const listening = await start(utp())
    const raw = rawSocket()
    for (const bytes of [
      fromText('GET / HTTP/1.1\r\n'),
      encodeData(fromText('x')),
      encodeEnd(),
      encodeOpen(1),
    ]) {
      const connection = raw.connect(listening.port, '127.0.0.1')
      connection.on('error', () => undefined)
      const ended = new Promise((resolve) => connection.once('end', resolve).once('close', resolve))
      connection.on('data', () => undefined)
      connection.write(bytes)
      await ended
      connection.destroy()
    }
    expect(listening.accepted).toEqual([])
    await exchange(listening, utp(), `utp:localhost:${listening.port}`)
  })

  it('survives packets of any kind, and a flood of first packets from nowhere', async () => {
    const listening = await start(utp())
    const udp = await udpSocket()
    const [seed = 0] = fc.sample(fc.integer(), 1)
    const packets = [
      ...fc.sample(fc.uint8Array({ maxLength: 60 }), { numRuns: 500, seed }),
      ...fc.sample(utpPacket(), { numRuns: 2000, seed }),
      ...Array.from({ length: 2 * limits.utp.opening }, (_, id) => synPacket(id)),
    ]
    for (const one of packets) {
      await new Promise((resolve) => udp.send(one, listening.port, '127.0.0.1', resolve))
    }
    await exchange(listening, utp(), `utp:localhost:${listening.port}`)
    expect(listening.accepted.length, `seed ${seed}`).toBe(1)
  })
})

describe.skipIf(!available)(`dialing${here}`, () => {
  it('starts from the socket that listens, so that a mapping of a NAT serves all', async () => {
    const near = await startTransport(utp({ host: '127.0.0.1' }))
    const far = await start(utp())
    const streams = [await near.dial(far), await near.dial(far)]
    for (const [index, stream] of streams.entries()) {
      const accepted = await nextAccepted(far, index + 1)
      expect(accepted.info).toEqual({ address: `utp:127.0.0.1:${near.port}`, source: '127.0.0.1' })
      await leave(stream, accepted)
    }
    // And the other way: to where it was dialed from, one can dial.
    await exchange(near, utp(), `utp:127.0.0.1:${near.port}`)
  })

  it('says CONNECT_FAILED in time where nobody listens', async () => {
    const section = `utp:localhost:${await freeUdpPort()}`
    const error = await failure(dial(utp({ connectTimeoutMs: 50 }), section))
    expect(error).toMatchObject({ code: 'CONNECT_FAILED', message: 'no answer within 50 ms' })
  })

  it('says CONNECT_FAILED for what has no IPv4 address', async () => {
    expect(await failure(dial(utp(), 'utp:2001:db8::1:80'))).toMatchObject({ code: 'CONNECT_FAILED' })
    expect(await failure(dial(utp(), 'utp:no.such.name.invalid:80'))).toMatchObject({
      code: 'CONNECT_FAILED',
    })
  })

  it('ends with its signal, and frees its socket', async () => {
    const stop = new AbortController()
    const dialing = failure(dial(utp(), `utp:localhost:${await freeUdpPort()}`, stop.signal))
    setImmediate(() => stop.abort(new Error('changed my mind')))
    expect(await dialing).toMatchObject({ code: 'ABORTED' })
  })

  it('leaves no handle: a process with nothing else to do ends', async () => {
    const listening = await start(utp())
    const plug = new URL('../../dist/plugs/utp/index.js', import.meta.url)
    const program = `
      import utp from ${JSON.stringify(plug.href)}
      const { signal } = new AbortController()
      const stream = await utp().parse('utp:localhost:${listening.port}').dial({ signal, transforms: [] })
      await stream.write(Uint8Array.of(1))
      await stream.end()
      stream.abort()`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'inherit' })
    const code = await new Promise((resolve) => child.once('exit', resolve))
    expect(code).toBe(0)
  }, 20_000)
})

describe.skipIf(!available)(`a connection over utp${here}`, () => {
  it('lets the server speak first', async () => {
    const listening = await start(utp())
    const client = await dial(utp(), `utp:localhost:${listening.port}`)
    const server = await nextAccepted(listening)
    await server.write(fromText('welcome'))
    expect(await client.read()).toEqual(fromText('welcome'))
    await leave(client, server)
  })

  it('carries shs, echo and goodbye, and closes everything', async () => {
    const keys = await generateKeys()
    const server = MultiServer([[utp(), shs({ keys })]])
    const close = server.server(async (connection) => {
      for await (const chunk of connection) await connection.write(chunk)
      await connection.close()
    })
    await close.listening
    const client = MultiServer([[utp({ listen: false }), shs({ keys: await generateKeys() })]])
    const connection = await client.client(server.stringify())
    expect(connection.remote).toEqual(keys.publicKey)
    await connection.write(fromText('echo'))
    expect(await connection.read()).toEqual(fromText('echo'))
    await connection.close()
    await close()
    expect(connection.error).toBeUndefined()
  })

  it('does not wait for half a second after many small writes', async () => {
    const listening = await start(utp())
    const client = await dial(utp(), `utp:localhost:${listening.port}`)
    const server = await nextAccepted(listening)
    const started = performance.now()
    for (const [near, far] of [
      [client, server],
      [server, client],
    ] as const) {
      const writing = (async () => {
        for (let count = 0; count < 400; count++) await near.write(new Uint8Array(997))
      })()
      expect((await readExactly(far, 400 * 997)).length).toBe(400 * 997)
      await writing
    }
    expect(performance.now() - started).toBeLessThan(5000)
    await leave(client, server)
  })

  it.each([
    [
      'more data than there was credit for',
      () => Array.from({ length: 17 }, () => encodeData(new Uint8Array(65_536))),
    ],
    ['credit for more than was sent', () => [encodeCredit(1)]],
    ['data after its end', () => [encodeEnd(), encodeData(Uint8Array.of(1))]],
    ['a second OPEN', () => [encodeOpen(65_536)]],
    ['a frame of no type', () => [Uint8Array.of(9, 0, 0, 1)]],
    ['empty data', () => [Uint8Array.of(2, 0, 0, 0)]],
  ])('is PROTOCOL for a peer that sends %s', async (_what, frames) => {
    const listening = await start(utp())
    const raw = rawSocket().connect(listening.port, '127.0.0.1')
    raw.on('error', () => undefined)
    raw.on('data', () => undefined)
    raw.write(encodeOpen(65_536))
    const server = await nextAccepted(listening)
    raw.write(concat(...frames()))
    // What is read is credit for more, so nothing is until it is over.
    await server.closed
    expect(await failure(readToEnd(server).then(() => server.write(Uint8Array.of(1))))).toMatchObject({
      code: 'PROTOCOL',
    })
    raw.destroy()
  })

  it('sends no more than the window, whatever credit of nothing comes', async () => {
    const listening = await start(utp())
    const raw = rawSocket().connect(listening.port, '127.0.0.1')
    raw.on('error', () => undefined)
    const parser = new FrameParser()
    let received = 0
    raw.on('data', (chunk: Buffer) =>
      parser.parse(Uint8Array.from(chunk), (one) => (received += one.type === 'data' ? one.chunk.length : 0)),
    )
    raw.write(encodeOpen(65_536))
    const server = await nextAccepted(listening)
    const writing = server.write(new Uint8Array(100_000))
    await vi.waitFor(() => expect(received).toBe(65_536))
    raw.write(concat(encodeCredit(0), encodeData(fromText('was that all?'))))
    await server.read()
    expect(received).toBe(65_536)
    raw.write(encodeCredit(34_464))
    await writing
    await vi.waitFor(() => expect(received).toBe(100_000))
    raw.destroy()
    await leave(server)
  })

  it('asks after a long silence whether anybody is there, so that uTP notices when nobody is', async () => {
    vi.useFakeTimers({ toFake: ['setInterval'] })
    open.push(() => vi.useRealTimers())
    const listening = await start(utp())
    const raw = rawSocket().connect(listening.port, '127.0.0.1')
    raw.on('error', () => undefined)
    const heard: Buffer[] = []
    raw.on('data', (chunk: Buffer) => heard.push(chunk))
    raw.write(encodeOpen(65_536))
    const server = await nextAccepted(listening)
    await vi.waitFor(() => expect(Buffer.concat(heard)).toHaveLength(4))
    vi.advanceTimersByTime(2 * limits.utp.askAfterMs)
    await vi.waitFor(() => expect(Buffer.concat(heard).subarray(4).join()).toBe(encodeCredit(0).join()))
    raw.write(encodeCredit(0))
    raw.write(encodeData(fromText('I am')))
    expect(await server.read()).toEqual(fromText('I am'))
    raw.destroy()
    await leave(server)
  })

  it('is CONNECTION_LOST when the peer gives up, and what came before is read', async () => {
    const listening = await start(utp())
    const udp = rawSocket()
    const raw = udp.connect(listening.port, '127.0.0.1')
    raw.on('error', () => undefined)
    raw.write(concat(encodeOpen(65_536), encodeData(fromText('last words'))))
    const server = await nextAccepted(listening)
    expect(await server.read()).toEqual(fromText('last words'))
    raw.destroy()
    expect(await failure(server.read())).toMatchObject({ code: 'CONNECTION_LOST' })
    expect(await failure(server.write(Uint8Array.of(1)))).toMatchObject({ code: 'CONNECTION_LOST' })
    await server.closed
  })
})

describe('the frames of utp', () => {
  const data = fc.uint8Array({ minLength: 1, maxLength: 300 })
  const value = fc.integer({ min: 1, max: 2 ** 24 - 1 })
  const frame = fc.oneof(
    data.map((chunk) => ({ bytes: encodeData(chunk), text: `data ${chunk.join()}` })),
    value.map((bytes) => ({ bytes: encodeCredit(bytes), text: `credit ${bytes}` })),
  )

  it('come out as they went in, however the bytes are cut', () => {
    fc.assert(
      fc.property(
        value,
        fc.array(frame, { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 50 })),
        (windowBytes, frames, cuts) => {
          const bytes = concat(encodeOpen(windowBytes), ...frames.map((one) => one.bytes), encodeEnd())
          const expected = [`open ${windowBytes}`, ...frames.map(({ text }) => text), 'end']
          const said = say(bytes, cuts)
          expect(joinData(said)).toEqual(joinData(expected))
        },
      ),
      { numRuns: 5000 },
    )
  })

  it('of any bytes are frames or PROTOCOL, and never more data than bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, opens) => {
        const all = opens ? concat(encodeOpen(65_536), bytes) : bytes.slice()
        let length = 0
        try {
          new FrameParser().parse(all, (one) => (length += one.type === 'data' ? one.chunk.length : 0))
        } catch (error) {
          expect(error).toMatchObject({ code: 'PROTOCOL' })
        }
        expect(length).toBeLessThanOrEqual(bytes.length)
      }),
      { numRuns: 10_000 },
    )
  })

  function say(bytes: Bytes, cuts: readonly number[]): string[] {
    const said: string[] = []
    const parser = new FrameParser()
    const handle = (one: Frame) => said.push(textOf(one))
    let at = 0
    for (const cut of cuts) {
      parser.parse(bytes.slice(at, at + cut), handle)
      at += cut
    }
    parser.parse(bytes.slice(at), handle)
    return said
  }

  function textOf(one: Frame): string {
    if (one.type === 'data') return `data ${one.chunk.join()}`
    return one.type === 'end' ? 'end' : `${one.type} ${one.bytes}`
  }

  /** Data may come in other pieces than it was sent. */
  function joinData(texts: readonly string[]): string {
    return texts.join('|').replaceAll(/(?<=data [\d,]+)\|data /g, ',')
  }
})

async function start(transport: ReturnType<typeof utp>): Promise<Listening> {
  const listening = await listen(transport)
  open.push(async () => {
    await listening.listener.close()
    for (const stream of listening.accepted) stream.abort()
  })
  return listening
}

/** A listening transport that also dials. */
async function startTransport(transport: ReturnType<typeof utp>) {
  const listening = await start(transport)
  return { ...listening, dial: (far: Listening) => dial(transport, `utp:127.0.0.1:${far.port}`) }
}

async function exchange(listening: Listening, from: ReturnType<typeof utp>, section: string): Promise<void> {
  const count = listening.accepted.length + 1
  const client = await dial(from, section)
  await client.write(fromText('ping'))
  const server = await nextAccepted(listening, count)
  expect(await server.read()).toEqual(fromText('ping'))
  await leave(client, server)
}

async function leave(...streams: ByteStream[]): Promise<void> {
  for (const stream of streams) stream.abort()
  await Promise.all(streams.map((stream) => stream.closed))
}

async function readExactly(stream: ByteStream, length: number): Promise<Bytes> {
  const chunks: Bytes[] = []
  for (let filled = 0; filled < length;) {
    const chunk = await stream.read()
    if (chunk === null) throw new Error(`it ended after ${filled} of ${length} bytes`)
    chunks.push(chunk)
    filled += chunk.length
  }
  return concat(...chunks)
}

async function readToEnd(stream: ByteStream): Promise<void> {
  while ((await stream.read()) !== null);
}

/** utp-native itself, to say what no peer of ours says. */
function rawSocket(): Pick<UtpSocket, 'connect'> {
  const socket = loadUtp()()
  const connections: UtpConnection[] = []
  open.push(() => {
    for (const connection of connections) connection.destroy()
    socket.close()
  })
  return {
    connect(port, ip) {
      const connection = socket.connect(port, ip)
      connections.push(connection)
      return connection
    },
  }
}

async function udpSocket(): Promise<Socket> {
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  open.push(() => socket.close())
  return socket
}

async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => socket.bind(0, '0.0.0.0', resolve))
  const { port } = socket.address()
  await new Promise<void>((resolve) => socket.close(resolve))
  return port
}

async function expectTaken(address: string, port: number): Promise<void> {
  const socket = createSocket('udp4')
  const error = await new Promise((resolve) => {
    socket.once('error', resolve)
    socket.bind({ address, port, exclusive: true }, () => resolve(undefined))
  })
  expect(error).toMatchObject({ code: 'EADDRINUSE' })
}

/** BEP 29: type and version, extension, connection id, time, delay, window, sequence number, acknowledgement. */
function packet(
  type: number,
  id: number,
  sequence: number,
  acknowledged: number,
  body: Uint8Array,
): Uint8Array {
  const head = new DataView(new ArrayBuffer(20))
  head.setUint8(0, type * 16 + 1)
  head.setUint16(2, id)
  head.setUint32(12, 1_000_000)
  head.setUint16(16, sequence)
  head.setUint16(18, acknowledged)
  return concat(new Uint8Array(head.buffer), body)
}

function synPacket(id: number): Uint8Array {
  return packet(4, 1000 + id, id, 0, new Uint8Array())
}

function utpPacket(): fc.Arbitrary<Uint8Array> {
  const small = fc.integer({ min: 0, max: 12 })
  return fc
    .tuple(
      fc.integer({ min: 0, max: 5 }),
      small,
      small,
      fc.nat({ max: 65_535 }),
      fc.uint8Array({ maxLength: 40 }),
    )
    .map(([type, id, sequence, acknowledged, body]) => packet(type, id, sequence, acknowledged, body))
}

function isAvailable(): boolean {
  try {
    loadUtp()
    return true
  } catch (error) {
    if (error instanceof MultiserverError) return false
    throw error
  }
}
