import { MultiserverError } from '../core/errors.ts'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** By convention 128 and the number of the signal. */
const numbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const

/** Of this process: why it was aborted, when Ctrl-C or another signal did it. */
export class Interrupted extends MultiserverError {
  readonly exitCode: number

  constructor(name: keyof typeof numbers) {
    super('ABORTED', `ended by ${name}`)
    this.exitCode = 128 + numbers[name]
  }
}

/** Aborts, with {@link Interrupted}, at the first signal that asks this process to end; a second one ends it at once. */
export function onInterruption(names: readonly (keyof typeof numbers)[] = signals): AbortSignal {
  const controller = new AbortController()
  for (const name of names) {
    process.on(name, () => {
      const reason = new Interrupted(name)
      if (controller.signal.aborted) process.exit(reason.exitCode)
      controller.abort(reason)
    })
  }
  return controller.signal
}

/** For what runs until it is told to end: that is no failure. */
export function untilInterrupted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
