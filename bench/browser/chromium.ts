import { existsSync } from 'node:fs'
import type { Page } from 'playwright'
import type { Contestant, Link } from '../contestant.ts'
import type { End } from '../end.ts'
import { servePage } from './pages.ts'

export const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
const args = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Host addresses as they are: names that only multicast resolves are not to be found in every place where this runs.
  '--disable-features=WebRtcHideLocalIpsWithMdns',
]

/** A page in a Chromium of its own, from `bench/browser/PROGRAM.mjs`; what introduces the ends runs in this process. */
export function inChromium(program: string, introduce?: Contestant['introduce']): End {
  return {
    async serve(link) {
      const introducer = (await introduce?.()) ?? ''
      const page = await openPage(program, link)
      const address = await page.evaluate((at) => window.bench.serve(at), introducer)
      return { address, close: () => closeBrowserOf(page) }
    },
    async perform(order, link) {
      const page = await openPage(program, link)
      try {
        return await page.evaluate((wanted) => window.bench.perform(wanted), order)
      } finally {
        await closeBrowserOf(page)
      }
    },
  }
}

async function openPage(program: string, link: Link): Promise<Page> {
  if (!existsSync(executablePath)) throw new Error(`no Chromium at ${executablePath}`)
  // Loaded here: most workers drive no browser.
  const { chromium } = await import('playwright')
  const url = await servePage(program)
  const browser = await chromium.launch({ executablePath, args })
  const page = await browser.newPage()
  await page.exposeFunction('tell', (message: unknown) => link.send(message))
  await page.goto(url)
  await page.waitForFunction(() => 'bench' in window)
  link.onMessage((message) => {
    // What still comes for a page that is done is for nobody.
    page.evaluate((heard) => window.bench.hear(heard), message).catch(() => undefined)
  })
  return page
}

async function closeBrowserOf(page: Page): Promise<void> {
  await page.context().browser()?.close()
}
