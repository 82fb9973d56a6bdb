import { launch, type LaunchOptions, type Page } from 'puppeteer-core'
import { drive } from './driven-process.ts'
import type { DrivenPeer } from './harness/peer.mjs'

/** A browser that Puppeteer drives, with the harness page. */
export interface Puppet {
  readonly page: Page
  readonly peer: DrivenPeer
  /** What the page has thrown since it was loaded, or its content security policy has forbidden. */
  problems(): Promise<readonly string[]>
  close(): Promise<void>
}

/**
 * For what Playwright can't: it needs a Firefox of its own, and in Chromium it pretends that every page has the focus, so
 * that none can be frozen.
 */
export async function startPuppet(options: LaunchOptions, hubUrl: string): Promise<Puppet> {
  const browser = await launch(options)
  const page = await browser.newPage()
  await page.evaluateOnNewDocument(watchPage)
  await page.goto(hubUrl.replace(/^ws/, 'http'))
  return {
    page,
    peer: drive((name, args) => page.evaluate((which, given) => window.callPeer(which, given), name, args)),
    problems: () => page.evaluate(() => (globalThis as Watched).problems ?? ['nobody has watched the page']),
    close: () => browser.close(),
  }
}

type Watched = typeof globalThis & { problems?: string[] }

/**
 * Runs in the page. Firefox itself reports as an error of the page that a socket does not open or that ICE fails: both are
 * usual here, and the page has an answer to them.
 */
function watchPage(): void {
  const problems: string[] = []
  ;(globalThis as Watched).problems = problems
  addEventListener('error', ({ message }) => problems.push(message))
  addEventListener('unhandledrejection', ({ reason }) => problems.push(String(reason)))
  addEventListener('securitypolicyviolation', (event) =>
    problems.push(`${event.violatedDirective} forbids ${event.blockedURI}`),
  )
}
