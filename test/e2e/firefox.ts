import { launch } from 'puppeteer-core'
import { firefoxLaunch, firefoxPath, hasFirefox } from '../support/firefox.ts'
import { missing as missingChromium } from './browser.ts'
import { drive } from './driven-process.ts'
import type { DrivenPeer } from './harness/peer.mjs'

/** Why suites with Firefox, which have a Chromium too, are skipped; '' when they are not. */
export const missing = hasFirefox ? missingChromium : ` (skipped: no Firefox at ${firefoxPath})`

export interface Firefox {
  readonly peer: DrivenPeer
  /** Takes the newest WebRTC path away, as far as either side can tell. */
  losePath(): Promise<void>
  /** What the page threw, or its content security policy forbade. */
  readonly problems: readonly string[]
  close(): Promise<void>
}

/** A Firefox with the harness page that a hub serves. */
export async function startFirefox(hubUrl: string): Promise<Firefox> {
  const browser = await launch(firefoxLaunch)
  const page = await browser.newPage()
  const problems: string[] = []
  page.on('pageerror', (error) => problems.push(String(error)))
  page.on('console', (message) => {
    if (message.text().includes('Content-Security-Policy')) problems.push(message.text())
  })
  await page.goto(hubUrl.replace(/^ws/, 'http'))
  return {
    peer: drive((name, args) => page.evaluate((which, given) => window.callPeer(which, given), name, args)),
    losePath: () => page.evaluate(() => window.losePath()),
    problems,
    close: () => browser.close(),
  }
}
