import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { MultiserverError } from '../../../core/errors.ts'
import { limits } from '../../../core/limits.ts'
import { Session, type SessionOptions } from '../../../plugs/rtc/session.ts'
import { FakePath, type FakePathOptions } from '../../support/fake-path.ts'
import type { Frame } from '../../../plugs/rtc/frames.ts'

const id = new Uint8Array(16).fill(6)
const { resumeMs, serverGraceMs, lingerMs } = limits.resume
const { answersApartMs, doubtAfterMs, initialLimitBytes, stalledAfterMs, worseCloseMs, windowBytes } =
  limits.session
const realImmediate = setImmediate

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

describe('a session without a path', () => {
  it('goes on over the next one from what the peer has', async () => {
    const { session, path } = open()
    await session.write(bytes(0, 5000))
    path.deliver({ type: 'ack', received: 2000, limit: initialLimitBytes })
    path.deliver({ type: 'data', offset: 0, bytes: bytes(0, 10) })
    path.close()
    const other = new FakePath()
    session.addPath(other)
    expect(other.take()).toEqual([{ type: 'hello', session: id, received: 10, limit: windowBytes }])
    other.deliver(hello({ received: 3000 }))
    expect(other.take().filter(({ type }) => type === 'data')).toEqual([
      { type: 'data', offset: 3000, bytes: bytes(3000, 2000) },
    ])
    expect(await session.read()).toEqual(bytes(0, 10))
    expect(session.info.stats?.()).toMatchObject({ resumes: 1, pathChanges: 2, resentBytes: 2000 })
    session.abort()
  })

  it('takes nothing more from the writer until it has one', async () => {
    const { session, path } = open()
    path.close()
    const writing = session.write(new Uint8Array(10))
    expect(await isSettled(writing)).toBe(false)
    expect(session.heldBytes).toBe(0)
    openPath(session)
    await writing
    session.abort()
  })

  it.each([
    ['client', resumeMs],
    ['server', resumeMs + serverGraceMs],
  ] as const)('of the %s waits %i ms, and then fails with PATH_LOST', async (role, waitMs) => {
    const { session, path, suspensions } = open({ role })
    path.close()
    expect(session.info.stats?.()).toMatchObject({ suspendedLeftMs: waitMs })
    await vi.advanceTimersByTimeAsync(waitMs - 1)
    expect(session.isSuspended).toBe(true)
    expect(session.info.stats?.()).toMatchObject({ suspendedLeftMs: 1 })
    await vi.advanceTimersByTimeAsync(1)
    await expect(session.read()).rejects.toMatchObject({ code: 'PATH_LOST' })
    await expect(session.write(new Uint8Array(1))).rejects.toMatchObject({ code: 'PATH_LOST' })
    await session.closed
    expect(suspensions).toEqual([true, false])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('has its whole time again each time', async () => {
    const { session, path } = open()
    let last = path
    for (let round = 0; round < 5; round++) {
      last.close()
      await vi.advanceTimersByTimeAsync(resumeMs - 1000)
      last = openPath(session)
    }
    expect(session.info.stats?.()).toMatchObject({
      resumes: 5,
      isSuspended: false,
      suspendedLeftMs: undefined,
    })
    session.abort()
  })

  it('does not count the time in which the machine sleeps', async () => {
    const { session, path } = open()
    path.close()
    await vi.advanceTimersByTimeAsync(10_000)
    sleepFor(3_600_000)
    await vi.advanceTimersByTimeAsync(resumeMs - 10_001)
    expect(session.isSuspended).toBe(true)
    await vi.advanceTimersByTimeAsync(1)
    await session.closed
  })

  it('does not wait when it may not be resumed', async () => {
    const { session, path, search } = open({ resumeMs: 0 })
    path.close()
    await expect(session.read()).rejects.toMatchObject({ code: 'PATH_LOST' })
    await session.closed
    expect(search.count).toBe(0)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('waits for nothing when it never had one', async () => {
    const session = new Session({ id, role: 'client', address: 'rtc:test', resumeMs })
    const path = new FakePath()
    session.addPath(path)
    path.close()
    await expect(session.opened).rejects.toMatchObject({ code: 'PATH_LOST' })
    await session.closed
    expect(vi.getTimerCount()).toBe(0)
  })

  it('is released at once when it is aborted, and the search ends with it', async () => {
    const { session, path, search } = open()
    search.endsAtOnce = false
    path.close()
    expect(search.signal?.aborted).toBe(false)
    session.abort()
    expect(search.signal?.aborted).toBe(true)
    expect(await isSettled(session.closed)).toBe(false)
    search.settle()
    await session.closed
    expect(vi.getTimerCount()).toBe(0)
  })

  it('fails as soon as the search finds that none can come', async () => {
    const { session, path, search } = open()
    path.close()
    search.fail(new MultiserverError('PATH_LOST', 'the peer has given it up'))
    await expect(session.read()).rejects.toThrow('given it up')
    await session.closed
    expect(vi.getTimerCount()).toBe(0)
  })

  it('searches again when it was lost again while the search came to its end', async () => {
    const { session, path, search } = open()
    path.close()
    const next = openPath(session)
    next.close()
    expect(search.count).toBe(1)
    search.settle()
    await turns()
    expect(search.count).toBe(2)
    session.abort()
    search.settle()
    await session.closed
  })

  it('waits too when the gap that a lost message left has killed its path', async () => {
    const { session, path } = open()
    path.deliver({ type: 'data', offset: 7, bytes: bytes(7, 1) })
    expect(path.isClosed).toBe(true)
    expect(session.isSuspended).toBe(true)
    const other = openPath(session)
    other.deliver({ type: 'data', offset: 0, bytes: bytes(0, 8) })
    expect(await session.read()).toEqual(bytes(0, 8))
    session.abort()
  })
})

describe('a session that is done and loses its path', () => {
  it('is over for the server', async () => {
    const { session, path } = open({ role: 'server' })
    void finishBoth(session, path)
    path.close()
    await session.closed
    expect(await session.read()).toBeNull()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('is not over for the client, who comes back to say so', async () => {
    const { session, path, search } = open()
    void finishBoth(session, path)
    path.close()
    expect(search.count).toBe(1)
    const other = openPath(session, {}, hello({ received: 1 }))
    const frames = other.take()
    expect(frames).toContainEqual(expect.objectContaining({ type: 'ack', received: 1 }))
    const ping = frames.filter((frame) => frame.type === 'ping').at(-1)
    other.deliver({ type: 'pong', id: ping?.id ?? -1 })
    search.settle()
    await session.closed
    expect(await session.read()).toBeNull()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('gives up asking after 10 s, and that is no error', async () => {
    const { session, path, search } = open()
    const ending = finishBoth(session, path)
    path.close()
    search.settle()
    await vi.advanceTimersByTimeAsync(lingerMs)
    await session.closed
    await ending
    expect(await session.read()).toBeNull()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('is a clean end too when the server has forgotten it', async () => {
    const { session, path, search } = open()
    const ending = finishBoth(session, path)
    path.close()
    search.fail(new MultiserverError('PATH_LOST'))
    await session.closed
    await ending
    expect(await session.read()).toBeNull()
  })

  it('learns from HELLO that its end has come', async () => {
    const { session, path, search } = open()
    const ending = session.end()
    path.deliver({ type: 'end', offset: 0 })
    path.close()
    openPath(session, {}, hello({ received: 1 }))
    await ending
    search.settle()
    session.abort()
  })
})

describe('a path in doubt', () => {
  it('makes the client look for another at once, and asks', () => {
    const { session, path, search } = open()
    path.take()
    path.doubt()
    expect(search.count).toBe(1)
    expect(session.needsPath).toBe(true)
    expect(session.isSuspended).toBe(false)
    expect(path.take()).toEqual([{ type: 'ping', id: expect.any(Number) }])
    session.abort()
  })

  it('is in use while there is no other, and trusted again when something is heard', async () => {
    const { session, path } = open()
    path.doubt()
    await session.write(bytes(0, 3))
    expect(path.take()).toContainEqual({ type: 'data', offset: 0, bytes: bytes(0, 3) })
    path.deliver({ type: 'ack', received: 3, limit: initialLimitBytes })
    expect(session.needsPath).toBe(false)
    session.abort()
  })

  it('is worse than any other', async () => {
    const { session, path, search } = open()
    const relay = openPath(session, { kind: 'relay' })
    path.doubt()
    expect(session.info.path).toBe('relay')
    expect(search.count).toBe(0)
    relay.take()
    await session.write(bytes(0, 3))
    expect(relay.take()).toContainEqual({ type: 'data', offset: 0, bytes: bytes(0, 3) })
    path.deliver({ type: 'ack', received: 0, limit: initialLimitBytes })
    expect(session.info.path).toBe('direct')
    session.abort()
  })

  it('is a reason to look for another once the one that took its place is lost', () => {
    const { session, path, search } = open()
    const relay = openPath(session, { kind: 'relay' })
    path.doubt()
    relay.close()
    expect(session.info.path).toBe('direct')
    expect(search.count).toBe(1)
    session.abort()
  })

  it('is one that takes what is written and acknowledges nothing, nor answers when it is asked', async () => {
    const { session, path, search } = open()
    await session.write(bytes(0, 3))
    path.take()
    await vi.advanceTimersByTimeAsync(stalledAfterMs - 1)
    expect(path.take()).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(path.take()).toEqual([{ type: 'ping', id: expect.any(Number) }])
    await vi.advanceTimersByTimeAsync(doubtAfterMs - 1)
    expect(search.count).toBe(0)
    await vi.advanceTimersByTimeAsync(1)
    expect(search.count).toBe(1)
    session.abort()
  })

  /** Answers what the session has asked since. */
  const answer = (path: FakePath) =>
    path.deliver(
      ...path.take().flatMap((frame) => (frame.type === 'ping' ? [{ ...frame, type: 'pong' as const }] : [])),
    )

  /** On which three bytes were written and are not acknowledged, and which has answered once and was asked again. */
  const openStalled = async () => {
    const opened = open()
    await opened.session.write(bytes(0, 3))
    opened.path.take()
    await vi.advanceTimersByTimeAsync(stalledAfterMs)
    answer(opened.path)
    await vi.advanceTimersByTimeAsync(answersApartMs)
    return opened
  }

  it('is not one that is slow, and answers', async () => {
    const { session, path, search } = await openStalled()
    expect(search.count).toBe(0)
    path.deliver({ type: 'ack', received: 3, limit: initialLimitBytes })
    answer(path)
    await vi.advanceTimersByTimeAsync(stalledAfterMs)
    expect(path.take()).toEqual([])
    expect([path.isClosed, search.count]).toEqual([false, 0])
    session.abort()
  })

  it('is one that answers and has lost the last of what was sent', async () => {
    const { session, path, search } = await openStalled()
    expect(path.isClosed).toBe(false)
    answer(path)
    expect([path.isClosed, search.count]).toEqual([true, 1])
    const next = openPath(session)
    expect(next.take()).toContainEqual({ type: 'data', offset: 0, bytes: bytes(0, 3) })
    session.abort()
    await vi.advanceTimersByTimeAsync(limits.session.resetCloseMs)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('is told to a server, who only waits', () => {
    let told = 0
    const { session, path } = open({ role: 'server', onTrouble: () => told++ })
    path.doubt()
    path.close()
    expect(told).toBe(2)
    session.abort()
  })
})

describe('a path that becomes another kind', () => {
  it('is told to those who listen, and goes on', async () => {
    const { session, path } = open({}, { kind: 'turn' })
    const heard: string[] = []
    session.info.onPath?.((kind) => heard.push(kind))
    path.take()
    path.become('direct')
    expect(session.info.path).toBe('direct')
    await session.write(bytes(0, 3))
    expect(path.take()).toEqual([{ type: 'data', offset: 0, bytes: bytes(0, 3) }])
    expect(heard).toEqual(['direct'])
    session.abort()
  })

  it('is taken into use when it is the better one now, and left when it is worse', () => {
    const { session } = open({}, { kind: 'turn' })
    const relay = openPath(session, { kind: 'relay' })
    const heard: string[] = []
    session.info.onPath?.((kind) => heard.push(kind))
    relay.become('direct')
    relay.become('relay')
    expect(heard).toEqual(['direct', 'turn'])
    session.abort()
  })
})

describe('a worse path', () => {
  it('is closed by the client 5 s after a better one stands', async () => {
    const { session, path } = open({}, { kind: 'relay' })
    await vi.advanceTimersByTimeAsync(1000)
    const turn = openPath(session, { kind: 'turn' })
    await vi.advanceTimersByTimeAsync(2000)
    const direct = openPath(session, { kind: 'direct' })
    await vi.advanceTimersByTimeAsync(worseCloseMs - 1)
    expect([path.isClosed, turn.isClosed]).toEqual([false, false])
    await vi.advanceTimersByTimeAsync(1)
    expect([path.isClosed, turn.isClosed, direct.isClosed]).toEqual([true, true, false])
    session.abort()
  })

  it('is one that is older among equals', async () => {
    const { session, path } = open()
    const newer = openPath(session)
    await vi.advanceTimersByTimeAsync(worseCloseMs)
    expect([path.isClosed, newer.isClosed]).toEqual([true, false])
    session.abort()
  })

  it('is left open by the server', async () => {
    const { session, path } = open({ role: 'server' }, { kind: 'relay' })
    openPath(session)
    await vi.advanceTimersByTimeAsync(4000)
    expect(path.isClosed).toBe(false)
    await vi.advanceTimersByTimeAsync(4000)
    expect(path.isClosed).toBe(false)
    session.abort()
  })

  it('stays while the better one is in doubt', async () => {
    const { session, path } = open({}, { kind: 'relay' })
    const direct = openPath(session)
    direct.doubt()
    await vi.advanceTimersByTimeAsync(worseCloseMs)
    expect(path.isClosed).toBe(false)
    session.abort()
  })
})

describe('a session of a page that wakes', () => {
  it('asks its path at once, and trusts it as before when it answers', async () => {
    const { session, path, search } = open()
    path.take()
    session.wake()
    const [ping] = path.take()
    expect(ping).toEqual({ type: 'ping', id: expect.any(Number) })
    await vi.advanceTimersByTimeAsync(limits.session.doubtAfterMs - 1)
    path.deliver({ type: 'pong', id: Object(ping).id })
    await vi.advanceTimersByTimeAsync(4_000)
    expect(search.count).toBe(0)
    expect(path.isClosed).toBe(false)
    session.abort()
  })

  it('looks for another path after a second without an answer, and gives it up after seven', async () => {
    const { session, path, search } = open()
    await vi.advanceTimersByTimeAsync(1)
    session.wake()
    session.wake()
    await vi.advanceTimersByTimeAsync(limits.session.doubtAfterMs)
    expect(search.count).toBe(1)
    expect(session.needsPath).toBe(true)
    await vi.advanceTimersByTimeAsync(limits.session.pongTimeoutMs - limits.session.doubtAfterMs)
    expect(path.isClosed).toBe(true)
    expect(session.isSuspended).toBe(true)
    session.abort()
    await session.closed
    expect(vi.getTimerCount()).toBe(0)
  })
})

interface Search {
  count: number
  signal: AbortSignal | undefined
  hurries: number
  /** It is to begin nothing more. */
  isFinishing: boolean
  /** Whether it settles by itself once it is to end. */
  endsAtOnce: boolean
  settle: () => void
  fail: (error: Error) => void
}

function open(
  options: Partial<SessionOptions> = {},
  pathOptions?: FakePathOptions,
): { session: Session; path: FakePath; search: Search; suspensions: boolean[] } {
  const ignore = () => undefined
  const search: Search = {
    count: 0,
    signal: undefined,
    hurries: 0,
    isFinishing: false,
    endsAtOnce: true,
    settle: ignore,
    fail: ignore,
  }
  const suspensions: boolean[] = []
  const session = new Session({
    id,
    role: 'client',
    address: 'rtc:test',
    resumeMs,
    findPath(signal) {
      search.count += 1
      search.signal = signal
      const over = new Promise<void>((resolve, reject) => {
        Object.assign(search, { settle: resolve, fail: reject })
        signal.addEventListener('abort', () => search.endsAtOnce && resolve())
      })
      return {
        over,
        lastError: undefined,
        hurry: () => (search.hurries += 1),
        finish() {
          search.isFinishing = true
          if (search.endsAtOnce) search.settle()
        },
      }
    },
    onSuspension: (isSuspended) => suspensions.push(isSuspended),
    ...options,
    ...(options.role === 'server' ? { findPath: undefined } : {}),
  })
  return { session, path: openPath(session, pathOptions), search, suspensions }
}

function openPath(session: Session, options?: FakePathOptions, first = hello()): FakePath {
  const path = new FakePath(options)
  session.addPath(path)
  path.deliver(first)
  return path
}

/** Both directions end, empty; settles when the peer has acknowledged mine. */
function finishBoth(session: Session, path: FakePath): Promise<void> {
  const ending = session.end()
  path.deliver({ type: 'end', offset: 0 }, { type: 'ack', received: 1, limit: 0 })
  return ending
}

function hello(changes: Partial<Extract<Frame, { type: 'hello' }>> = {}): Extract<Frame, { type: 'hello' }> {
  return { type: 'hello', session: id, received: 0, limit: 0, ...changes }
}

function bytes(offset: number, length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, index) => (offset + index) % 251)
}

/** The machine sleeps: its clock goes on and no timer runs. */
function sleepFor(ms: number): void {
  const now = performance.now.bind(performance)
  vi.spyOn(performance, 'now').mockImplementation(() => now() + ms)
}

function turns(): Promise<void> {
  return new Promise((resolve) => realImmediate(resolve))
}

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false
  const note = () => (settled = true)
  promise.then(note, note)
  await turns()
  return settled
}
