import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { MultiserverError } from '../../../core/errors.ts'
import { limits } from '../../../core/limits.ts'
import { Session } from '../../../plugs/rtc/session.ts'
import type { Search } from '../../../plugs/rtc/suspension.ts'
import { deferred } from '../../support/deferred.ts'
import { FakePath } from '../../support/fake-path.ts'

const id = new Uint8Array(16).fill(6)
const { initialLimitBytes, helloTimeoutMs } = limits.session

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => vi.useRealTimers())

/** A client whose dial may bring several paths. */
function dial({ resumeMs = 0 } = {}) {
  let searches = 0
  const findPath = (over: AbortSignal): Search => {
    searches += 1
    const ended = new Promise<void>((resolve) => over.addEventListener('abort', () => resolve()))
    return { over: ended, lastError: undefined, hurry: () => undefined, finish: () => undefined }
  }
  const session = new Session({ id, role: 'client', address: 'rtc:server', resumeMs, findPath })
  const dialing = deferred<void>()
  session.awaitDial(dialing.promise)
  return { session, dialing, searches: () => searches }
}

function greet(path: FakePath): void {
  path.deliver({ type: 'hello', session: id, received: 0, limit: initialLimitBytes })
}

describe('a session that is dialed', () => {
  it('opens over the path that is first to say hello', async () => {
    const { session } = dial()
    const [slow, quick] = [new FakePath(), new FakePath({ kind: 'relay' })]
    session.addPath(slow)
    session.addPath(quick)
    greet(quick)
    await session.opened
    expect(session.info.path).toBe('relay')
    greet(slow)
    expect(session.info.path).toBe('direct')
    session.abort()
  })

  it.each([
    ['is lost', (path: FakePath) => path.close()],
    ['speaks something else', (path: FakePath) => path.deliver(new Uint8Array(30))],
    ['says nothing', () => void vi.advanceTimersByTime(helloTimeoutMs)],
  ])('waits for another one when the first %s', async (_what, fail) => {
    const { session } = dial()
    const [first, second] = [new FakePath({ kind: 'relay' }), new FakePath()]
    session.addPath(first)
    fail(first)
    expect(first.isClosed).toBe(true)
    session.addPath(second)
    greet(second)
    await session.opened
    session.abort()
  })

  it('fails as the dial does when that brought no path', async () => {
    const { session, dialing } = dial()
    dialing.reject(new MultiserverError('PEER_NOT_FOUND'))
    await expect(session.opened).rejects.toMatchObject({ code: 'PEER_NOT_FOUND' })
    await session.closed
  })

  it('fails when the dial is over and its one path is lost', async () => {
    const { session, dialing } = dial()
    const path = new FakePath()
    session.addPath(path)
    dialing.resolve()
    await vi.advanceTimersByTimeAsync(0)
    path.close()
    await expect(session.opened).rejects.toMatchObject({ code: 'PATH_LOST' })
    await session.closed
  })

  it('that has been open looks for another path when its dial fails', async () => {
    const { session, dialing, searches } = dial({ resumeMs: limits.resume.resumeMs })
    const ahead = new FakePath({ kind: 'relay', isAhead: true })
    session.addPath(ahead)
    greet(ahead)
    await session.opened
    ahead.close()
    dialing.reject(new MultiserverError('CONNECT_FAILED'))
    await vi.advanceTimersByTimeAsync(0)
    expect(searches()).toBe(1)
    const found = new FakePath()
    session.addPath(found)
    greet(found)
    expect(session.info.path).toBe('direct')
    session.abort()
  })

  it('is not closed before its dial is over', async () => {
    const { session, dialing } = dial()
    let isClosed = false
    void session.closed.then(() => (isClosed = true))
    session.abort()
    await vi.advanceTimersByTimeAsync(0)
    expect(isClosed).toBe(false)
    dialing.resolve()
    await session.closed
  })
})
