import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chromiumLaunch } from '../support/chromium.ts'
import { missing, startBrowser, type Browsers } from './browser.ts'
import { startDesktop, untilOn, type Desktop } from './driver.ts'
import { startPuppet, type Puppet } from './puppet.ts'

const mebibyte = 1024 * 1024
const timeout = 60_000

describe.skipIf(missing !== '')(`A page of Chromium that wakes${missing}`, { timeout }, () => {
  let browser: Browsers
  let desktop: Desktop
  let puppet: Puppet
  let near: number
  let far: number
  let reading: Promise<string>

  beforeAll(async () => {
    browser = await startBrowser()
    desktop = startDesktop({ hub: browser.hubUrl })
    puppet = await startPuppet(chromiumLaunch, browser.hubUrl)
    const { peer } = puppet
    ;[near, far] = await Promise.all([peer.dial(await desktop.listen()), desktop.accepted()])
    await untilOn('direct', peer, near)
    // While something is heard all the time, nothing but waking makes it ask.
    await desktop.offer(far, 1024 * mebibyte)
    reading = peer.ending(near)
    while (Number((await peer.stats(near))['receivedBytes']) < mebibyte);
  }, timeout)

  afterAll(async () => {
    await desktop.stop()
    await puppet.close()
    await browser.close()
  }, timeout)

  it.each<[string, (puppet: Puppet) => Promise<void>]>([
    ['after it was frozen', freeze],
    ['when the network is back', goOffline],
    ['when it is looked at again', hide],
  ])('asks at once whether its path still lives %s', async (_when, happen) => {
    const countPings = () => puppet.page.evaluate(() => window.countPings())
    const before = await countPings()
    await happen(puppet)
    while ((await countPings()) === before);
    await untilOn('direct', puppet.peer, near)
  })

  it('goes on as before', async () => {
    await puppet.peer.abort(near)
    expect([await reading, await desktop.ending(far)]).toEqual(['ABORTED', 'PEER_RESET'])
    expect(await puppet.problems()).toEqual([])
  })
})

async function freeze({ page }: Puppet): Promise<void> {
  const session = await page.createCDPSession()
  for (const state of ['frozen', 'active'] as const)
    await session.send('Page.setWebLifecycleState', { state })
  await session.detach()
}

async function goOffline({ page }: Puppet): Promise<void> {
  for (const isOffline of [true, false]) await page.setOfflineMode(isOffline)
}

async function hide({ page }: Puppet): Promise<void> {
  const other = await page.browser().newPage()
  await page.bringToFront()
  await other.close()
}
