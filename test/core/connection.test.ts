import { channel } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { concat, fromText } from '../../core/bytes.ts'
import { Connection, type ConnectionFacts } from '../../core/connection.ts'
import { MultiserverError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { MultiServer, type StackInput } from '../../core/multiserver.ts'
import { createPair } from '../../core/pair.ts'
import { generateKeys } from '../../plugs/keys.ts'
import net from '../../plugs/net.ts'
import shs from '../../plugs/shs/index.ts'
import ws from '../../plugs/ws.ts'
import type { Bytes, ByteStream, Path } from '../../core/types.ts'
import { failure } from '../support/failure.ts'
import { settle } from './staged.ts'

const unhandled = vi.fn()
const cleanUps: (() => Promise<unknown>)[] = []
beforeEach(() => {
  unhandled.mockReset()
  process.on('unhandledRejection', unhandled)
})
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp()
  // An unhandled rejection is told at the end of a turn of the event loop.
  await new Promise((resolve) => setImmediate(resolve))
  process.off('unhandledRejection', unhandled)
  expect(unhandled).not.toHaveBeenCalled()
})

/** One that settles only when the stream has taken it; smaller ones are copied. */
const largeChunk = new Uint8Array(limits.connection.smallBytes + 1)

describe('reading', () => {
  it('serves reads in the order in which they were asked for', async () => {
    const { near, far } = createEnds()
    const reads = [near.read(), near.read(), near.read()]
    for (const byte of [1, 2]) {
      await far.write(Uint8Array.of(byte))
      await settle()
    }
    void far.end()
    expect(await Promise.all(reads)).toEqual([Uint8Array.of(1), Uint8Array.of(2), null])
  })

  it('has at most one read of the stream under way', async () => {
    let underWay = 0
    let most = 0
    const stream = fakeStream({
      async read() {
        most = Math.max(most, ++underWay)
        await settle()
        underWay -= 1
        return Uint8Array.of(1)
      },
    })
    const connection = createConnection(stream)
    await Promise.all([connection.read(), connection.read(), connection.read()])
    expect(most).toBe(1)
  })

  it('keeps what arrives before the first read', async () => {
    const { near, far } = createEnds()
    await far.write(fromText('early'))
    await far.end()
    expect(await readAll(near)).toEqual(fromText('early'))
  })

  it('gives null for ever after the end', async () => {
    const { near, far } = createEnds()
    void far.end()
    expect([await near.read(), await near.read(), await near.read()]).toEqual([null, null, null])
  })

  it('rejects every read after a failure with one error', async () => {
    const connection = createConnection(fakeStream({ read: () => Promise.reject(new Error('gone')) }))
    const reads = [connection.read(), connection.read()]
    const first = await failure(reads[0] ?? Promise.resolve())
    expect(first).toMatchObject({ code: 'CONNECTION_LOST', message: 'gone', address: 'memory:far' })
    await expect(reads[1]).rejects.toBe(first)
    await expect(connection.read()).rejects.toBe(first)
    expect(connection.error).toBe(first)
    await expect(connection.write(Uint8Array.of(1))).rejects.toBe(first)
  })

  it('keeps the code of an error that has one', async () => {
    const truncated = new MultiserverError('TRUNCATED')
    const connection = createConnection(fakeStream({ read: () => Promise.reject(truncated) }))
    await expect(connection.read()).rejects.toBe(truncated)
  })
})

describe('iteration', () => {
  it('reads to the end', async () => {
    const { near, far } = createEnds()
    await far.write(fromText('one'))
    void far.end()
    const chunks: Bytes[] = []
    for await (const chunk of near) chunks.push(chunk)
    expect(concat(...chunks)).toEqual(fromText('one'))
    expect(near.error).toBeUndefined()
  })

  it.each(['break', 'throw'])('aborts when it is left early by %s', async (how) => {
    const { near, far } = createEnds()
    await far.write(fromText('one'))
    const loop = async () => {
      for await (const chunk of near) {
        expect(chunk).toEqual(fromText('one'))
        if (how === 'break') break
        throw new Error('the loop threw')
      }
    }
    if (how === 'break') await loop()
    else await expect(loop()).rejects.toThrow('the loop threw')
    await near.closed
    expect(near.error).toMatchObject({ code: 'ABORTED' })
    expect(await failure(readAll(far))).toMatchObject({ code: 'CONNECTION_LOST' })
  })

  it('throws the error of a connection that breaks', async () => {
    const { near, far } = createEnds()
    far.abort()
    const loop = async () => {
      for await (const chunk of near) expect(chunk).toBeUndefined()
    }
    expect(await failure(loop())).toMatchObject({ code: 'CONNECTION_LOST' })
  })
})

describe('writing', () => {
  it('waits while nobody reads', async () => {
    const { near, far } = createEnds()
    await near.write(new Uint8Array(limits.connection.receiveBytes / 2))
    let settled = false
    const writing = near.write(new Uint8Array(limits.connection.receiveBytes)).then(() => (settled = true))
    await settle()
    expect(settled).toBe(false)
    await far.read()
    await far.read()
    await writing
  })

  it('refuses writes after end, which finishes those before it', async () => {
    const { near, far } = createEnds()
    void near.write(fromText('a'))
    void near.write(fromText('b'))
    const ending = near.end()
    expect(await failure(near.write(fromText('c')))).toMatchObject({ code: 'CLOSED', address: 'memory:far' })
    await ending
    expect(await readAll(far)).toEqual(fromText('ab'))
    expect(near.error).toBeUndefined()
  })

  it('ends once, however often it is asked', async () => {
    const end = vi.fn(() => Promise.resolve())
    const connection = createConnection(fakeStream({ end }))
    await Promise.all([connection.end(), connection.end()])
    await connection.end()
    expect(end).toHaveBeenCalledOnce()
  })

  it('still reads after its end', async () => {
    const { near, far } = createEnds()
    await near.end()
    expect(await far.read()).toBeNull()
    await far.write(fromText('answer'))
    void far.end()
    expect(await readAll(near)).toEqual(fromText('answer'))
  })

  it('aborts with SEND_OVERFLOW when too much is written without awaiting', async () => {
    const { near, far } = createEnds()
    const megabyte = new Uint8Array(1024 * 1024)
    const count = limits.connection.unsentBytes / megabyte.length + 3
    const writes = Array.from({ length: count }, () => near.write(megabyte))
    expect(await failure(Promise.all(writes))).toMatchObject({ code: 'SEND_OVERFLOW' })
    await near.closed
    expect(near.error).toMatchObject({ code: 'SEND_OVERFLOW' })
    await failure(readAll(far))
  })

  it('passes on what the stream says to a write and to an end', async () => {
    const broken = () => Promise.reject(new Error('broken pipe'))
    const writing = createConnection(fakeStream({ write: broken }))
    expect(await failure(writing.write(largeChunk))).toMatchObject({ code: 'CONNECTION_LOST' })
    expect(await failure(writing.end())).toMatchObject({ message: 'broken pipe' })
    const ending = createConnection(fakeStream({ end: broken }))
    expect(await failure(ending.end())).toMatchObject({ code: 'CONNECTION_LOST', message: 'broken pipe' })
  })

  it.each([['text'], [[1, 2]], [new ArrayBuffer(2)], [null], [undefined]])(
    'refuses %o with a TypeError, and goes on',
    async (value) => {
      const { near, far } = createEnds()
      void near.write(fromText('a'))
      await expect(near.write(value as unknown as Uint8Array)).rejects.toBeInstanceOf(TypeError)
      expect(near.error).toBeUndefined()
      await near.write(Buffer.from('b'))
      void near.end()
      expect(await readAll(far)).toEqual(fromText('ab'))
    },
  )

  it.each(['net', 'ws', 'net~shs'] as const)(
    'that fails over %s leaves what had arrived to be read',
    async (name) => {
      const { near, far, socket } = await connect(name)
      const arrived = socket.bytesRead
      await far.write(fromText('reply'))
      await vi.waitFor(() => expect(socket.bytesRead).toBeGreaterThan(arrived), { interval: 1 })
      far.abort()
      await near.closed
      const error = await failure(near.write(largeChunk))
      expect(error.code).toBe('CONNECTION_LOST')
      expect(near.error).toBe(error)
      expect(await near.read()).toEqual(fromText('reply'))
      expect(await failure(near.read())).toMatchObject({ code: 'CONNECTION_LOST' })
    },
  )

  it('that fails because the peer has closed leaves its reply and its end to be read', async () => {
    const { near, far, socket } = await connect('ws')
    const arrived = socket.bytesRead
    await far.write(fromText('reply'))
    await vi.waitFor(() => expect(socket.bytesRead).toBeGreaterThan(arrived), { interval: 1 })
    await far.close()
    expect(await failure(near.write(largeChunk))).toMatchObject({ code: 'CLOSED' })
    expect(await readAll(near)).toEqual(fromText('reply'))
  })
})

describe('closing', () => {
  it('ends, discards what is not read, and resolves when both have ended', async () => {
    const { near, far } = createEnds()
    await far.write(fromText('unread'))
    const closing = near.close()
    expect(await far.read()).toBeNull()
    await far.write(new Uint8Array(1_000_000))
    void far.end()
    await closing
    expect(near.error).toBeUndefined()
    expect(far.error).toBeUndefined()
  })

  it.each(['pair', 'net', 'net~shs'] as const)(
    'of both sides over %s does not wait for lingerMs, however much is under way both ways',
    async (name) => {
      const { near, far } = await connect(name, { lingerMs: 60_000 })
      const writes = [near.write(new Uint8Array(eightMebibytes)), far.write(new Uint8Array(eightMebibytes))]
      await Promise.all([near.close(), far.close(), ...writes])
      expect([near.error, far.error]).toEqual([undefined, undefined])
    },
  )

  it.each(['pair', 'net', 'net~shs'] as const)(
    'over %s takes from a peer that writes before it reads, and lets it have everything',
    async (name) => {
      const { near, far } = await connect(name, { lingerMs: 60_000 })
      const bytes = new Uint8Array(eightMebibytes).map((_, at) => at % 251)
      void near.write(bytes)
      const closing = near.close()
      await far.write(new Uint8Array(eightMebibytes))
      await far.end()
      expect(Buffer.compare(await readAll(far), bytes)).toBe(0)
      await Promise.all([closing, far.closed])
      expect([near.error, far.error]).toEqual([undefined, undefined])
    },
  )

  it('still sends what was written before it', async () => {
    const { near, far } = createEnds()
    const bytes = new Uint8Array(1_000_000).fill(7)
    void near.write(bytes)
    const closing = near.close()
    expect(await readAll(far)).toHaveLength(bytes.length)
    void far.end()
    await closing
  })

  it('reads null, and refuses writes, from then on', async () => {
    const { near, far } = createEnds()
    await far.write(fromText('unread'))
    const closing = near.close()
    expect(await near.read()).toBeNull()
    expect(await failure(near.write(Uint8Array.of(1)))).toMatchObject({ code: 'CLOSED' })
    await far.close()
    await closing
  })

  it('gives what comes to a reader that was waiting already', async () => {
    const { near, far } = createEnds()
    const reading = near.read()
    const closing = near.close()
    await far.write(fromText('last words'))
    void far.end()
    expect(await reading).toEqual(fromText('last words'))
    await closing
  })

  it('gives up a peer that does not end within lingerMs', async () => {
    vi.useFakeTimers()
    try {
      const { near, far } = createEnds({ lingerMs: 500 })
      let closed = false
      const closing = near.close().then(() => (closed = true))
      await vi.advanceTimersByTimeAsync(499)
      expect(closed).toBe(false)
      await vi.advanceTimersByTimeAsync(1)
      await closing
      expect(near.error).toMatchObject({ code: 'TIMEOUT' })
      expect(vi.getTimerCount()).toBe(0)
      expect(await failure(far.write(largeChunk))).toMatchObject({ code: 'CONNECTION_LOST' })
    } finally {
      vi.useRealTimers()
    }
  })

  it('waits as long as the peer goes on taking what was written', async () => {
    vi.useFakeTimers()
    try {
      const [stream, far] = createPair()
      const info = { deliveredBytes: 0 }
      const near = createConnection(Object.assign(stream, { info }), { lingerMs: 500 })
      let closed = false
      const closing = near.close().then(() => (closed = true))
      for (let periods = 0; periods < 20; periods++) {
        info.deliveredBytes += 32 * 1024
        await vi.advanceTimersByTimeAsync(500)
      }
      expect(closed).toBe(false)
      info.deliveredBytes += 32 * 1024 - 1
      await vi.advanceTimersByTimeAsync(500)
      await closing
      expect(near.error).toMatchObject({ code: 'TIMEOUT' })
      expect(vi.getTimerCount()).toBe(0)
      far.abort()
    } finally {
      vi.useRealTimers()
    }
  })

  it('leaves no timer when the peer ends in time', async () => {
    vi.useFakeTimers()
    try {
      const { near, far } = createEnds()
      await Promise.all([near.close(), far.close()])
      await settle()
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  it('resolves after an abort, and after it was closed already', async () => {
    const { near, far } = createEnds()
    near.abort()
    await near.close()
    await near.close()
    far.abort()
    await far.close()
  })

  it('resolves when the stream breaks meanwhile', async () => {
    const { near, far } = createEnds()
    const closing = near.close()
    far.abort()
    await closing
  })
})

describe('aborting', () => {
  it('rejects what is under way and what comes with its reason', async () => {
    const { near, far } = createEnds()
    const reason = new MultiserverError('PROTOCOL', 'nonsense')
    const waiting = [near.read(), near.read(), near.write(new Uint8Array(1_000_000))]
    await settle()
    near.abort(reason)
    for (const promise of waiting) await expect(promise).rejects.toBe(reason)
    await expect(near.read()).rejects.toBe(reason)
    await expect(near.write(Uint8Array.of(1))).rejects.toBe(reason)
    await expect(near.end()).rejects.toBe(reason)
    expect(near.error).toBe(reason)
    await near.closed
    expect(await failure(readAll(far))).toMatchObject({ code: 'CONNECTION_LOST' })
  })

  it('is ABORTED without a reason, and wraps a foreign one', () => {
    const bare = createEnds().near
    bare.abort()
    expect(bare.error).toMatchObject({ code: 'ABORTED' })
    const foreign = createEnds().near
    const cause = new TypeError('not now')
    foreign.abort(cause)
    expect(foreign.error).toMatchObject({ code: 'ABORTED', message: 'not now', cause })
  })

  it('keeps its first reason', () => {
    const { near } = createEnds()
    near.abort(new MultiserverError('PROTOCOL'))
    near.abort(new MultiserverError('TIMEOUT'))
    expect(near.error).toMatchObject({ code: 'PROTOCOL' })
  })

  it('leaves no rejection unhandled, whatever nobody awaits', async () => {
    const { near, far } = createEnds()
    void near.write(new Uint8Array(1_000_000))
    void near.write(new Uint8Array(1_000_000))
    void near.end()
    void near.closed
    void near.close()
    far.abort()
    near.abort()
    void near.write(Uint8Array.of(1))
    void near.end()
    await near.closed
  })
})

describe('web streams', () => {
  it('read to the end', async () => {
    const { near, far } = createEnds()
    void far.write(fromText('hello'))
    void far.end()
    expect(await new Response(near.readable).text()).toBe('hello')
  })

  it('write, and end when they are closed', async () => {
    const { near, far } = createEnds()
    const writer = near.writable.getWriter()
    void writer.write(fromText('a'))
    void writer.write(fromText('b'))
    await writer.close()
    expect(await readAll(far)).toEqual(fromText('ab'))
  })

  it('pipe through an echo', async () => {
    const { near, far } = createEnds()
    const echoing = far.readable.pipeTo(far.writable)
    const bytes = Uint8Array.from({ length: 500_000 }, (_, at) => at & 0xff)
    const [received] = await Promise.all([readAll(near), near.write(bytes).then(() => near.end())])
    expect(Buffer.compare(received, bytes)).toBe(0)
    await echoing
  })

  it('are made once, and only when asked for', async () => {
    const { near } = createEnds()
    expect(near.readable).toBe(near.readable)
    expect(near.writable).toBe(near.writable)
    near.abort()
    await near.readable.cancel().catch(() => undefined)
  })

  it('do not read ahead', async () => {
    const read = vi.fn(() => Promise.resolve(Uint8Array.of(1)))
    const connection = createConnection(fakeStream({ read }))
    const reader = connection.readable.getReader()
    await settle()
    expect(read).not.toHaveBeenCalled()
    await reader.read()
    await settle()
    expect(read).toHaveBeenCalledOnce()
  })

  it('abort the connection when the reading is cancelled', async () => {
    const { near, far } = createEnds()
    await near.readable.cancel(new Error('enough'))
    expect(near.error).toMatchObject({ code: 'ABORTED', message: 'enough' })
    await failure(readAll(far))
  })

  it('abort the connection when the writing is', async () => {
    const { near, far } = createEnds()
    await near.writable.abort(new Error('enough'))
    expect(near.error).toMatchObject({ code: 'ABORTED', message: 'enough' })
    await failure(readAll(far))
  })

  it('fail as the connection does', async () => {
    const { near, far } = createEnds()
    const reader = near.readable.getReader()
    const reading = reader.read()
    far.abort()
    expect(await failure(reading)).toMatchObject({ code: 'CONNECTION_LOST' })
    const writer = near.writable.getWriter()
    writer.closed.catch(() => undefined)
    expect(await failure(writer.write(Uint8Array.of(1)))).toMatchObject({ code: 'CONNECTION_LOST' })
    reader.closed.catch(() => undefined)
  })
})

describe('what a connection tells', () => {
  it('is what the stack found out', () => {
    const remote = new Uint8Array(32)
    const facts = { address: 'x:1~shs:K', role: 'server', remote, auth: { id: 1 }, strength: 1 } as const
    const connection = new Connection(fakeStream({}), { ...facts, binding: remote })
    expect(connection).toMatchObject({ ...facts, binding: remote })
    expect(connection.error).toBeUndefined()
  })

  it('is the path and the figures of a stream that has them', () => {
    const listeners = new Set<(path: Path) => void>()
    const info = {
      path: 'relay' as Path,
      onPath(listener: (path: Path) => void) {
        listeners.add(listener)
        return () => void listeners.delete(listener)
      },
      stats: () => ({ sent: 5 }),
    }
    const connection = createConnection(fakeStream({ info }))
    const heard = vi.fn()
    const stop = connection.on('path', heard)
    for (const listener of listeners) listener('direct')
    stop()
    for (const listener of listeners) listener('turn')
    expect(heard.mock.calls).toEqual([['direct']])
    expect(connection.path).toBe('relay')
    expect(connection.stats()).toEqual({ sent: 5 })
  })

  it('is nothing where the stream has nothing to say', () => {
    const connection = createConnection(fakeStream({}))
    expect(connection.path).toBeUndefined()
    expect(connection.stats()).toEqual({})
    connection.on('path', () => undefined)()
  })
})

function createConnection(stream: ByteStream, facts: Partial<ConnectionFacts> = {}): Connection {
  return new Connection(stream, { address: 'memory:far', role: 'client', strength: 0, ...facts })
}

function createEnds(facts: Partial<ConnectionFacts> = {}): { near: Connection; far: Connection } {
  const [near, far] = createPair()
  return { near: createConnection(near, facts), far: createConnection(far, facts) }
}

const eightMebibytes = 8 * 1024 * 1024

type StackName = 'net' | 'ws' | 'net~shs'

async function createStack(name: StackName): Promise<StackInput> {
  if (name === 'net~shs') return [net(), shs({ keys: await generateKeys() })]
  return name === 'net' ? net() : ws()
}

/** Two ends over sockets of this machine, or in memory; `socket` is the TCP socket of the near one. */
async function connect(
  name: StackName | 'pair',
  options: { lingerMs?: number } = {},
): Promise<{ near: Connection; far: Connection; socket: Socket }> {
  if (name === 'pair') return { ...createEnds(options), socket: undefined as never }
  const server = MultiServer([await createStack(name)], options)
  let onAccepted: (connection: Connection) => void = () => undefined
  const accepted = new Promise<Connection>((resolve) => (onAccepted = resolve))
  const close = server.server(onAccepted)
  await close.listening
  const { connection: near, socket } = await watchSocket(async () =>
    MultiServer([await createStack(name)], options).client(server.stringify()),
  )
  const far = await accepted
  cleanUps.push(async () => {
    near.abort()
    far.abort()
    await close()
  })
  return { near, far, socket }
}

/** What `dial` gives, and the last socket that Node made meanwhile. */
async function watchSocket(
  dial: () => Promise<Connection>,
): Promise<{ connection: Connection; socket: Socket }> {
  const made: Socket[] = []
  const watch = (message: unknown) => made.push((message as { socket: Socket }).socket)
  const sockets = channel('net.client.socket')
  sockets.subscribe(watch)
  const connection = await dial().finally(() => sockets.unsubscribe(watch))
  const socket = made.at(-1)
  if (socket === undefined) throw new Error('no socket was made')
  return { connection, socket }
}

function fakeStream(parts: Partial<ByteStream>): ByteStream {
  return {
    read: () => new Promise(() => undefined),
    write: () => Promise.resolve(),
    end: () => Promise.resolve(),
    abort: () => undefined,
    closed: new Promise(() => undefined),
    ...parts,
  }
}

async function readAll(connection: Connection): Promise<Bytes> {
  const chunks: Bytes[] = []
  for (let chunk = await connection.read(); chunk !== null; chunk = await connection.read())
    chunks.push(chunk)
  return concat(...chunks)
}
