import { effect } from '@preact/signals'

/** Resolves once `holds`, which reads signals, gives true. @throws an Error that says what did not happen in time */
export function until(holds: () => boolean, what: string, timeoutMs = 30_000): Promise<void> {
  return new Promise((resolve, reject) => {
    let isOver = false
    let stop = (): void => undefined
    const finish = (settle: () => void) => {
      isOver = true
      clearTimeout(timer)
      // An effect may not end itself while it runs for the first time.
      queueMicrotask(() => stop())
      settle()
    }
    const timer = setTimeout(() => finish(() => reject(new Error(what))), timeoutMs)
    stop = effect(() => {
      if (!isOver && holds()) finish(resolve)
    })
  })
}
