import { abortReason } from '../../core/deadline.ts'
import { MultiserverError, toError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import type { DialStage, PathStage } from '../../core/types.ts'

/** Of ways that are tried side by side: only all of them together have a time to keep. */
const pathStages: readonly DialStage[] = ['relay', 'ice', 'dtls'] satisfies PathStage[]

const { attempts: mostAttempts, lostAfterMs, returnMs, stallMs, stallPathMs, unrelayedMs } = limits.attempts

/** One try at all that a dial takes, from the hub's socket on. */
export interface Attempt {
  readonly signal: AbortSignal
  readonly onProgress: (stage: DialStage) => void
  /** It looks for a direct path alone, and no relay carries meanwhile: it is given company sooner. */
  readonly onUnrelayed: () => void
  /** Whether another one goes on beside it: then it is to have a socket of its own. */
  readonly isAnother: boolean
}

export interface AttemptsOptions<T> {
  readonly begin: (attempt: Attempt) => Promise<T>
  /** Of the dial: what its deadline and its caller say. */
  readonly signal: AbortSignal
  /** Each stage once, when the first attempt comes to it. */
  readonly onProgress?: ((stage: DialStage) => void) | undefined
  /** What an attempt gave after another had won. */
  readonly release: (late: T) => void
}

/**
 * Begins anew, beside what is under way, whenever the newest attempt has come no further for a while: on a lossy network a lost
 * SYN costs a second, and a connection that lost the same packet twice waits longer than all that a dial takes. The first that
 * succeeds wins; the others are aborted. What fails at once is an answer; what fails late was lost on its way and is tried again,
 * and so is a peer that was there when the dial began: it has lost its hub for a moment.
 */
export function dialInParallel<T>(options: AttemptsOptions<T>): Promise<T> {
  const { begin, signal, onProgress, release } = options
  const underWay = new Set<AbortController>()
  const told = new Set<DialStage>()
  let begun = 0
  let isOver = false
  let timer: ReturnType<typeof setTimeout> | undefined
  return new Promise((resolve, reject) => {
    const abortAll = (reason: Error) => {
      clearTimeout(timer)
      for (const each of underWay) each.abort(reason)
    }
    const onAbort = () => {
      abortAll(abortReason(signal))
      if (underWay.size === 0) fail(abortReason(signal))
    }
    const finish = () => {
      isOver = true
      signal.removeEventListener('abort', onAbort)
      abortAll(new MultiserverError('ABORTED', 'another attempt was faster'))
    }
    const fail = (error: Error) => {
      finish()
      reject(error)
    }
    const start = () => {
      const number = begun
      begun += 1
      const attempt = new AbortController()
      underWay.add(attempt)
      const startedAt = performance.now()
      const watch = (ms: number) => {
        if (number !== begun - 1 || signal.aborted || isOver) return
        clearTimeout(timer)
        // An overloaded hub must not be asked ever more often.
        if (begun < mostAttempts) timer = setTimeout(start, ms * 2 ** number)
      }
      watch(stallMs)
      const onStage = (stage: DialStage) => {
        if (!pathStages.includes(stage)) watch(stage === 'answered' ? stallPathMs : stallMs)
        // Another attempt, or another way of this one, may come to what is of no interest any more.
        if (!told.has(stage) && !told.has('path') && !isOver) onProgress?.(stage)
        told.add(stage)
      }
      const onUnrelayed = () => watch(unrelayedMs)
      begin({ signal: attempt.signal, onProgress: onStage, onUnrelayed, isAnother: number > 0 }).then(
        (value) => {
          underWay.delete(attempt)
          if (isOver) return release(value)
          finish()
          resolve(value)
        },
        (thrown: unknown) => {
          underWay.delete(attempt)
          if (isOver) return
          const error = toError(thrown, 'CONNECT_FAILED')
          const mayBegin = begun < mostAttempts && !signal.aborted
          const wasLost = error.code === 'HUB_LOST' && performance.now() - startedAt >= lostAfterMs
          const wasThere = error.code === 'PEER_NOT_FOUND' && told.has('introduced')
          if (mayBegin && wasLost) start()
          else if (underWay.size > 0) return
          else if (mayBegin && wasThere) {
            clearTimeout(timer)
            timer = setTimeout(start, returnMs)
          } else fail(error)
        },
      )
    }
    signal.addEventListener('abort', onAbort, { once: true })
    start()
    if (signal.aborted) onAbort()
  })
}
