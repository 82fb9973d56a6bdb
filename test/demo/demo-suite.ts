import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { chromiumPath, hasChromium } from '../support/chromium.ts'
import { DemoBrowser } from './demo-page.ts'
import { startDemo, type Demo } from './demo-program.ts'

/** Why the page can't be tested here; empty when it can. */
export const missing = hasChromium ? '' : ` (skipped: no Chromium at ${chromiumPath})`

/** The demo of a suite, from its first test to its last, and a Chromium. */
export interface Site {
  readonly demo: Demo
  readonly browser: DemoBrowser
}

/**
 * A suite that has a demo of its own, which must end well, and pages that may not throw, nor do what is forbidden.
 *
 * @param timeoutMs of each test, and of starting it all
 * @param define has the tests; what it is given is there once they run
 */
export function describePage(title: string, timeoutMs: number, define: (site: Site) => void): void {
  describe.skipIf(missing !== '')(`${title}${missing}`, { timeout: timeoutMs }, () => {
    let demo: Demo | undefined
    let browser: DemoBrowser | undefined

    beforeAll(async () => {
      demo = startDemo(['--port', '0'])
      browser = await DemoBrowser.launch(await demo.url)
    }, timeoutMs)

    // What the peers said tells whether one of them died.
    beforeEach(({ onTestFailed }) => onTestFailed(() => console.error(demo?.output())))

    afterAll(async () => {
      await browser?.close()
      demo?.child.kill('SIGTERM')
      expect(await demo?.ended).toBe(0)
    })

    define({
      get demo() {
        return started(demo)
      },
      get browser() {
        return started(browser)
      },
    })

    it('does nothing that its content security policy forbids, and throws nothing', () => {
      expect(browser?.problems).toEqual([])
    })
  })
}

function started<T>(what: T | undefined): T {
  if (what === undefined) throw new Error('only tests and their hooks have it')
  return what
}
