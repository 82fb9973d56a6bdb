import type { BrowserContextOptions, Locator, Page } from 'playwright'
import { expect, it } from 'vitest'
import { findFaults } from '../support/axe.ts'
import { choose, ownName, say } from './demo-page.ts'
import { describePage } from './demo-suite.ts'

const timeout = 60_000
const phone = { width: 360, height: 740 }

describePage('the forms of the demo page', timeout, (site) => {
  const width = (page: Page) => page.evaluate(() => document.documentElement.scrollWidth)

  it.each<[string, BrowserContextOptions]>([
    ['light', { colorScheme: 'light' }],
    ['dark', { colorScheme: 'dark' }],
  ])('is accessible when wide and %s: the room, a peer, what failed, every table', async (_how, options) => {
    const context = await site.browser.newContext(options)
    const page = await site.browser.open(context)
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
    const context = await site.browser.newContext({ colorScheme, viewport: phone, hasTouch: true })
    const page = await site.browser.open(context)
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

  it.each([
    ['a phone', { width: 390, height: 844 }],
    ['a wide screen', { width: 1280, height: 800 }],
  ])('draws a lively lobby on %s so that every name can be read', async (_where, viewport) => {
    const guests = await Promise.all([1, 2, 3].map(() => site.browser.newContext()))
    await Promise.all(guests.map((guest) => site.browser.open(guest)))
    // What moves rests at last; here it does at once.
    const context = await site.browser.newContext({ viewport, reducedMotion: 'reduce' })
    const page = await site.browser.open(context)
    const parts = page.getByRole('navigation', { name: 'Parts of the page' })
    const isPhone = await parts.isVisible()
    if (isPhone) await parts.getByRole('button', { name: 'Talk' }).click()
    await page.getByRole('button', { name: 'Connect to all 5' }).click()
    await page.getByText('6 will hear you').waitFor()
    if (isPhone) await parts.getByRole('button', { name: 'Network' }).click()
    // With this page, the hub and the bridge.
    await expect.poll(() => page.locator('.node').count(), { timeout }).toBe(9)
    expect(await page.evaluate(findCovered)).toEqual([])
    expect(await findFaults(page)).toEqual([])
    await Promise.all([...guests, context].map((each) => each.close()))
  })

  it('is walked through by the keyboard in the order in which it is read, and shows where one is', async () => {
    const context = await site.browser.newContext({ reducedMotion: 'reduce' })
    const page = await site.browser.open(context)
    expect(await pressTab(page)).toMatchObject({ part: 'Skip to the conversation', isShown: true })
    await choose(page, 'desktop')
    await page.getByText('directly from peer to peer').waitFor()
    const stops = await walk(page)
    expect([...new Set(stops.map(({ part }) => part))]).toEqual([
      'The network',
      'Break it',
      'desktop',
      'Who is there',
      'Connect to an address',
      'You',
    ])
    expect(stops.filter(({ isShown }) => !isShown)).toEqual([])
    // Who wants to talk need not go through all of them.
    await expectToSkip(page)
    await context.close()
  })

  it('is walked through on a phone in the order in which it is seen, and the way to the conversation is short', async () => {
    const context = await site.browser.newContext({ viewport: phone, reducedMotion: 'reduce' })
    const page = await site.browser.open(context)
    const tabs = ['Network', 'Talk', 'Try', 'You']
    for (const [tab, parts] of [
      ['Network', ['The network', 'Who is there', 'Connect to an address']],
      ['Talk', ['Room']],
      ['Try', ['Break it']],
      ['You', ['You']],
    ] as const) {
      await page.getByRole('navigation').getByRole('button', { name: tab }).click()
      const stops = await walk(page)
      // The number of what is new stands behind a name.
      const walked = stops.map(({ part }) => part.replace(/\d+$/, ''))
      expect([...new Set(walked.slice(0, -tabs.length))]).toEqual(parts)
      expect(walked.slice(-tabs.length)).toEqual(tabs)
      expect(stops.filter(({ isShown }) => !isShown)).toEqual([])
    }
    await expectToSkip(page)
    await context.close()
  })

  it('says to a screen reader once what somebody is', async () => {
    const context = await site.browser.newContext()
    const page = await site.browser.open(context)
    const guest = await site.browser.open(await site.browser.newContext())
    const guestName = await ownName(guest)
    await page.getByRole('button', { name: new RegExp(`^${guestName} browser · `) }).waitFor()
    const [list, drawing] = [
      page.getByRole('region', { name: 'Who is there' }),
      page.getByRole('group', { name: 'The network, drawn' }),
    ]
    for (const name of ['server', 'desktop', 'veteran']) {
      await list.getByRole('button', { name: new RegExp(`^${name} (?!.*${name})`) }).waitFor()
      await drawing.getByRole('button', { name: new RegExp(`^${name}, (?!.*${name})`) }).waitFor()
    }
    expect(await page.locator('.peer').allInnerTexts()).toContainEqual(expect.stringContaining('on 3.8.2'))
    await Promise.all([context, guest.context()].map((each) => each.close()))
  })

  it('tells a screen reader what changes: how it stands, what is said, what fails', async () => {
    const context = await site.browser.newContext()
    const page = await site.browser.open(context)
    await page.getByRole('status').getByText('In the lobby').waitFor()
    await choose(page, 'desktop')
    await say(page, 'desktop', 'Can you hear me?')
    await page.getByRole('log', { name: 'Conversation' }).getByText('You said ‘Can you hear me?’').waitFor()
    const field = page.getByLabel("Somebody's address")
    await field.fill('What?')
    await field.press('Enter')
    await page.getByRole('alert').getByText('That is not an address to dial.').waitFor()
    expect(await field.getAttribute('aria-invalid')).toBe('true')
    expect(await field.getAttribute('aria-describedby')).toBe('dial-error')
    await context.close()
  })

  it('does not move for who does not want that', async () => {
    const context = await site.browser.newContext({ reducedMotion: 'reduce' })
    const page = await site.browser.open(context)
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
    await page.getByRole('button', { name: 'desktop, not connected' }).waitFor()
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
    const bare = await site.browser.newContext()
    await bare.addInitScript(takeAway)
    const page = await bare.newPage()
    await page.goto(await site.demo.url)
    await page.getByText('In the lobby').waitFor()
    for (const each of words) await page.locator('.card-you').getByText(each).waitFor()
    expect(await findFaults(page)).toEqual([])
    await choose(page, 'server')
    await say(page, 'server', 'Still there?')
    await page.getByText('You said ‘Still there?’').waitFor()
    await bare.close()
  })
})

/** In the page: texts and discs of the drawing that cover one another, or are not in it. */
function findCovered(): string[] {
  const parts = [...document.querySelectorAll('.node-name, .node-disc, .edge text')]
  const frame = document.querySelector('.graph')?.getBoundingClientRect() ?? new DOMRect()
  const boxes = parts.map((part) => part.getBoundingClientRect())
  const isInside = ({ left, right, top, bottom }: DOMRect) =>
    left >= frame.left && right <= frame.right && top >= frame.top && bottom <= frame.bottom
  const overlap = (a: DOMRect, b: DOMRect) =>
    a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom
  const nameOf = (index: number) => parts[index]?.textContent || 'a disc'
  return boxes.flatMap((box, index) => [
    ...(isInside(box) ? [] : [`${nameOf(index)} is outside`]),
    ...boxes.flatMap((other, at) =>
      at > index && overlap(box, other) ? [`${nameOf(index)} and ${nameOf(at)}`] : [],
    ),
  ])
}

/** Where the keyboard stops, from behind the link that skips to the end of the page. */
async function walk(page: Page): Promise<Stop[]> {
  await skipLink(page).focus()
  const stops: Stop[] = []
  for (let stop = await pressTab(page); stop !== null; stop = await pressTab(page)) stops.push(stop)
  return stops
}

async function expectToSkip(page: Page): Promise<void> {
  await skipLink(page).focus()
  await page.keyboard.press('Enter')
  await expect.poll(() => page.evaluate(() => document.activeElement?.id)).toBe('talk')
}

function skipLink(page: Page): Locator {
  return page.getByRole('link', { name: 'Skip to the conversation' })
}

/** What has the focus. */
interface Stop {
  /** The title of the part of the page that it is in, or its own words. */
  readonly part: string
  readonly what: string
  /** Whether one sees that it has the focus. */
  readonly isShown: boolean
}

/** Null at the end of the page. */
async function pressTab(page: Page): Promise<Stop | null> {
  await page.keyboard.press('Tab')
  return page.evaluate(() => {
    const at = document.activeElement
    if (at === null || at === document.body) return null
    const words = (element: Element | null) => element?.textContent?.trim() ?? ''
    const title = at.closest('section')?.getAttribute('aria-labelledby') ?? ''
    const hasOutline = (element: Element | null) =>
      element !== null && getComputedStyle(element).outlineStyle !== 'none'
    const ring = at.querySelector('.node-ring')
    // A hidden input is shown by the label that stands for it.
    const seen = at.classList.contains('hidden') ? at.nextElementSibling : at
    const { width, height } = (seen ?? at).getBoundingClientRect()
    return {
      part: title === '' ? words(at) : words(document.querySelector(`#${title}`)),
      what: at.getAttribute('aria-label') ?? words(at).slice(0, 40),
      isShown:
        width > 1 &&
        height > 1 &&
        (ring === null
          ? hasOutline(seen)
          : getComputedStyle(ring).stroke !== 'rgba(0, 0, 0, 0)' && getComputedStyle(ring).stroke !== 'none'),
    }
  })
}
