import type { BrowserContextOptions, Page } from 'playwright'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { findFaults } from '../support/axe.ts'
import { chromiumPath, hasChromium } from '../support/chromium.ts'
import { choose, DemoBrowser, say } from './demo-page.ts'
import { startDemo, type Demo } from './demo-program.ts'

const missing = hasChromium ? '' : ` (skipped: no Chromium at ${chromiumPath})`
const timeout = 60_000
const phone = { width: 360, height: 740 }

describe.skipIf(missing !== '')(`the forms of the demo page${missing}`, { timeout }, () => {
  let demo: Demo
  let browser: DemoBrowser

  beforeAll(async () => {
    demo = startDemo(['--port', '0'])
    browser = await DemoBrowser.launch(await demo.url)
  }, timeout)

  // What the peers said tells whether one of them died.
  beforeEach(({ onTestFailed }) => onTestFailed(() => console.error(demo.output())))

  afterAll(async () => {
    await browser.close()
    demo.child.kill('SIGTERM')
    expect(await demo.ended).toBe(0)
  })

  const width = (page: Page) => page.evaluate(() => document.documentElement.scrollWidth)

  it.each<[string, BrowserContextOptions]>([
    ['light', { colorScheme: 'light' }],
    ['dark', { colorScheme: 'dark' }],
  ])('is accessible when wide and %s: the room, a peer, what failed, every table', async (_how, options) => {
    const context = await browser.newContext(options)
    const page = await browser.open(context)
    await page.getByRole('button', { name: /^Connect to all/ }).click()
    await page.getByText('3 will hear you').waitFor()
    await say(page, 'the room', 'Hello, all')
    await page.getByText('I am the desktop').waitFor()
    expect(await findFaults(page)).toEqual([])
    await choose(page, 'desktop')
    await page.getByPlaceholder('Write to desktop').waitFor()
    await page.locator('details').evaluateAll((all) => {
      for (const each of all) each.setAttribute('open', '')
    })
    await page.getByRole('button', { name: 'QR code' }).click()
    await page.getByRole('article', { name: 'Come with the wrong key' }).getByRole('button').click()
    await page
      .getByText(/^Refused/)
      .or(page.getByText('Refused:'))
      .first()
      .waitFor()
    await page.getByLabel("Somebody's address").fill('What?')
    await page.getByRole('button', { name: 'Connect', exact: true }).click()
    await page.getByText('That is not an address to dial.').waitFor()
    expect(await findFaults(page)).toEqual([])
    expect(await width(page)).toBe(1280)
    await context.close()
  })

  it.each(['light', 'dark'] as const)('fits a phone, one thing at a time, %s', async (colorScheme) => {
    const context = await browser.newContext({ colorScheme, viewport: phone, hasTouch: true })
    const page = await browser.open(context)
    const parts = page.getByRole('navigation', { name: 'Parts of the page' })
    for (const [part, heading] of [
      ['Network', 'The network'],
      ['Talk', 'Room'],
      ['Try', 'Break it'],
      ['You', 'You'],
    ] as const) {
      await parts.getByRole('button', { name: part }).click()
      await page.getByRole('heading', { name: heading, exact: true }).waitFor()
      expect(await findFaults(page)).toEqual([])
      expect(await width(page)).toBe(phone.width)
    }
    await parts.getByRole('button', { name: 'Network' }).click()
    await choose(page, 'desktop')
    await page.getByPlaceholder('Write to desktop').waitFor()
    await page.getByText('One connection').click()
    await page.getByText('directly from peer to peer').waitFor()
    expect(await width(page)).toBe(phone.width)
    expect(await findFaults(page)).toEqual([])
    await context.close()
  })

  it('does not move for who does not want that', async () => {
    const context = await browser.newContext({ reducedMotion: 'reduce' })
    const page = await browser.open(context)
    const flows = () =>
      page.evaluate(() =>
        [...document.querySelectorAll('.edge-flow')].map((flow) => getComputedStyle(flow).animationName),
      )
    await expect.poll(flows, { timeout }).not.toEqual([])
    expect(new Set(await flows())).toEqual(new Set(['none']))
    const draw = () =>
      page.evaluate(() => {
        const all = (selector: string) => [...document.querySelectorAll(selector)]
        return {
          // What is drawn: a peer that comes, or an edge that does, moves the others in one step.
          parts: all('.node, .edge').map(
            (part) => part.getAttribute('aria-label') ?? part.getAttribute('data-way'),
          ),
          places: all('.node').map((node) => node.getAttribute('transform')),
        }
      })
    await page.getByRole('button', { name: 'desktop, desktop, not connected' }).waitFor()
    let before = await draw()
    let after = before
    // With the same parts for a few frames, nothing moves any more.
    for (let alike = 0; alike < 3;) {
      before = after
      await page.evaluate(
        () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))),
      )
      after = await draw()
      alike = String(after.parts) === String(before.parts) ? alike + 1 : 0
    }
    expect(after.places).toEqual(before.places)
    await page.emulateMedia({ reducedMotion: 'no-preference' })
    expect(await flows()).toContain('flow')
    await context.close()
  })

  it.each<[string, () => void, string[]]>([
    [
      'WebRTC',
      () => Reflect.deleteProperty(globalThis, 'RTCPeerConnection'),
      ['WebRTC is not available here.', 'Nobody can dial this page'],
    ],
    [
      'Web Locks',
      () => Object.defineProperty(navigator, 'locks', { value: undefined }),
      ['This browser has no Web Locks here', 'This tab has made one of its own'],
    ],
    [
      'IndexedDB',
      () => Object.defineProperty(globalThis, 'indexedDB', { value: undefined }),
      ['does not let the page keep anything (IndexedDB)', 'This tab has made one of its own'],
    ],
  ])('says what is missing without %s, and still talks with the server', async (_what, takeAway, words) => {
    const bare = await browser.newContext()
    await bare.addInitScript(takeAway)
    const page = await bare.newPage()
    await page.goto(await demo.url)
    await page.getByText('In the lobby').waitFor()
    for (const each of words) await page.locator('.card-you').getByText(each).waitFor()
    await choose(page, 'server')
    await say(page, 'server', 'Still there?')
    await page.getByText('You said ‘Still there?’').waitFor()
    await bare.close()
  })

  it('does nothing that its content security policy forbids, and throws nothing', () => {
    expect(browser.problems).toEqual([])
  })
})
