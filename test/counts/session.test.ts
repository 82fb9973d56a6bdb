import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Session } from '../../plugs/rtc/session.ts'
import { FakeLink, FakePath } from '../support/fake-path.ts'
import { countMemory } from './count-memory.ts'

const MiB = 1024 * 1024
const frameBytes = 64 * 1024
const id = new Uint8Array(16).fill(6)

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

it('16 MiB over a session are frames of 64 KiB, seven bytes more each, and acknowledgements for every other one', async () => {
  const link = new FakeLink({ delayMs: 1, maxFrameBytes: frameBytes })
  const [client, server] = (['client', 'server'] as const).map((role, at) => {
    const session = new Session({ id, role, address: 'rtc:test', resumeMs: 0 })
    const end = link.ends[at]
    if (end === undefined) throw new Error('a link has two ends')
    session.addPath(end)
    return session
  })
  if (client === undefined || server === undefined) throw new Error('there are two sessions')
  const frames = [countFrames(link.ends[0]), countFrames(link.ends[1])] as const
  const total = 16 * MiB
  const reading = (async () => {
    let read = 0
    for (let chunk = await server.read(); chunk !== null; chunk = await server.read()) read += chunk.length
    return read
  })()
  const writing = (async () => {
    const chunk = new Uint8Array(frameBytes)
    for (let sent = 0; sent < total; sent += chunk.length) await client.write(chunk)
    await client.end()
  })()
  await vi.advanceTimersByTimeAsync(10_000)
  await writing
  expect(await reading).toBe(total)

  const data = Math.ceil(total / (frameBytes - 7))
  // A frame more wherever the credit ended within one, while the window grew.
  expect(frames[0][1]?.count).toBeLessThanOrEqual(1.05 * data)
  expect(frames[0][1]?.bytes).toBe(total + 7 * (frames[0][1]?.count ?? 0))
  expect(frames[1][2]?.count).toBeLessThanOrEqual(0.55 * data)
  client.abort()
  server.abort()
})

it('16 MiB are handed over in memory that is used again', async () => {
  const path = new FakePath()
  const session = new Session({ id, role: 'client', address: 'rtc:test', resumeMs: 0 })
  let sent = 0
  // Keeps nothing, where one that keeps its frames would copy them.
  path.send = (message) => {
    if (message[0] === 1) sent += message.length - 7
  }
  session.addPath(path)
  path.deliver({ type: 'hello', session: id, received: 0, limit: 2 ** 40 })
  const chunk = new Uint8Array(frameBytes)
  const write = async (bytes: number) => {
    for (let written = 0; written < bytes; written += chunk.length) {
      await session.write(chunk)
      path.deliver({ type: 'ack', received: sent, limit: 2 ** 40 })
    }
  }
  await write(MiB)
  // Acknowledgements, most of it, which are made here.
  expect(await countMemory(() => write(16 * MiB))).toBeLessThan(frameBytes)
  expect(sent).toBe(17 * MiB)
  session.abort()
})

type Counted = Partial<Record<number, { count: number; bytes: number }>>

/** By the type of the frame, its first byte. */
function countFrames(end: FakeLink['ends'][0]): Counted {
  const counted: Counted = {}
  const { onSend } = end
  end.onSend = (message) => {
    const of = (counted[message[0] ?? -1] ??= { count: 0, bytes: 0 })
    of.count += 1
    of.bytes += message.length
    onSend(message)
  }
  return counted
}
