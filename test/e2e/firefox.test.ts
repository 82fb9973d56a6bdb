import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { firefoxLaunch, firefoxPath, hasFirefox } from '../support/firefox.ts'
import { missing as missingChromium, startBrowser, type Browsers } from './browser.ts'
import { drivePage, startDesktop, until, untilOn, type Desktop } from './driver.ts'
import { startPuppet, type Puppet } from './puppet.ts'
import type { DrivenPeer } from './harness/peer.mjs'

const mebibyte = 1024 * 1024
const timeout = 120_000
const missing = hasFirefox ? missingChromium : ` (no Firefox at ${firefoxPath})`

describe.skipIf(missing !== '')(`Firefox, Chromium and Node${missing}`, { timeout }, () => {
  let chromium: Browsers
  let firefox: Puppet
  let desktop: Desktop
  let chromiumPeer: DrivenPeer

  beforeAll(async () => {
    chromium = await startBrowser()
    desktop = startDesktop({ hub: chromium.hubUrl })
    chromiumPeer = drivePage(await chromium.openPage())
    firefox = await startPuppet(firefoxLaunch, chromium.hubUrl)
  }, timeout)

  afterAll(async () => {
    await Promise.all([desktop.stop(), firefox.close()])
    await chromium.close()
  }, timeout)

  type Peers = () => [DrivenPeer, DrivenPeer]
  const pairs = {
    'Firefox that dials Node': () => [firefox.peer, desktop],
    'Firefox that dials Chromium': () => [firefox.peer, chromiumPeer],
    'Node that dials Firefox': () => [desktop, firefox.peer],
    'Chromium that dials Firefox': () => [chromiumPeer, firefox.peer],
  } satisfies Record<string, Peers>

  const listening = new Map<DrivenPeer, Promise<string>>()
  async function connect(client: DrivenPeer, server: DrivenPeer): Promise<readonly [number, number]> {
    const addresses = listening.get(server) ?? server.listen()
    listening.set(server, addresses)
    const all = (await addresses).split(';')
    const address = all.find((each) => each.startsWith('rtc:') && each.includes('~shs2:'))
    if (address === undefined) throw new Error('it does not serve shs2 over rtc')
    return Promise.all([client.dial(address), server.accepted()])
  }

  async function exchange(peers: Peers, bytes: number, meanwhile?: (near: number) => Promise<void>) {
    const [client, server] = peers()
    const [near, far] = await connect(client, server)
    await untilOn('direct', client, near)
    const description = await client.describe(near)
    const [atClient, atServer] = await Promise.all([
      client.exchange(near, { bytes, endsFirst: true }),
      server.exchange(far, { bytes, endsFirst: false }),
      meanwhile?.(near),
    ])
    expect(description).toMatchObject({ role: 'client', remote: await server.key() })
    expect(atServer.receivedSha256).toBe(atClient.sentSha256)
    expect(atClient.receivedSha256).toBe(atServer.sentSha256)
    expect([atServer.receivedBytes, atClient.receivedBytes]).toEqual([bytes, bytes + mebibyte])
    return [await client.stats(near), await server.stats(far)]
  }

  it.each(['Firefox that dials Node', 'Firefox that dials Chromium'] as const)(
    '%s exchanges 64 MiB each way at once, and both end',
    async (name) => {
      await exchange(pairs[name], 64 * mebibyte)
    },
  )

  it.each(['Node that dials Firefox', 'Chromium that dials Firefox'] as const)(
    '%s goes on after the path was lost and the hub restarted',
    async (name) => {
      const [client] = pairs[name]()
      const figures = await exchange(pairs[name], 16 * mebibyte, async (near) => {
        await until(async () => Number((await client.stats(near))['receivedBytes']) > 2 * mebibyte)
        await chromium.restartHub(async () => {
          await firefox.page.evaluate(() => window.losePath())
          await until(async () => (await client.stats(near))['isSuspended'] === true)
        })
      })
      expect(figures).toMatchObject([{ resumes: 1 }, { resumes: 1 }])
    },
  )

  it('throws nothing, and does nothing that the content security policy forbids', async () => {
    expect([...(await firefox.problems()), ...chromium.problems]).toEqual([])
  })
})
