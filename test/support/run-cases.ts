import { describe, it } from 'vitest'
import type { Case } from '../conformance/case.ts'

/** One Vitest test a case. What a harness can't show is said aloud, with the reason; it is no skip. */
export function runCases<Harness>(name: string, cases: readonly Case<Harness>[], harness: Harness): void {
  describe(name, () => {
    for (const { name: caseName, skip, run } of cases) {
      const reason = skip?.(harness)
      if (reason === undefined) it(caseName, () => run(harness), 30_000)
      else console.info(`${name}: not asked whether it ${caseName}: ${reason}`)
    }
  })
}
