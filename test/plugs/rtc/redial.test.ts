import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { MultiserverError, type ErrorCode } from '../../../core/errors.ts'
import { limits } from '../../../core/limits.ts'
import { redial, type Introduce } from '../../../plugs/rtc/redial.ts'
import { Session } from '../../../plugs/rtc/session.ts'
import { FakePath } from '../../support/fake-path.ts'
import type { DialStage } from '../../../core/types.ts'

const id = new Uint8Array(16).fill(6)
const { longestBackoffMs, pathTimeoutMs, resumeMs, shortestBackoffMs, stageTimeoutMs } = limits.resume

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  vi.spyOn(Math, 'random').mockReturnValue(1)
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

describe('dialing again', () => {
  it('waits with full jitter under a bound that doubles from 0.5 to 2 s', async () => {
    const { session, path, attempts } = open(() => Promise.reject(new MultiserverError('PEER_NOT_FOUND')))
    path.close()
    await vi.advanceTimersByTimeAsync(30_000)
    const pauses = attempts.map((at, index) => at - (attempts[index - 1] ?? 0))
    expect(pauses.slice(0, 6)).toEqual([500, 1000, ...Array.from({ length: 4 }, () => longestBackoffMs)])
    session.abort()
    await session.closed
    expect(vi.getTimerCount()).toBe(0)
  })

  it('begins anew when the page wakes, whether it waits or an attempt hangs', async () => {
    let ended = 0
    const { session, path, attempts } = open((attempt) => {
      if (attempts.length !== 5) return Promise.reject(new MultiserverError('HUB_LOST'))
      return new Promise((_resolve, reject) =>
        attempt.signal.addEventListener('abort', () => reject(new MultiserverError('ABORTED', `${ended++}`))),
      )
    })
    path.close()
    await vi.advanceTimersByTimeAsync(4_000)
    expect(attempts).toHaveLength(3)
    session.wake()
    await vi.advanceTimersByTimeAsync(shortestBackoffMs)
    expect(attempts.at(-1)).toBe(4_500)
    await vi.advanceTimersByTimeAsync(1_000)
    expect([attempts.length, ended]).toEqual([5, 0])
    session.wake()
    await vi.advanceTimersByTimeAsync(shortestBackoffMs)
    expect([attempts.length, ended]).toEqual([6, 1])
    session.abort()
    await session.closed
    expect(vi.getTimerCount()).toBe(0)
  })

  it('does not wait when the path is only in doubt, and brings another', async () => {
    const { session, path, attempts } = open((attempt) => give(attempt, greeting()))
    path.doubt()
    await vi.advanceTimersByTimeAsync(0)
    expect(attempts).toEqual([0])
    expect(session.needsPath).toBe(false)
    expect(path.isClosed).toBe(false)
    session.abort()
  })

  it.each<ErrorCode>([
    'PEER_NOT_FOUND',
    'HUB_LOST',
    'HUB_REFUSED',
    'BUSY',
    'SIGNAL_INVALID',
    'CONNECT_FAILED',
    'RTC_LIMIT',
  ])('goes on after %s', async (code) => {
    const { session, path, attempts } = open((attempt) =>
      attempts.length < 3 ? Promise.reject(new MultiserverError(code)) : give(attempt, greeting()),
    )
    path.close()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(session.info.stats?.()).toMatchObject({ resumes: 1 })
    expect(attempts).toHaveLength(3)
    session.abort()
  })

  it('ends the stream at once when the server does not know the session any more', async () => {
    const { session, path } = open(() => Promise.reject(new MultiserverError('PATH_LOST', 'given up')))
    path.close()
    await vi.advanceTimersByTimeAsync(shortestBackoffMs)
    await expect(session.read()).rejects.toThrow('given up')
    await session.closed
    expect(vi.getTimerCount()).toBe(0)
  })

  it('tries again after a path that brought no HELLO', async () => {
    const { session, path, attempts } = open((attempt) =>
      give(attempt, attempts.length < 2 ? new FakePath() : greeting()),
    )
    path.close()
    await vi.advanceTimersByTimeAsync(shortestBackoffMs + limits.session.helloTimeoutMs + 1000)
    expect(attempts).toHaveLength(2)
    expect(session.needsPath).toBe(false)
    session.abort()
  })

  it('takes every path that one introduction brings, the second where the first is no good', async () => {
    const { session, path, attempts } = open(async (attempt) => {
      await give(attempt, new FakePath({ kind: 'relay' }))
      await give(attempt, greeting())
    })
    path.close()
    await vi.advanceTimersByTimeAsync(shortestBackoffMs + limits.session.helloTimeoutMs)
    expect(attempts).toHaveLength(1)
    expect(session.info.path).toBe('direct')
    session.abort()
  })

  it.each<[DialStage[], number]>([
    [[], stageTimeoutMs],
    [['hub'], stageTimeoutMs],
    [['hub', 'introduced'], stageTimeoutMs],
    [['hub', 'introduced', 'answered'], pathTimeoutMs],
  ])('begins anew when nothing follows on %j', async (stages, timeoutMs) => {
    const { session, path, attempts } = open(({ signal, onProgress }) => {
      for (const stage of stages) onProgress(stage)
      return new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason as Error)),
      )
    })
    path.close()
    await vi.advanceTimersByTimeAsync(shortestBackoffMs + timeoutMs + 2 * shortestBackoffMs - 1)
    expect(attempts).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(attempts).toHaveLength(2)
    session.abort()
    await session.closed
    expect(vi.getTimerCount()).toBe(0)
  })

  it('leaves no timer when a stage is told of after the attempt is over', async () => {
    let tell: (stage: DialStage) => void = () => undefined
    const { session, path } = open((attempt) => {
      tell = attempt.onProgress
      return give(attempt, greeting())
    })
    path.close()
    await vi.advanceTimersByTimeAsync(shortestBackoffMs)
    tell('hub')
    session.abort()
    await vi.advanceTimersByTimeAsync(limits.session.resetCloseMs)
    expect(vi.getTimerCount()).toBe(0)
  })
})

function give({ onPath }: Parameters<Introduce>[0], path: FakePath): Promise<void> {
  onPath(path)
  return Promise.resolve()
}

/** A session with a path, whose client dials again in this way; when it did so, in milliseconds. */
function open(introduce: Introduce): { session: Session; path: FakePath; attempts: number[] } {
  const attempts: number[] = []
  const startedAt = performance.now()
  const session: Session = new Session({
    id,
    role: 'client',
    address: 'rtc:test',
    resumeMs,
    findPath: (over) => {
      const attempt: Introduce = (context) => {
        attempts.push(performance.now() - startedAt)
        return introduce(context)
      }
      return redial(session, attempt, over)
    },
  })
  const path = greeting()
  session.addPath(path)
  return { session, path, attempts }
}

/** A path on which the peer has said HELLO. */
function greeting(): FakePath {
  const path = new FakePath()
  path.deliver({ type: 'hello', session: id, received: 0, limit: 0 })
  return path
}
