import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startPuppet, type Puppet } from '../e2e/puppet.ts'
import { firefoxLaunch, firefoxPath, hasFirefox } from '../support/firefox.ts'
import { choose, lobbyWords, ownName, say } from './demo-page.ts'
import { describePage } from './demo-suite.ts'
import { describeStories } from './stories.ts'

const timeout = 60_000
const missing = hasFirefox ? '' : ` (no Firefox at ${firefoxPath})`

describe.skipIf(missing !== '')(`Firefox${missing}`, () => {
  describePage('the demo page in Firefox', timeout, (site) => {
    let firefox: Puppet
    let directory: string

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'multiserver-firefox-'))
      firefox = await startPuppet(firefoxLaunch, await site.demo.url)
      firefox.page.setDefaultTimeout(timeout)
      await firefox.page.setViewport({ width: 1280, height: 800 })
      await see(lobbyWords)
    }, timeout)

    afterAll(async () => {
      await firefox.close()
      await rm(directory, { recursive: true })
    })

    const find = (selector: string) => firefox.page.waitForSelector(selector, { visible: true })
    const see = (words: string) => find(`::-p-text(${JSON.stringify(words)})`)
    const press = (selector: string) => firefox.page.locator(selector).click()
    const go = (name: string) => press(`.peer ::-p-text(${JSON.stringify(name)})`)

    async function write(to: string, text: string): Promise<void> {
      await find(`#compose-text[placeholder="Write to ${to}"]:not(:disabled)`)
      await firefox.page.locator('#compose-text').fill(text)
      await firefox.page.keyboard.press('Enter')
    }

    /** Through a file, as people do. */
    async function sendFile(name: string, bytes: Uint8Array): Promise<void> {
      const path = join(directory, name)
      await writeFile(path, bytes)
      const field = await firefox.page.waitForSelector('input#compose-file:not(:disabled)')
      await field?.uploadFile(path)
    }

    it('shows who is there, in a list and in a drawing', async () => {
      for (const name of ['server', 'desktop', 'veteran']) {
        await find(`.peer ::-p-text(${name})`)
        await find(`.node[role=button][aria-label^="${name}, "]`)
      }
      await find('.node[role=img][aria-label^="The hub"]')
    })

    it('talks with the desktop over WebRTC, on a direct path', async () => {
      await go('desktop')
      await write('desktop', 'Do you hear me?')
      await see('You said ‘Do you hear me?’. I am the desktop')
      await see('directly from peer to peer')
    })

    it('sends the desktop a file of which both ends have the same SHA-256', async () => {
      const bytes = randomBytes(3 * 1024 * 1024)
      await sendFile('random.bin', bytes)
      await see('Delivered: both ends have the same')
      const sha256 = createHash('sha256').update(bytes).digest('hex')
      await see(`SHA-256 ${sha256}`)
      expect(site.demo.output()).toContain(`SHA-256 ${sha256}, as the sender says`)
    })

    it('meets Chromium: they talk, and show each other pictures', async () => {
      const guest = await site.browser.open(await site.browser.newContext())
      const guestName = await ownName(guest)
      const name = (await firefox.page.$eval('#you-name', ({ textContent }) => textContent)) ?? ''
      await go(guestName)
      await write(guestName, 'Hello Chromium')
      await choose(guest, name)
      await guest.getByText('Hello Chromium', { exact: true }).waitFor()
      await say(guest, name, 'Hello Firefox')
      await see('Hello Firefox')

      const picture = await guest.screenshot()
      await guest.setInputFiles('#compose-file', { name: 'c.png', mimeType: 'image/png', buffer: picture })
      await press('button::-p-text(Take it)')
      await find('img[alt="The image c.png"]')
      await sendFile('f.png', await firefox.page.screenshot())
      await guest.getByRole('button', { name: 'Take it' }).click()
      await guest.getByRole('img', { name: 'The image f.png' }).waitFor()
      await guest.close()
      await see('The connection over rtc ended.')
    })

    describeStories(site, () => ({
      async play(title, button, lastWords) {
        const story = `.try[aria-label="${title}"]`
        await press(`${story} button::-p-text(${button})`)
        await find(`${story}[data-state=good] ::-p-text(${lastWords})`)
        return firefox.page.$eval(`${story} .steps`, ({ textContent }) => textContent)
      },
      choose: go,
      say: write,
      sendFile,
      see: async (text) => void (await see(text)),
      find: async (selector) => void (await find(selector)),
      press: (text) => press(`::-p-text(${text})`),
      texts: (selector) => firefox.page.$$eval(selector, (all) => all.map(({ textContent }) => textContent)),
    }))

    it('throws nothing, and does nothing that its content security policy forbids', async () => {
      expect(await firefox.problems()).toEqual([])
    })
  })
})
