import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Path } from '../../core/types.ts'
import { generateKeys, keyToString } from '../../plugs/keys.ts'
import type { Page as Tab } from 'playwright'
import { missing, startBrowser, type Browsers } from './browser.ts'
import { drivePage, startDesktop, untilOn, type Desktop } from './driver.ts'
import type { DrivenPeer } from './harness/peer.mjs'
import { MemoryGrowth, offeredBytes } from '../support/memory-growth.ts'

const mebibyte = 1024 * 1024
const timeout = 60_000

type Protocol = 'shs' | 'shs2'

describe.skipIf(missing !== '')(`Chromium and Node${missing}`, { timeout }, () => {
  let browser: Browsers
  let desktop: Desktop
  /** For tabs that go while they are sent to. */
  let isolatedDesktop: Desktop
  let webSocketDesktop: Desktop
  let page: DrivenPeer
  let otherPage: DrivenPeer

  beforeAll(async () => {
    browser = await startBrowser()
    desktop = startDesktop({ hub: browser.hubUrl })
    isolatedDesktop = startDesktop({ hub: browser.hubUrl, way: 'isolated' })
    webSocketDesktop = startDesktop('ws')
    page = drivePage(await browser.openPage())
    otherPage = drivePage(await browser.openPage())
  }, timeout)

  afterAll(async () => {
    await Promise.all([desktop.stop(), isolatedDesktop.stop(), webSocketDesktop.stop()])
    await browser.close()
  }, timeout)

  /** A connection: the number that it has on each side. */
  async function connect(
    client: DrivenPeer,
    server: DrivenPeer,
    protocol: Protocol = 'shs',
  ): Promise<readonly [number, number]> {
    const address = await addressOf(server, protocol)
    return Promise.all([client.dial(address), server.accepted()])
  }

  const addresses = new Map<DrivenPeer, Promise<string>>()
  async function addressOf(peer: DrivenPeer, protocol: Protocol = 'shs'): Promise<string> {
    const listening = addresses.get(peer) ?? peer.listen()
    addresses.set(peer, listening)
    const address = (await listening).split(';').find((each) => each.includes(`~${protocol}:`))
    if (address === undefined) throw new Error(`it does not serve ${protocol}`)
    return address
  }

  describe.each<[string, Protocol, () => [DrivenPeer, DrivenPeer], Path | null]>([
    ['a page that dials a desktop', 'shs', () => [page, desktop], 'direct'],
    ['a desktop that dials a page', 'shs', () => [desktop, page], 'direct'],
    ['a page that dials another tab', 'shs', () => [page, otherPage], 'direct'],
    ['a page that dials a WebSocket', 'shs', () => [page, webSocketDesktop], null],
    ['a page that dials a desktop', 'shs2', () => [page, desktop], 'direct'],
    ['a desktop that dials a page', 'shs2', () => [desktop, page], 'direct'],
    ['a page that dials a WebSocket', 'shs2', () => [page, webSocketDesktop], null],
  ])('%s over %s', (_name, protocol, peers, path) => {
    it('knows the other by its key, as the other knows it', async () => {
      const [client, server] = peers()
      const [dialed, accepted] = await connect(client, server, protocol)
      await Promise.all([untilOn(path, client, dialed), untilOn(path, server, accepted)])
      const [atClient, atServer] = await Promise.all([client.describe(dialed), server.describe(accepted)])
      expect(atClient).toMatchObject({ role: 'client', remote: await server.key() })
      expect(atServer).toMatchObject({ role: 'server', remote: await client.key() })
      await Promise.all([client.abort(dialed), server.abort(accepted)])
    })

    it.each([
      ['exchanges 64 MiB each way at once; the server ends first', 64 * mebibyte, false],
      ['exchanges 16 MiB each way at once; the client ends first', 16 * mebibyte, true],
    ])('%s, and nothing is lost', async (_what, bytes, clientEndsFirst) => {
      const [client, server] = peers()
      const [dialed, accepted] = await connect(client, server, protocol)
      const [atClient, atServer] = await Promise.all([
        client.exchange(dialed, { bytes, endsFirst: clientEndsFirst }),
        server.exchange(accepted, { bytes, endsFirst: !clientEndsFirst }),
      ])
      expect(atServer.receivedSha256).toBe(atClient.sentSha256)
      expect(atClient.receivedSha256).toBe(atServer.sentSha256)
      expect(atServer.receivedBytes).toBe(clientEndsFirst ? bytes : bytes + mebibyte)
      expect(atClient.receivedBytes).toBe(clientEndsFirst ? bytes + mebibyte : bytes)
    })
  })

  it('reach each other through the relay of the hub where there is no direct path', async () => {
    const relayedPage = drivePage(await browser.openRelayedPage())
    const relayedDesktop = startDesktop({ hub: browser.hubUrl, way: 'relayed' })
    for (const [client, server] of [
      [relayedPage, relayedDesktop],
      [relayedDesktop, relayedPage],
    ] as const) {
      const [dialed, accepted] = await connect(client, server, 'shs2')
      const [atClient, atServer] = await Promise.all([client.describe(dialed), server.describe(accepted)])
      expect([atClient.path, atServer.path]).toEqual(['relay', 'relay'])
      const [one, other] = await Promise.all([
        client.exchange(dialed, { bytes: mebibyte, endsFirst: true }),
        server.exchange(accepted, { bytes: mebibyte, endsFirst: false }),
      ])
      expect(other.receivedSha256).toBe(one.sentSha256)
      expect(one.receivedSha256).toBe(other.sentSha256)
    }
    await relayedDesktop.stop()
  })

  /** What the peers of a tab learn that they write to, and that may write to them, when it goes. */
  async function leavePeers(leave: (tab: Tab) => Promise<unknown>, isSending: boolean): Promise<string[]> {
    const tab = await browser.openPageApart()
    const leaving = drivePage(tab)
    const endings: Promise<string>[] = []
    for (const peer of [isolatedDesktop, page]) {
      const [near, far] = await connect(peer, leaving)
      await peer.offer(near, 1024 * mebibyte)
      if (isSending) await leaving.offer(far, 1024 * mebibyte)
      await leaving.readSome(far, mebibyte)
      endings.push(peer.ending(near))
    }
    await leave(tab)
    const codes = await Promise.all(endings)
    await tab.context().close()
    return codes
  }

  describe.each<[string, (tab: Tab) => Promise<unknown>]>([
    ['closed', (tab) => tab.close()],
    ['led to another page', (tab) => tab.goto('about:blank')],
  ])('a tab that is %s', (_how, leave) => {
    it('resets its connections', async () => {
      expect(await leavePeers(leave, false)).toEqual(['PEER_RESET', 'PEER_RESET'])
    })

    // What waits to be sent is before the reset, and may go down with the page.
    it('gives its peers an error in the middle of what it sends', async () => {
      for (const code of await leavePeers(leave, true)) expect(code).toMatch(/^(PEER_RESET|PATH_LOST)$/)
    })
  })

  it('gives an error to the peers of a tab that crashes', async () => {
    expect(await leavePeers(crash, true)).toEqual(['PATH_LOST', 'PATH_LOST'])
  })

  it('finds nobody by a key that nobody has', async () => {
    const address = withKey(await addressOf(desktop), await someKey())
    await expect(page.dial(address)).rejects.toMatchObject({ attempts: ['PEER_NOT_FOUND'] })
  })

  it('refuses a server that can not prove the key of the address', async () => {
    const address = withKey(await addressOf(webSocketDesktop), await someKey())
    await expect(page.dial(address)).rejects.toMatchObject({ attempts: ['WRONG_KEY'] })
  })

  it('holds Node back while the page does not read, with its memory flat', async () => {
    const writer = startDesktop({ hub: browser.hubUrl })
    const [near, far] = await connect(writer, page)
    await writer.offer(near, offeredBytes)
    let read = 0
    let growth: MemoryGrowth | undefined
    // The first of these rounds loads, compiles and has the windows as large as they get, which is 4 MiB.
    for (const next of [16, 0, 8, 16]) {
      read += await page.readSome(far, next * mebibyte)
      const written = await standsAt(() => writer.offered(near))
      expect(written).toBeGreaterThanOrEqual(read)
      expect(written).toBeLessThan(read + 16 * mebibyte)
      const now = await writer.memory()
      growth ??= new MemoryGrowth(now)
      growth.note(now)
    }
    growth?.expectFlat()
    await page.abort(far)
    expect(await writer.ending(near)).toBe('PEER_RESET')
    await writer.stop()
  })

  it('gives two tabs of one origin the same keys when they race for them', async () => {
    const tabs = await Promise.all([browser.openPage(), browser.openPage()])
    const load = () => Promise.all(Array.from({ length: 10 }, () => window.loadKey('raced for')))
    const keys = await Promise.all(tabs.map((tab) => tab.evaluate(load)))
    expect(new Set(keys.flat()).size).toBe(1)
    await Promise.all(tabs.map((tab) => tab.close()))
  })

  it('does nothing that the content security policy forbids, and throws nothing', () => {
    expect(browser.problems).toEqual([])
  })
})

async function crash(tab: Tab): Promise<void> {
  const crashed = new Promise((resolve) => tab.once('crash', resolve))
  // This navigation never ends.
  tab.goto('chrome://crash').catch(() => undefined)
  await crashed
}

async function someKey(): Promise<string> {
  return keyToString((await generateKeys()).publicKey)
}

function withKey(address: string, key: string): string {
  return address.replace(/~shs:.*$/, `~shs:${key}`)
}

/** The value once it has been the same for a second. */
async function standsAt(look: () => Promise<number>): Promise<number> {
  for (let before = -1, since = 0; ;) {
    const now = await look()
    if (now !== before) since = performance.now()
    else if (performance.now() - since > 1000) return now
    before = now
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
