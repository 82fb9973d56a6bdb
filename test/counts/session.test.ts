import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Session } from '../../plugs/rtc/session.ts'
import { FakeLink } from '../support/fake-path.ts'

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
