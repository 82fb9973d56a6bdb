/** A behaviour that every plug of a kind has; no test runner is needed to run it. */
export interface Case<Harness> {
  /** What holds, in the present tense. */
  readonly name: string
  /** Why this harness can't show it; undefined when it can. */
  readonly skip?: ((harness: Harness) => string | undefined) | undefined
  readonly run: (harness: Harness) => Promise<void>
}

export class ConformanceError extends Error {
  override readonly name = 'ConformanceError'
}

export function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new ConformanceError(message)
}

export function checkEqual(actual: unknown, expected: unknown, message: string): void {
  check(Object.is(actual, expected), `${message}: expected ${String(expected)}, got ${String(actual)}`)
}

/** What `promise` rejects with. */
export async function rejection(promise: Promise<unknown>, message: string): Promise<Error> {
  try {
    await promise
  } catch (error) {
    check(error instanceof Error, `${message}: rejected with something that is no Error`)
    return error
  }
  throw new ConformanceError(`${message}: did not reject`)
}

/** Whether `promise` settles before everything that is under way now has had its turn. */
export async function isSettled(promise: Promise<unknown>, withinMs: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<false>((resolve) => (timer = setTimeout(resolve, withinMs, false)))
  const settled = promise.then(
    () => true,
    () => true,
  )
  return Promise.race([settled, late]).finally(() => clearTimeout(timer))
}
