import { chromiumPath, hasChromium } from './chromium.ts'
import type { Reporter, TestModule } from 'vitest/node'

const allowsNoSkips = process.env['MULTISERVER_NO_SKIPS'] !== undefined

/** Suites that need something of the system which is not here. Vitest has not even heard of them. */
function missing(modules: readonly TestModule[]): string[] {
  const areChosen = process.argv.includes('--project')
  if (areChosen || modules.some((module) => module.project.name.startsWith('chromium'))) return []
  if (!hasChromium) {
    return [`chromium: no Chromium at ${chromiumPath}; run scripts/install-test-tools.sh, or set CHROMIUM`]
  }
  // Whoever names files may name others.
  return allowsNoSkips ? ['chromium: none of its suites was run'] : []
}

/** Counts skips aloud and prints one plain last line; with MULTISERVER_NO_SKIPS each skip is a failure. */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    let passed = 0
    let failed = errors.length
    const skipped = missing(modules)
    for (const module of modules) {
      if (module.state() === 'failed' && module.children.size === 0) failed += 1
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === 'passed') passed += 1
        else if (state === 'failed') failed += 1
        else skipped.push(`${test.project.name} ${test.fullName}`)
      }
    }
    for (const name of skipped) console.log(`skipped: ${name}`)
    if (allowsNoSkips && skipped.length > 0) {
      failed += skipped.length
      process.exitCode = 1
    }
    process.once('exit', () => {
      const skips = skipped.length === 0 ? '' : `, ${skipped.length} skipped`
      console.log(`${passed} passed, ${failed} failed${allowsNoSkips ? '' : skips}`)
    })
  }
}
