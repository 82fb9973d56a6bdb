import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { whenAborted } from '../../../core/aborts.ts'
import { MultiserverError, type ErrorCode } from '../../../core/errors.ts'
import { limits } from '../../../core/limits.ts'
import { redial, type Introduce } from '../../../plugs/rtc/redial.ts'
import { Session } from '../../../plugs/rtc/session.ts'
import { FakePath, type FakePathOptions } from '../../support/fake-path.ts'
import type { DialStage } from '../../../core/types.ts'

const id = new Uint8Array(16).fill(6)
const {
  companyMs,
  companyPathMs,
  lastTriesMs,
  longestBackoffMs,
  pathTimeoutMs,
  resumeMs,
  shortestBackoffMs,
  stageTimeoutMs,
} = limits.resume

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

  it('tries at once when the page wakes, beside what hangs, in place of what hangs the longest', async () => {
    const { session, path, attempts, hanging } = open((attempt) =>
      attempts.length < 5 ? Promise.reject(new MultiserverError('HUB_LOST')) : hang(attempt),
    )
    path.close()
    await vi.advanceTimersByTimeAsync(4_000)
    expect(attempts).toHaveLength(3)
    session.wake()
    await vi.advanceTimersByTimeAsync(shortestBackoffMs)
    expect(attempts.at(-1)).toBe(4_500)
    await vi.advanceTimersByTimeAsync(1_000)
    for (const [begun, left] of [
      [5, 1],
      [6, 2],
      [7, 3],
      [8, 3],
    ]) {
      expect([attempts.length, hanging().length]).toEqual([begun, left])
      session.wake()
      await vi.advanceTimersByTimeAsync(shortestBackoffMs)
    }
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

  it.each<[DialStage[], number, number]>([
    [[], companyMs, stageTimeoutMs],
    [['hub'], companyMs, stageTimeoutMs],
    [['hub', 'introduced'], companyMs, stageTimeoutMs],
    [['hub', 'introduced', 'answered'], companyPathMs, pathTimeoutMs],
  ])('gives company, and later up, when nothing follows on %j', async (stages, companyAfterMs, timeoutMs) => {
    const { session, path, attempts, others, hanging } = open((attempt) => {
      for (const stage of stages) attempt.onProgress(stage)
      return hang(attempt)
    })
    path.close()
    await vi.advanceTimersByTimeAsync(shortestBackoffMs + timeoutMs - 1)
    const second = shortestBackoffMs + companyAfterMs
    expect(attempts).toEqual([shortestBackoffMs, second, second + 2 * companyAfterMs])
    expect(others).toEqual([false, true, true])
    expect(hanging()).toHaveLength(3)
    await vi.advanceTimersByTimeAsync(1)
    expect(hanging()).toHaveLength(2)
    // There is room for another, which takes its time.
    await vi.advanceTimersByTimeAsync(2 * companyAfterMs)
    expect(attempts).toHaveLength(4)
    session.abort()
    await session.closed
    expect(hanging()).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('ends the others with the first path that it trusts, and what brought it looks on', async () => {
    const { session, path, attempts, hanging } = open(async (attempt) => {
      if (attempts.length === 2) await give(attempt, greeting({ kind: 'relay' }))
      return hang(attempt)
    })
    path.close()
    await vi.advanceTimersByTimeAsync(shortestBackoffMs + companyMs)
    expect(session.info.path).toBe('relay')
    expect(hanging()).toEqual([1])
    expect(attempts).toHaveLength(2)
    await vi.advanceTimersByTimeAsync(companyMs * 4)
    expect(attempts).toHaveLength(2)
    session.abort()
    await vi.advanceTimersByTimeAsync(limits.session.resetCloseMs)
    await session.closed
    expect(hanging()).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('looks anew when the path is lost whose introduction still looks for a better one', async () => {
    const relayed: FakePath[] = []
    const { session, path, attempts } = open(async (attempt) => {
      const circuit = greeting({ kind: 'relay' })
      relayed.push(circuit)
      await give(attempt, circuit)
      return hang(attempt)
    })
    path.close()
    await vi.advanceTimersByTimeAsync(shortestBackoffMs)
    relayed[0]?.close()
    await vi.advanceTimersByTimeAsync(shortestBackoffMs)
    expect(attempts).toHaveLength(2)
    expect(session.info.path).toBe('relay')
    session.abort()
    await vi.advanceTimersByTimeAsync(limits.session.resetCloseMs)
    await session.closed
    expect(vi.getTimerCount()).toBe(0)
  })

  it('is not ended by one that was overtaken, and is not over before all attempts are', async () => {
    let fail: (error: Error) => void = () => undefined
    const { session, path, hanging } = open(async (attempt) => {
      if (attempt.isAnother) return give(attempt, greeting())
      await new Promise<never>((_resolve, reject) => (fail = reject))
    })
    path.close()
    await vi.advanceTimersByTimeAsync(shortestBackoffMs + companyMs)
    expect(session.info.path).toBe('direct')
    expect(hanging()).toEqual([0])
    session.abort()
    await vi.advanceTimersByTimeAsync(limits.session.resetCloseMs)
    let isClosed = false
    void session.closed.then(() => (isClosed = true))
    await vi.advanceTimersByTimeAsync(0)
    expect(isClosed).toBe(false)
    fail(new MultiserverError('PATH_LOST'))
    await session.closed
    expect(session.info.path).toBe(undefined)
  })

  it('waits, when its time is up, for what was answered by then and for nothing else', async () => {
    let answered: number | undefined
    const { session, path, attempts, hanging } = open(async (attempt) => {
      if ((attempts.at(-1) ?? 0) < resumeMs - 8_000) throw new MultiserverError('PEER_NOT_FOUND')
      if (answered !== undefined) return hang(attempt)
      answered = attempts.length - 1
      attempt.onProgress('answered')
      await Promise.race([hang(attempt), new Promise((resolve) => setTimeout(resolve, pathTimeoutMs - 1))])
      await give(attempt, greeting())
    })
    path.close()
    await vi.advanceTimersByTimeAsync(resumeMs - 1)
    expect(hanging().length).toBeGreaterThan(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(hanging()).toEqual([answered])
    const begun = attempts.length
    await vi.advanceTimersByTimeAsync(lastTriesMs)
    expect(attempts).toHaveLength(begun)
    expect(session.info.path).toBe('direct')
    session.abort()
    await vi.advanceTimersByTimeAsync(limits.session.resetCloseMs)
    await session.closed
    expect(vi.getTimerCount()).toBe(0)
  })

  it('fails with what its last attempt came to when nothing was answered', async () => {
    const { session, path } = open(() =>
      Promise.reject(new MultiserverError('PEER_NOT_FOUND', 'nobody is there')),
    )
    path.close()
    await vi.advanceTimersByTimeAsync(resumeMs)
    await expect(session.read()).rejects.toMatchObject({
      code: 'PATH_LOST',
      message: 'no other path came: nobody is there',
      cause: { code: 'PEER_NOT_FOUND' },
    })
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

/** Comes to nothing until it is ended. */
function hang({ signal }: Parameters<Introduce>[0]): Promise<never> {
  return new Promise((_resolve, reject) => whenAborted(signal, () => reject(signal.reason as Error)))
}

interface Opened {
  readonly session: Session
  readonly path: FakePath
  /** When the client dialed again, in milliseconds, and whether beside another attempt. */
  readonly attempts: number[]
  readonly others: boolean[]
  /** Which of them have not ended. */
  readonly hanging: () => number[]
}

/** A session with a path, whose client dials again in this way. */
function open(introduce: Introduce): Opened {
  const attempts: number[] = []
  const others: boolean[] = []
  const underWay = new Set<number>()
  const startedAt = performance.now()
  const session: Session = new Session({
    id,
    role: 'client',
    address: 'rtc:test',
    resumeMs,
    findPath: (over) => {
      const attempt: Introduce = async (context) => {
        const index = attempts.push(performance.now() - startedAt) - 1
        others.push(context.isAnother)
        underWay.add(index)
        await introduce(context).finally(() => underWay.delete(index))
      }
      return redial(session, attempt, over)
    },
  })
  const path = greeting()
  session.addPath(path)
  return { session, path, attempts, others, hanging: () => [...underWay] }
}

/** A path on which the peer has said HELLO. */
function greeting(options?: FakePathOptions): FakePath {
  const path = new FakePath(options)
  path.deliver({ type: 'hello', session: id, received: 0, limit: 0 })
  return path
}
