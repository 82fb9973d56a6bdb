/** What a command does, loaded once it is run: help needs nothing of it, and a run only its own. */
export function lazily<Args extends unknown[]>(
  load: () => Promise<(...args: Args) => Promise<void>>,
): (...args: Args) => Promise<void> {
  return async (...args) => (await load())(...args)
}
