import { afterEach, describe, expect, test, vi } from 'vitest'
import { Forwarder } from '../../cli/services/forwarder.ts'
import { openClientSession, openServerSession, openStream } from '../../cli/services/http2.ts'
import { limits } from '../../cli/services/limits.ts'
import { Connection } from '../../core/connection.ts'
import { createPair } from '../../core/pair.ts'
import type { ByteStream } from '../../core/types.ts'
import { connectTcp, fateOf, serveTcp } from './services.ts'

const waitMs = 10_000

test('a connection that nobody has answered is reset at once when it is told to stop', async () => {
  const [near, far] = connectionsOf(createPair())
  const asked = new Promise((resolve) => openServerSession(far).once('stream', resolve))
  const stopped = new AbortController()
  const forwarder = forwarderOver(near)
  const running = forwarder.run(stopped.signal)
  const accepted: Promise<void>[] = []
  const port = await serveTcp((socket) => void accepted.push(forwarder.accept(socket)))
  const fate = fateOf(await connectTcp(port))
  await asked
  const stoppedAt = performance.now()
  stopped.abort()
  await running
  // It does not look again and again at what is over, for as long as a connection may wait.
  expect(performance.now() - stoppedAt).toBeLessThan(waitMs / 2)
  await Promise.all(accepted)
  expect(await fate).toBe('reset')
})

describe('a connection whose far side takes nothing any more', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  test('is broken off when it is told to stop', async () => {
    const [near, far] = createPair()
    const { stuck, stream } = stuckByLargeWrites(near)
    const [ours, theirs] = connectionsOf([stream, far])
    answerStreams(theirs)
    const stopped = new AbortController()
    const forwarder = forwarderOver(ours)
    const running = forwarder.run(stopped.signal)
    const port = await serveTcp((socket) => void forwarder.accept(socket))
    const socket = await connectTcp(port)
    socket.write(Buffer.alloc(1024 * 1024))
    await stuck
    stopped.abort()
    await running
    expect(ours.error).toMatchObject({ code: 'TIMEOUT' })
  })

  test('is broken off when it does not answer for too long', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] })
    const [near, far] = createPair()
    const { stuck, stream } = stuckByLargeWrites(near)
    const [ours, theirs] = connectionsOf([stream, far])
    answerStreams(theirs)
    const session = openClientSession(ours)
    const asked = await openStream(session)
    if (typeof asked === 'string') throw new Error(`the stream is ${asked}`)
    const over = new Promise<void>((resolve) => session.once('close', resolve))
    asked.write(Buffer.alloc(1024 * 1024))
    await stuck
    await vi.advanceTimersByTimeAsync(limits.pingEveryMs + limits.pingTimeoutMs)
    await ours.closed
    // Both ask at the same times here: whoever is first tells the other.
    expect([ours.error?.code, theirs.error?.code]).toContain('TIMEOUT')
    await over
  })
})

function answerStreams(connection: Connection): void {
  openServerSession(connection).on('stream', (stream) => {
    stream.on('error', () => undefined)
    stream.respond({ ':status': 200 })
  })
}

/** As where a line is dead and nobody knows: the first large write does not end, and what follows on it neither. */
function stuckByLargeWrites(stream: ByteStream): { stuck: Promise<void>; stream: ByteStream } {
  let sayStuck: () => void = () => undefined
  const stuck = new Promise<void>((resolve) => (sayStuck = resolve))
  return {
    stuck,
    stream: {
      closed: stream.closed,
      read: () => stream.read(),
      end: () => stream.end(),
      abort: (reason) => stream.abort(reason),
      write(chunk) {
        if (chunk.length < 8 * 1024) return stream.write(chunk)
        sayStuck()
        return new Promise<void>(() => undefined)
      },
    },
  }
}

function forwarderOver(connection: Connection): Forwarder {
  return new Forwarder({
    dial: async () => connection,
    waitMs,
    onConnected: () => undefined,
    onFailed: (error) => {
      throw error
    },
  })
}

function connectionsOf([near, far]: [ByteStream, ByteStream]): [Connection, Connection] {
  const facts = { address: 'memory:test', strength: 2 }
  return [
    new Connection(near, { ...facts, role: 'client' }),
    new Connection(far, { ...facts, role: 'server' }),
  ]
}
