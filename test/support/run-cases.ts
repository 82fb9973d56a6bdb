import { describe, it } from 'vitest'
import type { Case } from '../conformance/case.ts'

/** One Vitest test a case. A case that a harness can't show says why in its name. */
export function runCases<Harness>(name: string, cases: readonly Case<Harness>[], harness: Harness): void {
  describe(name, () => {
    for (const { name: caseName, skip, run } of cases) {
      if (skip?.(harness) === undefined) it(caseName, () => run(harness), 30_000)
    }
  })
}
