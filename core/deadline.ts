import { whenAborted } from './aborts.ts'
import { MultiserverError } from './errors.ts'

/** The reason that `signal` aborts with, always as an error of ours. */
export function abortReason(signal: AbortSignal): MultiserverError {
  return signal.reason instanceof MultiserverError
    ? signal.reason
    : new MultiserverError('ABORTED', undefined, { cause: signal.reason })
}

/**
 * Settles as `work` does, or rejects with `makeError()` at the deadline; `onTimeout` then releases the loser.
 * Leaves no timer.
 */
export async function withDeadline<T>(
  work: Promise<T>,
  timeoutMs: number,
  makeError: () => MultiserverError,
  onTimeout?: (error: MultiserverError) => void,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const error = makeError()
      onTimeout?.(error)
      reject(error)
    }, timeoutMs)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Settles as `work` does, or rejects as soon as `signal` aborts. What `work` gives too late goes to `release`,
 * so that nothing stays open that nobody has. Leaves no listener.
 */
export function untilAborted<T>(
  work: Promise<T>,
  signal: AbortSignal,
  release: (late: T) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = whenAborted(signal, () => reject(abortReason(signal)))
    work.then(
      (value) => {
        stop()
        if (signal.aborted) release(value)
        resolve(value)
      },
      (error: unknown) => {
        stop()
        reject(error)
      },
    )
  })
}
