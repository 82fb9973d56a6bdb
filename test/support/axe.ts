import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { AxeResults, RunOptions } from 'axe-core'
import type { Page } from 'playwright'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Every fault that axe finds on the page as it is now, and where. */
export async function findFaults(page: Page): Promise<string[]> {
  // As a debugger does, past the content security policy.
  await page.evaluate(axe)
  const options: RunOptions = { resultTypes: ['violations'] }
  return page.evaluate(checkDocument, options)
}

/** Runs in the page. */
async function checkDocument(options: RunOptions): Promise<string[]> {
  const { axe: checker } = globalThis as unknown as {
    axe: { run(context: Document, options: RunOptions): Promise<AxeResults> }
  }
  const { violations } = await checker.run(document, options)
  return violations.map(
    ({ id, impact, nodes }) =>
      `${impact}: ${id} at ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join(', ')}`,
  )
}
