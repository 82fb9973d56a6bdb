import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fromHex, toHex } from '../../core/bytes.ts'
import { MultiServer, type Connection } from '../../core/multiserver.ts'
import { generateKeys, keyToString, type Keys } from '../../plugs/keys.ts'
import rtc from '../../plugs/rtc/index.ts'
import shs from '../../plugs/shs/index.ts'
import shs2 from '../../plugs/shs2/index.ts'
import tunnel from '../../plugs/tunnel/index.ts'
import { failure } from '../support/failure.ts'
import { fixedPort } from '../support/fixed-port.ts'
import { startBridgeProgram, type BridgeProgram } from './bridge-program.ts'
import { missing, startBrowser, type Browsers } from './browser.ts'
import { drivePage } from './driver.ts'
import { exchangeAsOldClient, startOldServer, type OldServer } from './old-peer.ts'
import type { DrivenPeer } from './harness/peer.mjs'

const mebibyte = 1024 * 1024
const timeout = 60_000

/** A server of 3.8.2 that has a port and nothing else, peers that have a hub and nothing else, and a bridge. */
describe.skipIf(missing !== '')(`multiserver bridge${missing}`, { timeout }, () => {
  let browser: Browsers
  let folder: string
  let old: OldServer
  let bridge: BridgeProgram
  let page: DrivenPeer
  let keys: Record<'old' | 'client' | 'stranger', Keys>
  let pageKey: string
  let pageAddress: string
  const [oldPort, forwardPort] = [fixedPort(), fixedPort()]

  beforeAll(async () => {
    browser = await startBrowser()
    folder = await mkdtemp(join(tmpdir(), 'bridge-'))
    keys = { old: await generateKeys(), client: await generateKeys(), stranger: await generateKeys() }
    old = await startOldServer(keys.old, oldPort)
    page = drivePage(await browser.openPage())
    pageKey = keyToString(fromHex(await page.key()))
    const pageAddresses = (await page.listen({ echoes: true })).split(';')
    pageAddress = pageAddresses.find((each) => /^rtc:.*~shs:/.test(each)) ?? ''
    await writeConfig([keyToString(keys.client.publicKey), pageKey])
    bridge = startBridgeProgram(join(folder, 'bridge.json'))
    await bridge.says(/listening at rtc:/)
  }, timeout)

  afterAll(async () => {
    await bridge.end()
    await old.stop()
    await browser.close()
    await rm(folder, { recursive: true })
  }, timeout)

  async function writeConfig(allow: readonly string[]): Promise<void> {
    const server = keyToString(keys.old.publicKey)
    const file = {
      key: 'key.json',
      hubs: [browser.hubUrl],
      tunnels: [{ server, to: `net:127.0.0.1:${oldPort}`, allow }],
      forwards: [{ listen: `net:127.0.0.1:${forwardPort}`, to: pageAddress }],
    }
    await writeFile(join(folder, 'bridge.json'), JSON.stringify(file, null, 2))
  }

  function dial(address: string, own: Keys): Promise<Connection> {
    return MultiServer([[rtc(), shs2({ keys: own }), tunnel(), shs({ keys: own })]]).client(address)
  }

  it('leads a peer behind a hub to the server, 32 MiB each way, and neither hides who it is', async () => {
    const connection = await dial(await bridge.address(/~tunnel:/), keys.client)
    expect(connection).toMatchObject({ strength: 1, remote: keys.old.publicKey })
    expect(await exchange(connection, 32 * mebibyte)).toBe(true)
    await expect.poll(() => old.remotes).toContain(toHex(keys.client.publicKey))
  })

  it('leads a page in Chromium to the server, 8 MiB each way', async () => {
    const number = await page.dial(await bridge.address(/~tunnel:/))
    expect(await page.describe(number)).toMatchObject({ remote: toHex(keys.old.publicKey) })
    const result = await page.exchange(number, { bytes: 8 * mebibyte, endsFirst: true })
    expect(result.receivedBytes).toBe(8 * mebibyte)
    expect(result.receivedSha256).toBe(result.sentSha256)
  })

  it('leads old software to the page in Chromium, which proves its key to it, 8 MiB each way', async () => {
    const address = await bridge.address(/^net:/)
    expect(address).toContain(pageKey)
    const { sent, received } = await exchangeAsOldClient(keys.client, address, 8 * mebibyte)
    expect(received).toBe(sent)
  })

  it('refuses a client that it is not told to let through, and logs it without its whole key', async () => {
    const address = await bridge.address(/~tunnel:/)
    expect((await failure(dial(address, keys.stranger))).attempts).toMatchObject([{ code: 'TUNNEL_REFUSED' }])
    await bridge.says(/refused at rtc:.*TUNNEL_REFUSED/)
    expect(bridge.log()).not.toContain(keyToString(keys.stranger.publicKey))
  })

  it('does as a changed file says at SIGHUP, and cuts off who is no longer allowed', async () => {
    const address = await bridge.address(/~tunnel:/)
    const connection = await dial(address, keys.client)
    await connection.write(Uint8Array.of(1))
    expect(await connection.read()).toEqual(Uint8Array.of(1))
    await writeConfig([keyToString(keys.stranger.publicKey)])
    bridge.signal('SIGHUP')
    await failure(connection.read())
    await bridge.says(/was read again/)
    expect((await failure(dial(address, keys.client))).attempts).toMatchObject([{ code: 'TUNNEL_REFUSED' }])
    const stranger = await dial(address, keys.stranger)
    expect(stranger.remote).toEqual(keys.old.publicKey)
    stranger.abort()
  })

  it('goes on as it was when the changed file is wrong', async () => {
    await writeFile(join(folder, 'bridge.json'), '{ "key": 7 }')
    bridge.signal('SIGHUP')
    await bridge.says(/bridge\.json: key is 7/)
    const stranger = await dial(await bridge.address(/~tunnel:/), keys.stranger)
    stranger.abort()
  })

  it('is dialed again after it was killed and started again', async () => {
    await writeConfig([keyToString(keys.client.publicKey)])
    const address = await bridge.address(/~tunnel:/)
    expect(await bridge.end('SIGKILL')).toBeNull()
    bridge = startBridgeProgram(join(folder, 'bridge.json'))
    expect(await bridge.address(/~tunnel:/)).toBe(address)
    const connection = await dial(address, keys.client)
    expect(await exchange(connection, mebibyte)).toBe(true)
  })

  it('leaves the hub and exits with 0 at SIGTERM, and its tunnels break', async () => {
    const address = await bridge.address(/~tunnel:/)
    const connection = await dial(address, keys.client)
    const reading = failure(connection.read())
    expect(await bridge.end()).toBe(0)
    await reading
    expect((await failure(dial(address, keys.client))).attempts).toMatchObject([{ code: 'PEER_NOT_FOUND' }])
    expect(bridge.log()).toMatch(/tunnel of client .{8}… to server .{8}…/)
  })
})

/** Whether what comes back is what was sent. */
async function exchange(connection: Connection, bytes: number): Promise<boolean> {
  const [sent, received] = [createHash('sha256'), createHash('sha256')]
  const reading = (async () => {
    for await (const chunk of connection) received.update(chunk)
  })()
  for (let left = bytes; left > 0; left -= 65_536) {
    const chunk = randomBytes(Math.min(left, 65_536))
    sent.update(chunk)
    await connection.write(chunk)
  }
  await connection.end()
  await reading
  await connection.close()
  return sent.digest('hex') === received.digest('hex')
}
