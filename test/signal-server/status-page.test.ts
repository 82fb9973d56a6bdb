import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { StatusAnswer } from '../../signal-server/status-data.ts'
import { findFaults } from '../support/axe.ts'
import { chromiumLaunch, chromiumPath, hasChromium } from '../support/chromium.ts'
import { hasRedis, RedisServer } from '../support/redis-server.ts'
import { HubClient, newId, testKeys } from './hub-client.ts'
import { type HubProgram, killHubProgram, startHubProgram } from './hub-program.ts'
import { askForRelay, introduce, openCircuit } from './relay-client.ts'

const missing = hasChromium ? '' : ` (skipped: no Chromium at ${chromiumPath})`
const timeout = 60_000
/** A bound for what hangs: the hub takes a sample each two seconds, and the page asks as often. */
const within = { timeout: 20_000 }
const phone = { width: 360, height: 740 }

describe.skipIf(missing !== '')(`the status page${missing}`, { timeout }, () => {
  let browser: Browser
  let hub: HubProgram
  const problems: string[] = []
  const clients: HubClient[] = []

  beforeAll(async () => {
    browser = await chromium.launch(chromiumLaunch)
    // Few peers are enough to make this one worry.
    hub = await startHubProgram({ PORT: '0', EXEMPT_LOOPBACK: 'yes', HUB_LIMITS: 'registeredPeers=5' })
  }, timeout)

  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()))
    await Promise.all(clients.splice(0).map((client) => client.leave()))
  })

  afterAll(async () => {
    await browser.close()
    await killHubProgram(hub)
  })

  /** Opens the page and waits until it shows figures. */
  async function openPage({ url = hub.url, hasTime = true, ...options }: PageOptions = {}): Promise<Page> {
    const context = await browser.newContext(options)
    const page = await context.newPage()
    if (!hasTime) {
      // The first answer is the only one that it asks for.
      await expect.poll(async () => (await answer()).last, within).toBeGreaterThan(0)
      await stopTime(page)
    }
    page.on('pageerror', (error) => problems.push(String(error)))
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) problems.push(message.text())
    })
    await page.goto(`${url.replace('ws', 'http')}/status`)
    await expect.poll(() => figure(page, 'registered'), within).toMatch(/\d/)
    return page
  }

  /** What the page is told. */
  async function answer(): Promise<StatusAnswer> {
    const response = await fetch(`${hub.url.replace('ws', 'http')}/status/data.json`)
    return (await response.json()) as StatusAnswer
  }

  async function connect(): Promise<HubClient> {
    const client = new HubClient(hub.url)
    clients.push(client)
    return client.opened()
  }

  async function register(keys = testKeys()): Promise<HubClient> {
    const client = await connect()
    await client.register(keys, hub.url)
    return client
  }

  it('shows peers, introductions, latency and refusals as they happen', async () => {
    const page = await openPage()
    const refusals = page.getByRole('region', { name: 'Refusals' })
    expect(await refusals.getByText('None.').isVisible()).toBe(true)
    const keys = testKeys()
    const server = await register(keys)
    const client = await connect()
    await client.next('welcome')
    for (const reason of ['open', 'open', 'open', 'no']) {
      const id = newId()
      client.send({ type: 'introduce', id, to: keys.key })
      await client.next('introduced')
      await server.next('incoming')
      client.send({ type: 'signal', id, data: 'sealed' })
      await server.next('signal')
      server.send({ type: 'close', id, reason })
      await client.next('closed')
    }
    client.send({ type: 'introduce', id: newId(), to: testKeys().key })
    await client.next('error')

    await expect.poll(() => figure(page, 'registered'), within).toBe('1')
    await expect.poll(() => figure(page, 'anonymous'), within).toBe('1')
    await expect.poll(() => figure(page, 'openShare'), within).toBe('75 %')
    await expect.poll(() => figure(page, 'latencyP99'), within).toMatch(/^[\d.]+ ms$/)
    await expect.poll(() => figure(page, 'started'), within).not.toBe('0')
    await refusals.getByText('PEER_NOT_FOUND').waitFor()
    expect(await refusals.getByText('Normal: others are offline.').isVisible()).toBe(true)
    expect(await page.getByText('of 5', { exact: true }).isVisible()).toBe(true)
    await page
      .getByRole('img', { name: /^Peers, the last ten minutes\. Registered: from 0 to 1, now 1; / })
      .waitFor()
    // A hub that is alone has no figures of others.
    expect(await page.getByRole('region', { name: 'Cluster' }).count()).toBe(0)
    expect(await figure(page, 'circuits')).toBe('0')
  })

  it('has the numbers of each chart as a table, opened by the keyboard', async () => {
    await register()
    const page = await openPage()
    // Not those whom the test before has left.
    const peers = async () => [await figure(page, 'registered'), await figure(page, 'anonymous')]
    await expect.poll(peers, within).toEqual(['1', '0'])
    await page.locator('#peers summary').focus()
    await page.keyboard.press('Enter')
    const table = page.getByRole('table', { name: /^Peers, in steps of 30 seconds/ })
    await table.waitFor()
    expect(await table.getByRole('columnheader').allInnerTexts()).toEqual([
      'From',
      'Registered',
      'Anonymous',
      'New sockets',
    ])
    expect((await table.getByRole('row').nth(1).getByRole('cell').allInnerTexts()).map(Number)).toEqual([
      1, 0, 0,
    ])
    // Its region can be scrolled without a mouse.
    await page.keyboard.press('Tab')
    expect(await page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe('Peers, table')
  })

  it('tells what a chart had at the place that one points to', async () => {
    const page = await openPage()
    const chart = page.locator('#peers .plot')
    const box = await chart.boundingBox()
    await chart.hover({ position: { x: (box?.width ?? 0) - 100, y: 50 } })
    await page.locator('#peers .when', { hasText: /ago$|^$/ }).waitFor()
    expect(await page.locator('#peers .cursor').count()).toBe(1)
    await page.locator('h1').hover()
    expect(await page.locator('#peers .cursor').count()).toBe(0)
  })

  it('says what needs the operator, and tells a screen reader', async () => {
    const page = await openPage({ hasTime: false })
    const verdict = page.getByRole('region', { name: 'Is it well?' })
    await verdict.getByText('Yes. Nothing needs you now.').waitFor()
    const announced = () => page.getByRole('status').innerText()
    expect(await announced()).toMatch(/^Yes\. .* registered and /)
    for (let count = 0; count < 4; count += 1) await register()
    const worry = verdict.getByText('Registered peers: 4 of 5. More hubs, or a higher registeredPeers.')
    await expect.poll(async () => (await answer()).columns.registered.at(-1), within).toBe(4)
    await page.clock.runFor(2_000)
    await worry.waitFor()
    // Less than ten seconds after it has spoken.
    expect(await announced()).toMatch(/^Yes\./)
    await page.clock.runFor(10_000)
    await expect.poll(announced, within).toContain('4 of 5')
    await page.clock.resume()
    expect(await findFaults(page)).toEqual([])
  })

  it.each<[string, BrowserContextOptions]>([
    ['wide, light', { colorScheme: 'light' }],
    ['wide, dark', { colorScheme: 'dark' }],
    ['on a phone, light', { colorScheme: 'light', viewport: phone }],
    ['on a phone, dark', { colorScheme: 'dark', viewport: phone }],
  ])('is accessible %s, with its tables open, and no wider than the screen', async (_how, options) => {
    await register()
    const page = await openPage(options)
    for (const summary of await page.locator('summary:visible').all()) await summary.click()
    await page.getByRole('table', { name: /^Busy time/ }).waitFor()
    expect(await findFaults(page)).toEqual([])
    const width = await page.evaluate(() => document.documentElement.scrollWidth)
    expect(width).toBe(options.viewport?.width ?? 1280)
  })

  it('is light or dark as the reader has it, the lines too', async () => {
    const page = await openPage({ colorScheme: 'light' })
    const colors = () =>
      page.evaluate(() => [
        getComputedStyle(document.body).backgroundColor,
        getComputedStyle(document.querySelector('.plot .line-1') ?? document.body).stroke,
      ])
    const light = await colors()
    await page.emulateMedia({ colorScheme: 'dark' })
    const dark = await colors()
    expect(dark.filter((color, index) => color === light[index])).toEqual([])
  })

  it('does not move for who does not want that', async () => {
    const page = await openPage({ reducedMotion: 'reduce' })
    expect(await page.evaluate(() => document.getAnimations().length)).toBe(0)
    await page.emulateMedia({ reducedMotion: 'no-preference' })
    expect(await page.evaluate(() => document.getAnimations().length)).toBe(1)
  })

  it('asks for what it does not have yet, and for nothing while it is hidden', async () => {
    const context = await browser.newContext()
    const page = await context.newPage()
    await stopTime(page)
    const asked: string[] = []
    page.on('request', (request) => {
      if (request.url().includes('data.json')) asked.push(new URL(request.url()).search)
    })
    await page.goto(`${hub.url.replace('ws', 'http')}/status/`)
    const nextAnswer = () => page.waitForResponse(/data\.json/).then((response) => response.finished())
    await expect.poll(() => asked.length, within).toBe(1)
    await page.getByText('Live').waitFor()
    const second = nextAnswer()
    await page.clock.runFor(2_000)
    await second
    expect(asked).toEqual(['', expect.stringMatching(/^\?run=[0-9a-f-]{36}&after=\d+$/)])

    const setVisibility = (state: string) =>
      page.evaluate((value) => {
        Object.defineProperty(document, 'visibilityState', { value, configurable: true })
        document.dispatchEvent(new Event('visibilitychange'))
      }, state)
    await setVisibility('hidden')
    await page.clock.runFor(60_000)
    expect(asked.length).toBe(2)
    const third = nextAnswer()
    await setVisibility('visible')
    await third
    expect(asked.length).toBe(3)
  })

  it.skipIf(!hasRedis)('shows the nodes of a cluster, what reaches over, and the relay', async () => {
    const redis = await RedisServer.start()
    const shared = { PORT: '0', HUB_NAMES: 'ws://hub.test', REDIS_URL: redis.url, EXEMPT_LOOPBACK: 'yes' }
    const startNode = (name: string) =>
      startHubProgram({ ...shared, STATUS: 'yes', NODE_URL: `ws://${name}.hub.test` })
    const programs: HubProgram[] = []
    try {
      for (const name of ['a', 'b']) programs.push(await startNode(name))
      const [near, far] = programs
      if (near === undefined || far === undefined) throw new Error('two were started')
      const page = await openPage({ url: near.url })
      await expect.poll(() => figure(page, 'nodes'), within).toBe('2')
      const keys = testKeys()
      const server = new HubClient(far.url)
      const client = new HubClient(near.url)
      clients.push(server, client)
      await server.register(keys, shared.HUB_NAMES)
      await client.next('welcome')
      await expect
        .poll(async () => {
          client.send({ type: 'introduce', id: newId(), to: keys.key })
          return (await client.nextOf('introduced', 'error')).type
        }, within)
        .toBe('introduced')
      const introduced = await introduce({ url: near.url, hubName: shared.HUB_NAMES })
      clients.push(introduced.client, introduced.server)
      const [one, other] = await askForRelay(introduced)
      const url = `${near.url}/relay`
      const ends = await openCircuit([
        { ...one, url },
        { ...other, url },
      ])
      ends[0].socket.send(Buffer.alloc(60_000))

      await expect.poll(() => figure(page, 'circuits'), within).toBe('1')
      for (const name of ['crossed', 'relayed']) expect(await figure(page, name)).toMatch(/\d/)
      expect(await figure(page, 'relayCircuits')).toBe('of 500')
      for (const name of [
        /^Nodes of the cluster, .* Nodes: from [12] to 2, now 2/,
        /^Introductions to other nodes, a second, .* Introduced: from 0 to [\d.]*[1-9]/,
        /^Relay circuits, .* Open circuits: from 0 to 1, now 1/,
        /^Bytes relayed, a second, .* Relayed: from 0 bytes to [\d.]+ kB/,
      ]) {
        await page.getByRole('img', { name }).waitFor()
      }
      for (const summary of await page.locator('summary:visible').all()) await summary.click()
      await page.getByRole('table', { name: /^Bytes relayed/ }).waitFor()
      expect(await findFaults(page)).toEqual([])
      for (const { socket } of ends) socket.terminate()
    } finally {
      // Before the hub that it asks is gone.
      await Promise.all(browser.contexts().map((context) => context.close()))
      await Promise.all(programs.map(killHubProgram))
      await redis.close()
    }
  })

  it('does nothing that its content security policy forbids, and throws nothing', () => {
    // Of the tests above: in those below Chromium itself complains of what does not load.
    expect(problems).toEqual([])
  })

  it('asks for the token, and then shows the same', async () => {
    const guarded = await startHubProgram({ PORT: '0', STATUS_TOKEN: 'a-long-token' })
    try {
      // What Chromium says of a page whose question for a password nobody answers.
      await expect(openPage({ url: guarded.url })).rejects.toThrow('ERR_INVALID_AUTH_CREDENTIALS')
      await openPage({
        url: guarded.url,
        httpCredentials: { username: 'operator', password: 'a-long-token' },
      })
    } finally {
      await killHubProgram(guarded)
    }
  })

  it('says that the hub is gone, and goes on when there is one again', async () => {
    const page = await openPage({ hasTime: false })
    await killHubProgram(hub)
    await page.clock.runFor(2_000)
    await page.getByText(/^The hub does not answer\. The figures are of \d\d:\d\d:\d\d\.$/).waitFor()
    const verdict = page.getByRole('region', { name: 'Is it well?' })
    await verdict.getByText('This page does not know:').waitFor()
    await page.clock.runFor(10_000)
    await expect.poll(() => page.getByRole('status').innerText(), within).toContain('does not answer')
    hub = await startHubProgram({ PORT: new URL(hub.url).port, EXEMPT_LOOPBACK: 'yes' })
    await page.clock.resume()
    expect(await findFaults(page)).toEqual([])
    await page.getByText('Live').waitFor()
    await expect.poll(() => figure(page, 'registeredPeers'), within).toBe('of 10,000')
  })
})

interface PageOptions extends BrowserContextOptions {
  url?: string
  /** Whether its clock goes by itself. @default true */
  hasTime?: boolean
}

/** From now on timers of the page fire when the test says so. */
async function stopTime(page: Page): Promise<void> {
  await page.clock.install({ time: '2026-01-01T00:00:00Z' })
  await page.clock.pauseAt('2026-01-01T01:00:00Z')
}

function figure(page: Page, name: string): Promise<string> {
  return page.locator(`[data-figure=${name}]`).innerText()
}
