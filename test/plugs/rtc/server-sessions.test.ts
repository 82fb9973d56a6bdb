import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { limits } from '../../../core/limits.ts'
import {
  joinServerSessions,
  type ServerSessions,
  type SessionOwner,
} from '../../../plugs/rtc/server-sessions.ts'
import { FakePath } from '../../support/fake-path.ts'
import type { ByteStream, Bytes } from '../../../core/types.ts'
import type { IntroductionOptions } from '../../../plugs/rtc/introduction.ts'

const {
  finished,
  resumeMs,
  serverGraceMs,
  suspended,
  suspendedBytes,
  suspendedBytesAtOnce,
  suspendedSafeMs,
} = limits.resume
const { unacknowledgedBytes } = limits.session
const key = new Uint8Array(32).fill(1)

let leaves: (() => void)[] = []
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  for (const leave of leaves.splice(0)) leave()
  vi.useRealTimers()
})

describe('the sessions of a key', () => {
  it('are the same for all who join, and known until they are over', async () => {
    const sessions = join()
    const { stream } = await begin(sessions, 1)
    expect(join()).toBe(sessions)
    expect(sessions.find(id(1))).toBeDefined()
    expect(sessions.find(id(2))).toBeUndefined()
    stream.abort()
    expect(sessions.find(id(1))).toBeUndefined()
  })

  it('have nothing more to do with the listening once an introduction came to nothing', () => {
    const { owner: of, stop } = owner()
    const [over, underWay] = [join().begin(id(1), of), join().begin(id(2), of)]
    over.onOver?.()
    stop.abort()
    expect(over.signal.aborted).toBe(false)
    expect(underWay.signal.aborted).toBe(true)
  })

  it('are not those of another key', async () => {
    const { stream } = await begin(join(), 1)
    expect(join(new Uint8Array(32)).find(id(1))).toBeUndefined()
    stream.abort()
  })

  it('outlive those who listened, as long as one lives', async () => {
    const sessions = join()
    const { stream } = await begin(sessions, 1)
    leaves.splice(0).forEach((leave) => leave())
    expect(join().find(id(1))).toBeDefined()
    stream.abort()
    leaves.splice(0).forEach((leave) => leave())
    expect(join()).not.toBe(sessions)
  })

  it('go on over another path, while the old one seems alive too', async () => {
    const sessions = join()
    const { stream, path } = await begin(sessions, 1)
    const other = await resume(sessions, 1)
    expect(path.isClosed).toBe(false)
    other.take()
    await stream.write(new Uint8Array(5))
    expect(other.take()).toContainEqual(expect.objectContaining({ type: 'data', offset: 0 }))
    stream.abort()
  })

  it('take each path of the introduction that began them, and are accepted once', async () => {
    const { owner: of, accepted } = owner()
    const taker = join().begin(id(1), of)
    const paths = [new FakePath({ kind: 'relay' }), new FakePath()]
    for (const path of paths) {
      const taking = taker.take(path)
      path.deliver({ type: 'hello', session: id(1), received: 0, limit: 0 })
      await taking
    }
    expect(accepted).toHaveLength(1)
    expect(accepted[0]?.info?.path).toBe('direct')
    expect(paths.map(({ isClosed }) => isClosed)).toEqual([false, false])
    accepted[0]?.abort()
  })

  it('begin with the second path of an introduction when the first was no good', async () => {
    const { owner: of, accepted } = owner()
    const taker = join().begin(id(1), of)
    const [bad, good] = [new FakePath({ kind: 'relay' }), new FakePath()]
    const failing = taker.take(bad)
    bad.deliver(new Uint8Array(3))
    await expect(failing).rejects.toMatchObject({ code: 'PATH_LOST' })
    const taking = taker.take(good)
    good.deliver({ type: 'hello', session: id(1), received: 0, limit: 0 })
    await taking
    expect(accepted).toHaveLength(1)
    accepted[0]?.abort()
  })

  it('do not begin again with a late path of the introduction that began them', async () => {
    const { owner: of, accepted } = owner()
    const taker = join().begin(id(1), of)
    const [first, late] = [new FakePath({ kind: 'relay' }), new FakePath()]
    const taking = taker.take(first)
    first.deliver({ type: 'hello', session: id(1), received: 0, limit: 0 })
    await taking
    accepted[0]?.abort()
    await taker.take(late)
    expect(late.isClosed).toBe(true)
    expect(accepted).toHaveLength(1)
  })

  it('are not changed by a path whose HELLO names another', async () => {
    const sessions = join()
    const { stream, path } = await begin(sessions, 1)
    const other = new FakePath()
    const taking = sessions.find(id(1))?.take(other)
    other.deliver({ type: 'hello', session: id(2), received: 0, limit: 0 })
    await taking
    expect(other.isClosed).toBe(true)
    path.take()
    await stream.write(new Uint8Array(5))
    expect(path.take()).toContainEqual(expect.objectContaining({ type: 'data' }))
    stream.abort()
  })

  it('begin once, however often the same offer comes', async () => {
    const sessions = join()
    const again = sessions.begin(id(1), owner().owner)
    const { stream } = await begin(sessions, 1)
    const path = new FakePath()
    await again.take(path)
    expect(path.isClosed).toBe(true)
    stream.abort()
  })

  it('are forgotten when the first path brings no HELLO, and their introduction no other', async () => {
    const sessions = join()
    const introduction = sessions.begin(id(1), owner().owner)
    const failing = expect(introduction.take(new FakePath())).rejects.toMatchObject({ code: 'PATH_LOST' })
    await vi.advanceTimersByTimeAsync(limits.session.helloTimeoutMs)
    await failing
    introduction.onOver?.()
    expect(sessions.find(id(1))).toBeUndefined()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('are told of by trouble, and ended by the time', async () => {
    const onTrouble = vi.fn()
    const { sessions, leave } = joinServerSessions(key, onTrouble)
    leaves.push(leave)
    const { stream, path } = await begin(sessions, 1)
    expect(sessions.someNeedPath).toBe(false)
    path.close()
    expect(onTrouble).toHaveBeenCalledOnce()
    expect(sessions.someNeedPath).toBe(true)
    await vi.advanceTimersByTimeAsync(resumeMs + serverGraceMs)
    await stream.closed
    expect(sessions.find(id(1))).toBeUndefined()
    expect(sessions.someNeedPath).toBe(false)
  })
})

describe('a finished session', () => {
  it('is remembered, and whoever asks is told that its end has come', async () => {
    const sessions = join()
    await finish(sessions, 1)
    const path = await resume(sessions, 1, false)
    expect(path.take()).toEqual([
      { type: 'hello', session: id(1), received: 4, limit: 3 },
      { type: 'ping', id: expect.any(Number) },
    ])
    path.deliver({ type: 'ack', received: 1, limit: 0 }, { type: 'ping', id: 9 })
    expect(path.take()).toEqual([{ type: 'pong', id: 9 }])
    await vi.advanceTimersByTimeAsync(limits.session.serverCloseMs)
    expect(path.isClosed).toBe(true)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('is forgotten after a while', async () => {
    const sessions = join()
    await finish(sessions, 1)
    await vi.advanceTimersByTimeAsync(resumeMs - 1)
    expect(sessions.find(id(1))).toBeDefined()
    await vi.advanceTimersByTimeAsync(1)
    expect(sessions.find(id(1))).toBeUndefined()
  })

  it('is the first to be forgotten when there are more than 4,096', async () => {
    const sessions = join()
    for (let count = 0; count <= finished; count++) await finish(sessions, count)
    expect(sessions.find(id(0))).toBeUndefined()
    expect(sessions.find(id(1))).toBeDefined()
    expect(sessions.find(id(finished))).toBeDefined()
  })

  it('that ended badly is not remembered', async () => {
    const sessions = join()
    const { stream, path } = await begin(sessions, 1)
    path.deliver({ type: 'reset', code: 2, text: '' })
    await stream.closed
    expect(sessions.find(id(1))).toBeUndefined()
  })

  it('answers no longer than its owner listens', async () => {
    const sessions = join()
    const stop = await finish(sessions, 1)
    const path = await resume(sessions, 1, false)
    stop.abort()
    expect(path.isClosed).toBe(true)
    await vi.advanceTimersByTimeAsync(0)
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('a session that is being introduced', () => {
  it('takes a path that its client brings, which has one open that was lost here before its HELLO came', async () => {
    const sessions = join()
    const { owner: of, accepted } = owner()
    const beginning = sessions.begin(id(1), of)
    const lost = new FakePath()
    const losing = beginning.take(lost)
    lost.close()
    await expect(losing).rejects.toMatchObject({ code: 'PATH_LOST' })
    const found = sessions.find(id(1))
    const path = new FakePath()
    const taking = found?.take(path)
    path.deliver({ type: 'hello', session: id(1), received: 0, limit: 0 })
    await taking
    expect(accepted).toHaveLength(1)
    beginning.onOver?.()
    expect(sessions.find(id(1))).toBeDefined()
    accepted[0]?.abort()
    await vi.advanceTimersByTimeAsync(limits.session.resetCloseMs)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('is none any more once it has been open and is over, whatever its introduction still brings', async () => {
    const sessions = join()
    const { stream } = await begin(sessions, 1)
    stream.abort()
    await vi.advanceTimersByTimeAsync(limits.session.resetCloseMs)
    expect(sessions.find(id(1))).toBeUndefined()
  })
})

describe('sessions that wait for a path', () => {
  it('are at most 1,024: the one that has waited longest goes', async () => {
    const sessions = join()
    const streams: ByteStream[] = []
    for (let count = 0; count <= suspended; count++) {
      const { stream, path } = await begin(sessions, count)
      streams.push(stream)
      path.close()
    }
    await expect(streams[0]?.read()).rejects.toMatchObject({ code: 'PATH_LOST' })
    expect(sessions.find(id(0))).toBeUndefined()
    expect(sessions.find(id(1))).toBeDefined()
    // Who has come back does not count.
    await resume(sessions, 1)
    const { stream, path } = await begin(sessions, suspended + 1)
    streams.push(stream)
    path.close()
    expect(sessions.find(id(2))).toBeDefined()
    for (const each of streams) each.abort()
    await vi.advanceTimersByTimeAsync(limits.session.resetCloseMs)
    expect(vi.getTimerCount()).toBe(0)
  })

  /** Of a server whose network fails under so many that send as fast as they may. */
  const suspendSenders = async (sessions: ServerSessions, count: number, from = 0): Promise<ByteStream[]> => {
    const begun = await Promise.all(
      Array.from({ length: count }, (_each, index) => begin(sessions, from + index)),
    )
    for (const { stream } of begun) await stream.write(new Uint8Array(unacknowledgedBytes))
    for (const { path } of begun) path.close()
    return begun.map(({ stream }) => stream)
  }

  it('hold at most 64 MiB, unacknowledged and unread, once they have waited for 20 s', async () => {
    const sessions = join()
    const most = suspendedBytes / unacknowledgedBytes
    const streams = await suspendSenders(sessions, most + 10)
    expect(sessions.find(id(0))).toBeDefined()
    await vi.advanceTimersByTimeAsync(suspendedSafeMs)
    streams.push(...(await suspendSenders(sessions, 1, most + 10)))
    for (let index = 0; index < 11; index++) expect(sessions.find(id(index))).toBeUndefined()
    expect(sessions.find(id(11))).toBeDefined()
    for (const stream of streams) stream.abort()
  })

  it('hold at most 512 MiB before that', async () => {
    const sessions = join()
    const streams = await suspendSenders(sessions, suspendedBytesAtOnce / unacknowledgedBytes + 1)
    expect(sessions.find(id(0))).toBeUndefined()
    expect(sessions.find(id(1))).toBeDefined()
    for (const stream of streams) stream.abort()
  })
})

function join(of: Uint8Array = key): ServerSessions {
  const { sessions, leave } = joinServerSessions(of, () => undefined)
  leaves.push(leave)
  return sessions
}

function owner(): { owner: SessionOwner; stop: AbortController; accepted: ByteStream[] } {
  const stop = new AbortController()
  const accepted: ByteStream[] = []
  const options = {} as IntroductionOptions
  const accept = (stream: ByteStream) => accepted.push(stream)
  return { owner: { options, signal: stop.signal, section: 'rtc:test', resumeMs, accept }, stop, accepted }
}

/** A session that has its first path. */
async function begin(sessions: ServerSessions, number: number) {
  const { owner: of, stop, accepted } = owner()
  const path = new FakePath()
  const beginning = sessions.begin(id(number), of).take(path)
  path.deliver({ type: 'hello', session: id(number), received: 0, limit: 0 })
  await beginning
  const [stream] = accepted
  if (stream === undefined) throw new Error('it was not accepted')
  return { stream, path, stop }
}

/** One of three bytes that both sides have finished. */
async function finish(sessions: ServerSessions, number: number): Promise<AbortController> {
  const { stream, path, stop } = await begin(sessions, number)
  path.deliver({ type: 'data', offset: 0, bytes: new Uint8Array(3) }, { type: 'end', offset: 3 })
  const ending = stream.end()
  path.deliver({ type: 'ack', received: 1, limit: 0 })
  await ending
  path.close()
  await stream.closed
  return stop
}

async function resume(sessions: ServerSessions, number: number, isTaken = true): Promise<FakePath> {
  const path = new FakePath()
  const taking = sessions.find(id(number))?.take(path)
  path.deliver({ type: 'hello', session: id(number), received: isTaken ? 0 : 1, limit: 0 })
  if (isTaken) await taking
  return path
}

function id(number: number): Bytes {
  const bytes = new Uint8Array(16)
  new DataView(bytes.buffer).setUint32(0, number)
  return bytes
}
