import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { missing, startBrowser, type Browsers } from './browser.ts'
import { drivePage, startDesktop, until, untilOn, type Desktop } from './driver.ts'
import type { Page as Tab } from 'playwright'
import type { DrivenPeer } from './harness/peer.mjs'

const mebibyte = 1024 * 1024
const timeout = 60_000

describe.skipIf(missing !== '')(`A connection of Chromium and Node${missing}`, { timeout }, () => {
  let browser: Browsers
  let desktop: Desktop
  let tab: Tab
  let page: DrivenPeer

  beforeAll(async () => {
    browser = await startBrowser()
    desktop = startDesktop({ hub: browser.hubUrl })
    tab = await browser.openPage()
    page = drivePage(tab)
  }, timeout)

  afterAll(async () => {
    await desktop.stop()
    await browser.close()
  }, timeout)

  it.each<[string, () => [DrivenPeer, DrivenPeer]]>([
    ['a page that dials a desktop', () => [page, desktop]],
    ['a desktop that dials a page', () => [desktop, page]],
  ])('goes on while the hub is restarted and its path is lost, twice: %s', async (_name, peers) => {
    const [client, server] = peers()
    const address = await server.listen()
    const [near, far] = await Promise.all([client.dial(address), server.accepted()])
    const ends = [
      [client, near],
      [server, far],
    ] as const
    const pathChanges = () =>
      Promise.all(
        ends.map(async ([peer, connection]) => Number((await peer.stats(connection))['pathChanges'])),
      )
    const bytes = 64 * mebibyte
    const transfers = Promise.all([
      client.exchange(near, { bytes, endsFirst: true }),
      server.exchange(far, { bytes, endsFirst: false }),
    ])
    const received = async () => Number((await client.stats(near))['receivedBytes'])
    const isSuspended = async () => (await client.stats(near))['isSuspended'] === true
    await until(async () => (await received()) > 8 * mebibyte)
    await browser.restartHub(async () => {
      await tab.evaluate(() => window.losePath())
      await until(isSuspended)
    })
    await until(async () => !(await isSuspended()))
    const before = await received()
    await until(async () => (await received()) > before + 8 * mebibyte)
    for (const [peer, connection] of ends) expect(await peer.stats(connection)).toMatchObject({ resumes: 1 })
    await Promise.all(ends.map(([peer, connection]) => untilOn('direct', peer, connection)))
    const changes = await pathChanges()
    await tab.evaluate(() => window.losePath())
    const [atClient, atServer] = await transfers
    expect([atServer.receivedSha256, atClient.receivedSha256]).toEqual([
      atClient.sentSha256,
      atServer.sentSha256,
    ])
    // With a circuit of the relay there as well, which goes after a while, nothing was suspended.
    for (const [at, count] of (await pathChanges()).entries()) expect(count).toBeGreaterThan(changes[at] ?? 0)
  })

  it('does nothing that the content security policy forbids, and throws nothing', () => {
    expect(browser.problems).toEqual([])
  })
})
