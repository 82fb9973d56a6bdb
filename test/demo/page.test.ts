import { createHash, randomBytes } from 'node:crypto'
import type { BrowserContext, Page } from 'playwright'
import { beforeAll, expect, it } from 'vitest'
import { generateKeys, keyToString } from '../../plugs/keys.ts'
import { choose, lobbyWords, ownAddress, ownName, say } from './demo-page.ts'
import { describePage } from './demo-suite.ts'

const timeout = 30_000

describePage('the demo page', timeout, (site) => {
  let context: BrowserContext
  let first: Page

  beforeAll(async () => {
    context = await site.browser.newContext()
    first = await site.browser.open(context)
  }, timeout)

  it('shows who is there and what they are', async () => {
    await first.getByRole('button', { name: /^server \S{8}… / }).waitFor()
    await first.getByRole('button', { name: /^desktop \S{8}… / }).waitFor()
    expect(await ownAddress(first)).toMatch(
      /^rtc:127\.0\.0\.1:\d+~shs2:.{44};rtc:127\.0\.0\.1:\d+~shs:.{44}$/,
    )
  })

  it('was dialed back by the server, and says for each connection what it is', async () => {
    await choose(first, 'server')
    await first.getByText(/^Hello .*! I have dialed you back over WebRTC/).waitFor()
    const cards = first.locator('.connection')
    expect(await cards.count()).toBe(2)
    expect(await cards.nth(0).innerText()).toMatch(
      /WebSocket \(ws\)[^]*shs2[^]*one socket[^]*dialed from here[^]*end to end/,
    )
    expect(await cards.nth(1).innerText()).toMatch(
      /WebRTC \(rtc\)[^]*directly[^]*accepted here[^]*end to end/,
    )
    await cards
      .nth(0)
      .getByRole('definition')
      .filter({ hasText: /^[\d.]+ ms$/ })
      .waitFor()
  })

  it('draws the network: whom it is connected to and how, and how the others are', async () => {
    const drawing = first.getByRole('group', { name: 'The network, drawn' })
    await drawing.getByRole('button', { name: /^server, connected over ws, over rtc, direct/ }).waitFor()
    await drawing.getByRole('button', { name: 'desktop, not connected' }).waitFor()
    await drawing.getByRole('img', { name: /^The hub/ }).waitFor()
    await first.getByText('As a table').click()
    const table = first.getByRole('table', { name: 'Who is connected to whom' })
    await table.getByRole('row', { name: /^(desktop server|server desktop) over net shs2/ }).waitFor()
    await table.getByRole('row', { name: /\(you\) server over ws shs2/ }).waitFor()
    await first.getByText('As a table').click()
  })

  it('connects to a node by the keyboard, and tells of the stages of the dial', async () => {
    await first.getByRole('button', { name: 'desktop, not connected' }).focus()
    await first.keyboard.press('Enter')
    await first.getByRole('button', { name: /^desktop, connected over rtc, direct/ }).waitFor()
    const card = first.locator('.connection')
    await card.getByText(/^Dialed in \d+ ms$/).click()
    expect(await card.locator('.stages').innerText()).toMatch(
      /the hub says welcome[^]*the peer answers[^]*both keys are proven/,
    )
  })

  it('talks with the desktop over WebRTC', async () => {
    await choose(first, 'desktop')
    await say(first, 'desktop', 'Do you hear me?')
    await first.getByText('You said ‘Do you hear me?’. I am the desktop').waitFor()
    const facts = first.locator('.connection')
    await facts.getByText('directly from peer to peer').waitFor()
    expect(await facts.innerText()).toMatch(/WebRTC \(rtc\)[^]*dialed from here/)
    expect(await facts.innerText()).toMatch(/Proven key\s+[A-Za-z0-9+/]{43}=/)
  })

  it('sends a file of which both ends have the same SHA-256, and chats meanwhile', async () => {
    const buffer = randomBytes(5 * 1024 * 1024)
    const sha256 = createHash('sha256').update(buffer).digest('hex')
    await first.setInputFiles('#compose-file', {
      name: 'random.bin',
      mimeType: 'application/octet-stream',
      buffer,
    })
    await say(first, 'desktop', 'And now?')
    await first.getByText('You said ‘And now?’').waitFor()
    await first.getByText('Delivered: both ends have the same').waitFor()
    expect(await first.locator('.sha256').innerText()).toBe(`SHA-256 ${sha256}`)
    expect(site.demo.output()).toContain(`SHA-256 ${sha256}, as the sender says`)
    const all = site.demo.output()
    expect(all.indexOf('says: “And now?”')).toBeLessThan(all.indexOf(sha256))
  })

  it('reaches a program on multiserver 3.8.2 through a bridge, and proves whose key it has', async () => {
    await choose(first, 'veteran')
    await say(first, 'veteran', 'Are you still there?')
    await first.getByText('You said ‘Are you still there?’. I am a program on multiserver 3.8.2').waitFor()
    await first.getByText('Its address', { exact: true }).click()
    const address = await first.locator('.address li').innerText()
    const [, key = ''] = /^rtc:\S+~shs2:.{44}~tunnel:(.{44})~shs:\1$/.exec(address) ?? []
    expect(await first.locator('.connection').innerText()).toMatch(/WebRTC \(rtc\)[^]*shs: secret-handshake/)
    expect(await first.locator('.connection dl code').innerText()).toBe(key)
    await first.getByRole('img', { name: /^A bridge/ }).waitFor()
    await first.getByRole('button', { name: /^veteran, connected through a bridge/ }).waitFor()
  })

  it('gives a second tab a key of its own, and the two talk and send pictures by drag and drop', async () => {
    const second = await site.browser.open(context)
    await second.getByText('Another tab uses the key that this browser keeps.').waitFor()
    const names = [await ownName(first), await ownName(second)]
    const address = await ownAddress(second)
    expect(address).not.toBe(await ownAddress(first))

    await first.getByLabel("Somebody's address").fill(address)
    await first.getByLabel("Somebody's address").press('Enter')
    await say(first, names[1] ?? '', '<img src=x onerror=alert(1)> 👋')
    await choose(second, names[0] ?? '')
    await second.getByText('<img src=x onerror=alert(1)> 👋').waitFor()
    await say(second, names[0] ?? '', 'Hello back')
    await first.getByText('Hello back').waitFor()

    await drop(second, '../shot.png', await first.screenshot())
    await first.getByRole('button', { name: 'Take it' }).click()
    await first.getByRole('img', { name: 'The image shot.png' }).waitFor()
    await second.getByText('Delivered: both ends have the same').waitFor()
    const download = first.waitForEvent('download')
    await first.getByRole('link', { name: 'Save' }).click()
    expect((await download).suggestedFilename()).toBe('shot.png')

    await second.close()
    await first.getByText('The connection over rtc ended.').waitFor()
  })

  it('has a room where everyone hears the same, each by its own way', async () => {
    const second = await site.browser.open(context)
    await choose(first, 'Room')
    await choose(second, 'Room')
    await second.getByRole('button', { name: /^Connect to all/ }).click()
    await second.getByText('4 will hear you').waitFor()
    await say(second, 'the room', 'Good morning, all')
    await first.getByText('Good morning, all', { exact: true }).waitFor()
    for (const page of [first, second]) {
      await page.getByText('You said ‘Good morning, all’. I am the desktop').waitFor()
      await page.getByText('You said ‘Good morning, all’. I am the server').waitFor()
      await page.getByText('You said ‘Good morning, all’. I am a program on multiserver 3.8.2').waitFor()
    }
    await second.setInputFiles('#compose-file', {
      name: 'for all.txt',
      mimeType: 'text/plain',
      buffer: Buffer.from('one and all'),
    })
    await first.getByRole('button', { name: 'Take it' }).click()
    // One for each: the page, the desktop, the server and the veteran.
    await expect.poll(() => second.getByText('Delivered: both ends').count(), { timeout }).toBe(4)
    await second.close()
  })

  it('says in plain words why an address does not work', async () => {
    const field = first.getByLabel("Somebody's address")
    const error = first.locator('#dial-error')
    const attempt = async (address: string, words: string | RegExp) => {
      await field.fill(address)
      await field.press('Enter')
      await error.getByText(words).first().waitFor()
    }
    await attempt('What is this?', 'That is not an address to dial.')
    await attempt('rtc:example.com~shs:AAAA', 'Nothing here can dial that.')
    const { publicKey } = await generateKeys()
    await attempt(
      `rtc:${new URL(await site.demo.url).host}~shs:${keyToString(publicKey)}`,
      'The hub knows no peer with that key now.',
    )
    await attempt(await ownAddress(first), /this is your own address/i)
  })

  it('has a link, also as a QR code, that connects whoever opens it', async () => {
    await context.grantPermissions(['clipboard-read', 'clipboard-write'])
    await first.getByRole('button', { name: 'Copy link' }).click()
    await first.getByText('Copied').waitFor()
    const link = await first.evaluate(() => navigator.clipboard.readText())
    await first.getByRole('button', { name: 'QR code' }).click()
    await first.getByRole('img', { name: /as a QR code$/ }).waitFor()
    const other = await site.browser.newContext()
    const guest = await site.browser.open(other, new URL(link).hash)
    await guest.getByPlaceholder(`Write to ${await ownName(first)}`).waitFor()
    expect(new URL(guest.url()).hash).toBe('')
    await other.close()
  })

  it('keeps its key when it is loaded again, and takes it along to another browser', async () => {
    const before = await ownAddress(first)
    await first.reload()
    await first.getByText(lobbyWords).waitFor()
    expect(await ownAddress(first)).toBe(before)

    await first.getByText('Your key', { exact: true }).click()
    const download = first.waitForEvent('download')
    await first.getByRole('button', { name: 'Export' }).click()
    const file = await (await download).path()
    await first.close()
    const other = await site.browser.newContext()
    const elsewhere = await site.browser.open(other)
    await elsewhere.getByText('Your key', { exact: true }).click()
    await elsewhere.setInputFiles('#you-import', { name: 'x.json', mimeType: '', buffer: Buffer.from('{}') })
    await elsewhere.getByText('There is no whole Ed25519 key in that file').waitFor()
    await elsewhere.setInputFiles('#you-import', file)
    await expect.poll(() => ownAddress(elsewhere).catch(() => ''), { timeout }).toBe(before)
    await other.close()
  })
})

/** Drags a file of these bytes over the conversation and lets go. */
async function drop(page: Page, name: string, bytes: Buffer): Promise<void> {
  await page.evaluate(
    ([base64, fileName]) => {
      const files = new DataTransfer()
      const content = Uint8Array.from(atob(base64 ?? ''), (character) => character.charCodeAt(0))
      files.items.add(new File([content], fileName ?? '', { type: 'text/html' }))
      const target = document.querySelector('#talk')
      for (const type of ['dragover', 'drop'])
        target?.dispatchEvent(new DragEvent(type, { dataTransfer: files, bubbles: true, cancelable: true }))
    },
    [bytes.toString('base64'), name],
  )
}
