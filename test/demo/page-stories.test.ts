import type { Page } from 'playwright'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { choose, DemoBrowser, lobbyWords, say } from './demo-page.ts'
import { startDemo } from './demo-program.ts'
import { describePage, missing } from './demo-suite.ts'
import { describeStories } from './stories.ts'

const timeout = 60_000

describePage('the buttons of the demo page', timeout, (site) => {
  let page: Page

  beforeAll(async () => {
    page = await site.browser.open(await site.browser.newContext())
    await page.getByRole('button', { name: /^desktop \S{8}… / }).waitFor()
  }, timeout)

  describeStories(site, () => ({
    async play(title, button, lastWords) {
      await page.getByRole('article', { name: title }).getByRole('button', { name: button }).click()
      const story = page.locator(`.try[data-state=good][aria-label="${title}"]`)
      await story.filter({ hasText: lastWords }).waitFor({ timeout })
      return story.locator('.steps').innerText()
    },
    choose: (name) => choose(page, name),
    say: (to, text) => say(page, to, text),
    sendFile: (name, buffer) =>
      page.setInputFiles('#compose-file', { name, mimeType: 'application/octet-stream', buffer }),
    see: (text) => page.getByText(text).first().waitFor({ timeout }),
    find: (selector) => page.locator(selector).first().waitFor({ timeout }),
    press: (text) => page.getByText(text, { exact: true }).click(),
    texts: (selector) => page.locator(selector).allInnerTexts(),
  }))
})

describe.skipIf(missing !== '')(`the demo page when everything is started again${missing}`, () => {
  it('finds the way back', { timeout }, async () => {
    const before = startDemo(['--port', '0'])
    onTestFinished(() => void before.child.kill('SIGTERM'))
    const port = new URL(await before.url).port
    const browser = await DemoBrowser.launch(await before.url)
    onTestFinished(() => browser.close())
    const page = await browser.open(await browser.newContext())
    before.child.kill('SIGTERM')
    expect(await before.ended).toBe(0)
    await page.getByText('Trying again…').waitFor()
    const after = startDemo(['--port', port])
    onTestFinished(() => void after.child.kill('SIGTERM'))
    await page.getByText(lobbyWords).waitFor()
    after.child.kill('SIGTERM')
    expect(await after.ended).toBe(0)
  })
})
