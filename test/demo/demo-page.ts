import {
  chromium,
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type Page,
} from 'playwright'
import { chromiumLaunch } from '../support/chromium.ts'

export const lobbyWords = 'In the lobby, and reachable over WebRTC'

/** A browser with pages of the demo, and what went wrong in them. */
export class DemoBrowser {
  readonly browser: Browser
  readonly problems: string[] = []
  readonly #url: string

  private constructor(browser: Browser, url: string) {
    this.browser = browser
    this.#url = url
  }

  static async launch(url: string): Promise<DemoBrowser> {
    return new DemoBrowser(await chromium.launch(chromiumLaunch), url)
  }

  newContext(options: BrowserContextOptions = {}): Promise<BrowserContext> {
    return this.browser.newContext(options)
  }

  /** A page that is in the lobby. @param hash of its address, as in a link */
  async open(context: BrowserContext, hash = ''): Promise<Page> {
    const page = await context.newPage()
    page.on('pageerror', (error) => this.problems.push(String(error)))
    page.on('console', (message) => {
      if (message.text().includes('Content Security Policy')) this.problems.push(message.text())
    })
    await page.goto(`${this.#url}/${hash}`)
    await page.getByText(lobbyWords).waitFor()
    return page
  }

  close(): Promise<void> {
    return this.browser.close()
  }
}

export function ownAddress(page: Page): Promise<string> {
  return page.getByLabel('Your address').inputValue()
}

export function ownName(page: Page): Promise<string> {
  return page.locator('#you-name').innerText()
}

/** Opens the talk with a peer, from the list. */
export async function choose(page: Page, name: string): Promise<void> {
  await page.getByRole('button', { name: new RegExp(`^${name} `) }).click()
}

/** Says something where the page is, or in the room. */
export async function say(page: Page, to: string, text: string): Promise<void> {
  const field = page.getByPlaceholder(`Write to ${to}`)
  await field.fill(text)
  await field.press('Enter')
}
