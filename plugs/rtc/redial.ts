import { abortWith } from '../../core/aborts.ts'
import { limits } from '../../core/limits.ts'
import { MultiserverError, toError } from '../../core/errors.ts'
import type { DialStage } from '../../core/types.ts'
import type { FramePath } from './frame-path.ts'
import type { Session } from './session.ts'

const { shortestBackoffMs, longestBackoffMs, stageTimeoutMs, pathTimeoutMs } = limits.resume

/** One introduction for a session that the server knows; settles when no more paths come of it. */
export type Introduce = (attempt: {
  readonly signal: AbortSignal
  readonly onProgress: (stage: DialStage) => void
  readonly onPath: (path: FramePath) => void
}) => Promise<void>

/**
 * Dials again, and again with full jitter between, until the session has a path that it trusts or `signal` aborts. The session
 * itself knows for how long.
 * @throws PATH_LOST when the server does not know the session any more
 */
export async function redial(session: Session, introduce: Introduce, signal: AbortSignal): Promise<void> {
  // A path in doubt may have died alone; one that is lost may have died with a thousand others, of the same relay.
  let boundMs: number = session.isSuspended ? shortestBackoffMs : 0
  while (session.needsPath && !signal.aborted) {
    await pause(Math.random() * boundMs, signal)
    boundMs = Math.min(Math.max(2 * boundMs, shortestBackoffMs), longestBackoffMs)
    if (!session.needsPath || signal.aborted) return
    await introduceOnce(session, introduce, signal)
  }
}

/**
 * Resolves when no more paths come of one introduction. As if nothing had happened when it failed in a way that may pass: an
 * absent peer, a hub that is away or plays false, a network that is down.
 * @throws PATH_LOST when the server does not know the session any more
 */
export async function introduceOnce(
  session: Session,
  introduce: Introduce,
  signal: AbortSignal,
): Promise<void> {
  const opening: Promise<boolean>[] = []
  const onPath = (path: FramePath) => opening.push(session.addPath(path).opened)
  const attempt = new AbortController()
  const stop = abortWith(attempt, signal)
  let isOver = false
  let timer: ReturnType<typeof setTimeout> | undefined
  const onProgress = (stage?: DialStage) => {
    clearTimeout(timer)
    if (isOver) return
    const timeoutMs = stage === 'answered' ? pathTimeoutMs : stageTimeoutMs
    timer = setTimeout(() => attempt.abort(new MultiserverError('TIMEOUT')), timeoutMs)
  }
  onProgress()
  try {
    await introduce({ signal: attempt.signal, onProgress, onPath })
  } catch (thrown) {
    const error = toError(thrown, 'CONNECT_FAILED')
    if (error.code === 'PATH_LOST') throw error
  } finally {
    isOver = true
    clearTimeout(timer)
    stop()
    await Promise.all(opening)
  }
}

/** Shorter when `signal` aborts. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', finish)
      resolve()
    }
    const timer = setTimeout(finish, ms)
    signal.addEventListener('abort', finish, { once: true })
    if (signal.aborted) finish()
  })
}
