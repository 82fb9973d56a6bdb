/** What the program tells the tests of one round. */
export interface Round {
  /** Of every property. */
  readonly seed: number
}

declare module 'vitest' {
  interface ProvidedContext {
    round: Round
  }
  /** What a test tells the program. */
  interface TaskMeta {
    /** Cases of properties that it has run. */
    cases?: number
  }
}
