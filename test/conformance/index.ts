/**
 * For people who write plugs: what every transport, transform and stream of this package is held to. Cases are
 * `{ name, run }`, so that any test runner will do; a failure is an error that says what did not hold.
 */
import { streamCases, type StreamHarness } from './stream-cases.ts'
import { transformCases, type TransformHarness } from './transform-cases.ts'
import { connectOver, transportCases, type TransportHarness } from './transport-cases.ts'
import type { Case } from './case.ts'

export { ConformanceError } from './case.ts'
export type { StreamHarness } from './stream-cases.ts'
export type { TransformHarness } from './transform-cases.ts'
export type { TransportHarness } from './transport-cases.ts'
export { connectOver, streamCases, transformCases, transportCases }

/** One thing to be shown. */
export interface Check {
  /** What holds, in the present tense. */
  readonly name: string
  /** Why this can't be shown here; undefined when it can. */
  readonly skip: string | undefined
  readonly run: () => Promise<void>
}

/** What a transport has to show. */
export function checksOfTransport(harness: TransportHarness): Check[] {
  return bind(transportCases, harness)
}

/** What a transform has to show. */
export function checksOfTransform(harness: TransformHarness): Check[] {
  return bind(transformCases, harness)
}

/** What the two ends of a stream have to show, made by a transport or by a transform on top of one. */
export function checksOfStream(harness: StreamHarness): Check[] {
  return bind(streamCases, harness)
}

function bind<Harness>(cases: readonly Case<Harness>[], harness: Harness): Check[] {
  return cases.map(({ name, skip, run }) => ({ name, skip: skip?.(harness), run: () => run(harness) }))
}
