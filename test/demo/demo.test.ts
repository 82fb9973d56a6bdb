import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { generateKeys, keyToString } from '../../plugs/keys.ts'
import { chromiumLaunch, chromiumPath, hasChromium } from '../support/chromium.ts'

const launcher = fileURLToPath(new URL('../../dist/cli/demo.js', import.meta.url))
const missing = hasChromium ? '' : ` (skipped: no Chromium at ${chromiumPath})`
const timeout = 30_000
/** Processes and their sockets are looked up in /proc. */
const isLinux = process.platform === 'linux'

describe('npm start', () => {
  it('says how it is used, and what it does not understand', async () => {
    const help = startDemo(['--help'])
    expect(await help.ended).toBe(0)
    expect(help.output()).toContain('--port PORT')
    const wrong = startDemo(['--port', 'many'])
    expect(await wrong.ended).toBe(1)
    expect(wrong.output()).toContain('"many" is not a port')
  })

  it.runIf(isLinux)(
    'tells in the terminal how the desktop and the server talk, and ends with all its processes',
    { timeout },
    async () => {
      const demo = startDemo(['--port', '0'])
      await demo.says('the desktop says: “Hello server, I am the desktop.”')
      await demo.says('the server says: “Welcome!')
      await demo.says('was reached by the server over WebRTC (rtc), directly from peer to peer')
      await demo.says(/Open http:\/\/127\.0\.0\.1:\d+ in a browser/)
      const pids = [demo.pid, ...childrenOf(demo.pid)]
      expect(pids.length).toBe(3)
      demo.child.kill('SIGTERM')
      expect(await demo.ended).toBe(0)
      expect(pids.filter(isAlive)).toEqual([])
    },
  )

  it('says that a port is in use', { timeout }, async () => {
    const first = startDemo(['--port', '0'])
    const port = new URL(await first.url).port
    const second = startDemo(['--port', port])
    expect(await second.ended).toBe(1)
    expect(second.output()).toContain('That port is in use')
    first.child.kill('SIGTERM')
    expect(await first.ended).toBe(0)
  })

  it.runIf(isLinux)('takes its peers along when it is killed', { timeout }, async () => {
    const demo = startDemo(['--port', '0'])
    await demo.url
    const pids = childrenOf(demo.pid)
    demo.child.kill('SIGKILL')
    await demo.ended
    await expect.poll(() => pids.filter(isAlive), { timeout: 10_000 }).toEqual([])
  })

  // What listens can be read from /proc.
  it.skipIf(process.platform !== 'linux')(
    'has a desktop without a listening socket',
    { timeout },
    async () => {
      const demo = startDemo(['--port', '0'])
      // With a WebRTC connection open: that makes sockets too.
      await demo.says('the server says: “Hello desktop!')
      const [server, desktop] = childrenOf(demo.pid)
      expect(listeningSockets(server)).toBeGreaterThan(0)
      expect(listeningSockets(desktop)).toBe(0)
      demo.child.kill('SIGTERM')
      await demo.ended
    },
  )
})

describe.skipIf(missing !== '')(`the demo page${missing}`, { timeout }, () => {
  let demo: Demo
  let browser: Browser
  let context: BrowserContext
  let first: Page
  const problems: string[] = []

  beforeAll(async () => {
    demo = startDemo(['--port', '0'])
    browser = await launchBrowser()
    context = await browser.newContext()
    first = await openPage()
  }, timeout)

  afterAll(async () => {
    await browser.close()
    demo.child.kill('SIGTERM')
    expect(await demo.ended).toBe(0)
  })

  async function openPage(): Promise<Page> {
    const page = await context.newPage()
    page.on('pageerror', (error) => problems.push(String(error)))
    page.on(
      'console',
      (message) => message.text().includes('Content Security Policy') && problems.push(message.text()),
    )
    await page.goto(await demo.url)
    await page.getByText('In the lobby, and reachable over WebRTC').waitFor()
    return page
  }

  it('shows who is there and what they are', async () => {
    await first.getByRole('button', { name: /^server server ·/ }).waitFor()
    await first.getByRole('button', { name: /^desktop desktop ·/ }).waitFor()
    expect(await first.getByLabel('Your address').inputValue()).toMatch(/^rtc:127\.0\.0\.1:\d+~shs:.{44}$/)
  })

  it('was dialed back by the server, and says for each connection what it is', async () => {
    await first.getByRole('button', { name: /^server/ }).click()
    await first.getByText(/^Hello .*! I have dialed you back over WebRTC/).waitFor()
    const cards = first.locator('.connection')
    expect(await cards.count()).toBe(2)
    expect(await cards.nth(0).innerText()).toMatch(
      /WebSocket \(ws\)[^]*one socket[^]*dialed from here[^]*end to end/,
    )
    expect(await cards.nth(1).innerText()).toMatch(
      /WebRTC \(rtc\)[^]*directly[^]*accepted here[^]*end to end/,
    )
  })

  it('talks with the desktop over WebRTC', async () => {
    await first.getByRole('button', { name: /^desktop/ }).click()
    const message = first.getByPlaceholder('Write to desktop')
    await message.fill('Do you hear me?')
    await message.press('Enter')
    await first.getByText('You said ‘Do you hear me?’. I am the desktop').waitFor()
    const facts = await first.locator('.connection').innerText()
    expect(facts).toMatch(/WebRTC \(rtc\)[^]*directly from peer to peer[^]*dialed from here/)
    expect(facts).toMatch(/Proven key\s+[A-Za-z0-9+/]{43}=/)
  })

  it('sends a file of which both ends have the same SHA-256, and chats meanwhile', async () => {
    const buffer = randomBytes(5 * 1024 * 1024)
    const sha256 = createHash('sha256').update(buffer).digest('hex')
    await first.setInputFiles('#compose-file', {
      name: 'random.bin',
      mimeType: 'application/octet-stream',
      buffer,
    })
    const message = first.getByPlaceholder('Write to desktop')
    await message.fill('And now?')
    await message.press('Enter')
    await first.getByText('You said ‘And now?’').waitFor()
    await first.getByText('Delivered: both ends have the same').waitFor()
    expect(await first.locator('.sha256').innerText()).toBe(`SHA-256 ${sha256}`)
    expect(demo.output()).toContain(`SHA-256 ${sha256}, as the sender says`)
    const all = demo.output()
    expect(all.indexOf('says: “And now?”')).toBeLessThan(all.indexOf(sha256))
  })

  it('gives a second tab a key of its own, and the two talk and send pictures', async () => {
    const second = await openPage()
    await second.getByText('Another tab uses the key that this browser keeps.').waitFor()
    const names = [
      await first.locator('#you-name').innerText(),
      await second.locator('#you-name').innerText(),
    ]
    const address = await second.getByLabel('Your address').inputValue()
    expect(address).not.toBe(await first.getByLabel('Your address').inputValue())

    await first.getByLabel("Somebody's address").fill(address)
    await first.getByLabel("Somebody's address").press('Enter')
    await first.getByPlaceholder(`Write to ${names[1]}`).fill('<img src=x onerror=alert(1)> 👋')
    await first.keyboard.press('Enter')
    await second.getByRole('button', { name: new RegExp(`^${names[0]}`) }).click()
    await second.getByText('<img src=x onerror=alert(1)> 👋').waitFor()
    await second.getByPlaceholder(`Write to ${names[0]}`).fill('Hello back')
    await second.keyboard.press('Enter')
    await first.getByText('Hello back').waitFor()

    const buffer = await first.screenshot()
    await second.setInputFiles('#compose-file', { name: '../shot.png', mimeType: 'text/html', buffer })
    await first.getByRole('button', { name: 'Take it' }).click()
    await first.getByRole('img', { name: 'The image shot.png' }).waitFor()
    const download = first.waitForEvent('download')
    await first.getByRole('link', { name: 'Save' }).click()
    expect((await download).suggestedFilename()).toBe('shot.png')

    await second.close()
    await first.getByText('The connection over rtc ended.').waitFor()
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
      `rtc:${new URL(await demo.url).host}~shs:${keyToString(publicKey)}`,
      'The hub knows no peer with that key now.',
    )
    await attempt(await first.getByLabel('Your address').inputValue(), /this is your own address/i)
  })

  it('keeps its key when it is loaded again', async () => {
    const before = await first.getByLabel('Your address').inputValue()
    await first.reload()
    await first.getByText('In the lobby, and reachable over WebRTC').waitFor()
    expect(await first.getByLabel('Your address').inputValue()).toBe(before)
  })

  it('fits a phone, one thing at a time', async () => {
    await first.setViewportSize({ width: 360, height: 740 })
    const width = () => first.evaluate(() => document.documentElement.scrollWidth)
    expect(await width()).toBe(360)
    await first.getByRole('button', { name: /^desktop/ }).click()
    await first.getByPlaceholder('Write to desktop').waitFor()
    expect(await width()).toBe(360)
    await first.getByRole('button', { name: 'Back' }).click()
    await first.getByRole('heading', { name: 'Who is there' }).waitFor()
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
    for (const each of words) expect(await page.locator('#you-note').innerText()).toContain(each)
    await page.getByRole('button', { name: /^server/ }).click()
    await page.getByPlaceholder('Write to server').fill('Still there?')
    await page.keyboard.press('Enter')
    await page.getByText('You said ‘Still there?’').waitFor()
    await bare.close()
  })

  it('does nothing that its content security policy forbids, and throws nothing', () => {
    expect(problems).toEqual([])
  })
})

describe.skipIf(missing !== '')(`the demo page when everything is started again${missing}`, () => {
  it('finds the way back', { timeout }, async () => {
    const before = startDemo(['--port', '0'])
    const port = new URL(await before.url).port
    const browser = await launchBrowser()
    const page = await browser.newPage()
    await page.goto(await before.url)
    await page.getByText('In the lobby, and reachable over WebRTC').waitFor()
    before.child.kill('SIGTERM')
    await before.ended
    await page.getByText('Trying again…').waitFor()
    const after = startDemo(['--port', port])
    await page.getByText('In the lobby, and reachable over WebRTC').waitFor()
    await browser.close()
    after.child.kill('SIGTERM')
    expect(await after.ended).toBe(0)
  })
})

interface Demo {
  readonly child: ChildProcess
  readonly pid: number
  readonly ended: Promise<number | null>
  readonly url: Promise<string>
  output(): string
  /** Resolves once it is in the terminal. */
  says(words: string | RegExp): Promise<void>
}

function launchBrowser(): Promise<Browser> {
  return chromium.launch(chromiumLaunch)
}

function startDemo(args: readonly string[]): Demo {
  const child = spawn(process.execPath, [launcher, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let isOver = false
  let wake: (() => void)[] = []
  const heard = () => {
    for (const each of wake.splice(0)) each()
  }
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      heard()
    })
  }
  const ended = once(child, 'close').then(([code]: (number | null)[]) => {
    isOver = true
    heard()
    return code ?? null
  })
  const match = async (pattern: RegExp): Promise<string> => {
    for (;;) {
      const found = pattern.exec(output)
      if (found !== null) return found[1] ?? ''
      if (isOver) throw new Error(`the demo never said ${pattern}:\n${output}`)
      await new Promise<void>((resolve) => wake.push(resolve))
    }
  }
  const url = match(/Open (http:\S+)/)
  url.catch(() => undefined)
  return {
    child,
    pid: child.pid ?? 0,
    ended,
    url,
    output: () => output,
    async says(words) {
      await match(
        typeof words === 'string' ? new RegExp(words.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')) : words,
      )
    },
  }
}

/** In the order in which they were started. */
function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return text.trim().split(' ').map(Number)
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** How many TCP sockets of the process listen. */
function listeningSockets(pid: number | undefined): number {
  const inodes = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap(
      (fd) => /^socket:\[(\d+)\]/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1] ?? [],
    ),
  )
  const lines = ['tcp', 'tcp6'].flatMap((name) =>
    readFileSync(`/proc/${pid}/net/${name}`, 'utf8').split('\n'),
  )
  const rows = lines.map((text) => text.trim().split(/\s+/))
  return rows.filter(([, , , state, , , , , , inode = '']) => state === '0A' && inodes.has(inode)).length
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
