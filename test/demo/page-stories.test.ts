import { randomBytes } from 'node:crypto'
import type { Page } from 'playwright'
import { beforeAll, describe, expect, it } from 'vitest'
import { choose, DemoBrowser, lobbyWords, say } from './demo-page.ts'
import { startDemo } from './demo-program.ts'
import { describePage, missing } from './demo-suite.ts'

const timeout = 60_000

describePage('the buttons of the demo page', timeout, (site) => {
  let page: Page

  beforeAll(async () => {
    page = await site.browser.open(await site.browser.newContext())
    await page.getByRole('button', { name: /^desktop desktop ·/ }).waitFor()
  }, timeout)

  /** Presses the button of a story. @returns what happened, in words, once it is over */
  async function play(title: string, button: string): Promise<string> {
    const story = page.getByRole('article', { name: title })
    await story.getByRole('button', { name: button }).click()
    await page.locator(`.try[data-state=good][aria-label="${title}"]`).waitFor({ timeout })
    return story.locator('.steps').innerText()
  }

  it('lets one come with a wrong key, and be refused', async () => {
    expect(await play('Come with the wrong key', 'Knock')).toMatch(
      /Refused: (HANDSHAKE_FAILED|WRONG_KEY)\. In words: [^]*has not learned who knocked/,
    )
  })

  it('cuts the direct path, and the chat goes on over the relay until direct paths are let through', async () => {
    expect(await play('Cut the direct path', 'Cut it')).toMatch(/over the hub’s relay[^]*has answered/)
    await choose(page, 'desktop')
    await say(page, 'desktop', 'Still there?')
    await page.getByText(/You said ‘Still there\?’.* through the hub's relay/).waitFor()
    await page.getByRole('button', { name: /^desktop, desktop, connected over rtc, by the relay/ }).waitFor()
    await page.setInputFiles('#compose-file', {
      name: 'relayed.bin',
      mimeType: 'application/octet-stream',
      buffer: randomBytes(3 * 1024 * 1024),
    })
    await page.getByText('Delivered: both ends have the same').waitFor()
    expect(await play('Cut the direct path', 'Let direct paths through')).toContain('reached by one')
    await page.getByRole('button', { name: /^desktop, desktop, connected over rtc, direct/ }).waitFor()
  })

  it('restarts the hub under a running transfer, which does not notice', async () => {
    const words = await play('Restart the hub', 'Send and restart')
    expect(words).toMatch(/The hub is gone[^]*The hub is back[^]*both ends have the same SHA-256/)
    expect(site.demo.output()).toContain('Somebody at the page wants to see me restart')
    // And everyone is where they were.
    await page.getByText(lobbyWords).waitFor({ timeout })
  })

  it('upgrades the desktop from shs to shs2, and what was open stays open', async () => {
    await choose(page, 'desktop')
    await page.locator('.strength-shs').first().waitFor()
    expect(await play('Upgrade a peer', 'Upgrade it')).toMatch(
      /serves shs2 beside shs[^]*so this connection is shs2/,
    )
    await page.getByText('shs2: Noise with ML-KEM-768').waitFor()
    await page.getByText('Its address', { exact: true }).click()
    expect(await page.locator('.address li').allInnerTexts()).toEqual([
      expect.stringContaining('~shs:'),
      expect.stringContaining('~shs2:'),
    ])
    expect(site.demo.output()).toContain('I serve shs2 beside shs now.')
  })
})

describe.skipIf(missing !== '')(`the demo page when everything is started again${missing}`, () => {
  it('finds the way back', { timeout }, async () => {
    const before = startDemo(['--port', '0'])
    const port = new URL(await before.url).port
    const browser = await DemoBrowser.launch(await before.url)
    const page = await browser.open(await browser.newContext())
    before.child.kill('SIGTERM')
    expect(await before.ended).toBe(0)
    await page.getByText('Trying again…').waitFor()
    const after = startDemo(['--port', port])
    await page.getByText(lobbyWords).waitFor()
    await browser.close()
    after.child.kill('SIGTERM')
    expect(await after.ended).toBe(0)
  })
})
