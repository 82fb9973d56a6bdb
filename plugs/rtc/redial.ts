import { abortWith, whenAborted } from '../../core/aborts.ts'
import { limits } from '../../core/limits.ts'
import { MultiserverError, toError } from '../../core/errors.ts'
import type { DialStage } from '../../core/types.ts'
import type { FramePath } from './frame-path.ts'
import type { Session } from './session.ts'
import type { Search } from './suspension.ts'

const {
  attempts: mostAttempts,
  companyMs,
  companyPathMs,
  longestBackoffMs,
  pathTimeoutMs,
  shortestBackoffMs,
  stageTimeoutMs,
} = limits.resume

/** One introduction for a session that the server knows; settles when no more paths come of it. */
export type Introduce = (attempt: {
  readonly signal: AbortSignal
  readonly onProgress: (stage: DialStage) => void
  readonly onPath: (path: FramePath) => void
  /** Others are under way, by sockets that may be dead. */
  readonly isAnother: boolean
}) => Promise<void>

/**
 * Dials again, and again with full jitter between, until the session has a path that it trusts or `signal` aborts; the session
 * itself knows for how long. What comes no further is given company, not up: on a slow way it may be the one that arrives, and one
 * whose network has changed since it was answered would be waited for in vain. Rejects with PATH_LOST when the server does not know
 * the session any more.
 */
export function redial(session: Session, introduce: Introduce, signal: AbortSignal): Search {
  return new Redial(session, introduce, signal)
}

interface Attempt {
  readonly stop: AbortController
  isAnswered: boolean
}

class Redial implements Search {
  readonly over: Promise<void>
  readonly #session: Session
  readonly #introduce: Introduce
  readonly #signal: AbortSignal
  /** Oldest first. */
  readonly #underWay = new Set<Attempt>()
  #newest: Attempt | undefined
  /** Of the next pause. A path in doubt may have died alone; one that is lost may have died with a thousand others, of the same relay. */
  #boundMs: number
  #timer: ReturnType<typeof setTimeout> | undefined
  #isEnding = false
  /** The next one is not put off by what an older one comes to. */
  #isHurried = false
  #lastError: MultiserverError | undefined
  /** No path can ever come. */
  #failure: Error | undefined
  #resolve: () => void = () => undefined
  #reject: (error: Error) => void = () => undefined

  constructor(session: Session, introduce: Introduce, signal: AbortSignal) {
    this.#session = session
    this.#introduce = introduce
    this.#signal = signal
    this.#boundMs = session.isSuspended ? shortestBackoffMs : 0
    const settled = new Promise<void>((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    const unfollow = whenAborted(signal, () => this.#end())
    this.over = settled.finally(unfollow)
    this.#pause()
  }

  get lastError(): MultiserverError | undefined {
    return this.#lastError
  }

  hurry(): void {
    if (this.#isEnding) return
    this.#boundMs = shortestBackoffMs
    this.#isHurried = true
    this.#pause()
  }

  finish(): void {
    this.#end((attempt) => attempt.isAnswered)
  }

  #pause(): void {
    const ms = Math.random() * this.#boundMs
    this.#boundMs = Math.min(Math.max(2 * this.#boundMs, shortestBackoffMs), longestBackoffMs)
    this.#beginAfter(ms)
  }

  /** An overloaded hub must not be asked ever more often: the more are under way, the longer the next one waits. */
  #keepCompany(): void {
    if (this.#isEnding || this.#isHurried || this.#underWay.size >= mostAttempts) return
    const ms = this.#newest?.isAnswered === true ? companyPathMs : companyMs
    this.#beginAfter(ms * 2 ** (this.#underWay.size - 1))
  }

  #beginAfter(ms: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#begin(), ms)
  }

  #begin(): void {
    this.#timer = undefined
    this.#isHurried = false
    if (!this.#session.needsPath) return this.#end()
    const isAnother = this.#underWay.size > 0
    const attempt: Attempt = { stop: new AbortController(), isAnswered: false }
    const [oldest] = this.#underWay
    if (this.#underWay.size === mostAttempts) oldest?.stop.abort()
    this.#underWay.add(attempt)
    this.#newest = attempt
    this.#keepCompany()
    const unfollow = abortWith(attempt.stop, this.#signal)
    const work = introduceOnce(this.#session, (context) => this.#introduce({ ...context, isAnother }), {
      signal: attempt.stop.signal,
      onProgress: (stage) => this.#onProgress(attempt, stage),
      onOpened: () => this.#onOpened(attempt, work),
      onFailed: (error) => (this.#lastError = error),
    })
      .catch((error: Error) => {
        // Of one that was overtaken it says nothing.
        if (this.#session.needsPath) this.#failure = error
        this.#end()
      })
      .finally(() => {
        unfollow()
        this.#onEnded(attempt)
      })
  }

  #onProgress(attempt: Attempt, stage: DialStage): void {
    attempt.isAnswered ||= stage === 'answered'
    if (attempt === this.#newest) this.#keepCompany()
  }

  /** What it may still look for, such as a direct path beside a circuit, does not keep the next search waiting. */
  #onOpened(attempt: Attempt, work: Promise<void>): void {
    if (this.#session.needsPath) return
    this.#underWay.delete(attempt)
    this.#session.hold(work)
    this.#end()
  }

  #onEnded(attempt: Attempt): void {
    if (!this.#underWay.delete(attempt)) return
    if (this.#isEnding) return this.#end(() => true)
    if (!this.#session.needsPath) return this.#end()
    if (attempt === this.#newest) this.#pause()
    else if (this.#timer === undefined) this.#keepCompany()
  }

  #end(mayGoOn: (attempt: Attempt) => boolean = () => false): void {
    this.#isEnding = true
    clearTimeout(this.#timer)
    for (const attempt of this.#underWay) if (!mayGoOn(attempt)) attempt.stop.abort()
    if (this.#underWay.size > 0) return
    if (this.#failure === undefined) this.#resolve()
    else this.#reject(this.#failure)
  }
}

export interface OneIntroduction {
  readonly signal: AbortSignal
  readonly onProgress?: (stage: DialStage) => void
  /** Both HELLOs have passed on a path that came of it. */
  readonly onOpened?: () => void
  /** Why it came to nothing, unless `signal` has aborted. */
  readonly onFailed?: (error: MultiserverError) => void
}

/**
 * Resolves when no more paths come of one introduction. As if nothing had happened when it failed in a way that may pass: an
 * absent peer, a hub that is away or plays false, a network that is down.
 * @throws PATH_LOST when the server does not know the session any more
 */
export async function introduceOnce(
  session: Session,
  introduce: (attempt: Omit<Parameters<Introduce>[0], 'isAnother'>) => Promise<void>,
  { signal, onProgress, onOpened, onFailed }: OneIntroduction,
): Promise<void> {
  const opening: Promise<void>[] = []
  const onPath = (path: FramePath) =>
    opening.push(session.addPath(path).opened.then((isOpen) => (isOpen ? onOpened?.() : undefined)))
  const attempt = new AbortController()
  const stop = abortWith(attempt, signal)
  let isOver = false
  let timer: ReturnType<typeof setTimeout> | undefined
  const wait = (stage?: DialStage) => {
    clearTimeout(timer)
    if (isOver) return
    const error = new MultiserverError('TIMEOUT', `nothing followed on ${stage ?? 'its beginning'}`)
    timer = setTimeout(() => attempt.abort(error), stage === 'answered' ? pathTimeoutMs : stageTimeoutMs)
  }
  wait()
  try {
    await introduce({
      signal: attempt.signal,
      onPath,
      onProgress(stage) {
        wait(stage)
        if (!isOver) onProgress?.(stage)
      },
    })
  } catch (thrown) {
    const error = toError(thrown, 'CONNECT_FAILED')
    if (error.code === 'PATH_LOST') throw error
    if (!signal.aborted) onFailed?.(error)
  } finally {
    isOver = true
    clearTimeout(timer)
    stop()
    await Promise.all(opening)
  }
}
