import { launch, type LaunchOptions, type Page } from 'puppeteer-core'
import { drive } from './driven-process.ts'
import type { DrivenPeer } from './harness/peer.mjs'

/** A browser that Puppeteer drives, with the harness page. */
export interface Puppet {
  readonly page: Page
  readonly peer: DrivenPeer
  /** What the page threw, or its content security policy forbade. */
  readonly problems: readonly string[]
  close(): Promise<void>
}

/**
 * For what Playwright can't: it needs a Firefox of its own, and in Chromium it pretends that every page has the focus, so
 * that none can be frozen.
 */
export async function startPuppet(options: LaunchOptions, hubUrl: string): Promise<Puppet> {
  const browser = await launch(options)
  const page = await browser.newPage()
  const problems: string[] = []
  page.on('pageerror', (error) => problems.push(String(error)))
  page.on('console', (message) => {
    if (/Content.Security.Policy/.test(message.text())) problems.push(message.text())
  })
  await page.goto(hubUrl.replace(/^ws/, 'http'))
  return {
    page,
    peer: drive((name, args) => page.evaluate((which, given) => window.callPeer(which, given), name, args)),
    problems,
    close: () => browser.close(),
  }
}
