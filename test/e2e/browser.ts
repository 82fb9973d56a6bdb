import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium, type BrowserContext, type Page } from 'playwright'
import { build } from 'vite'
import { startHub } from '../../signal-server/index.ts'
import { chromiumLaunch, chromiumPath, hasChromium } from '../support/chromium.ts'

/** Why these suites can't run here; empty when they can. */
export const missing = hasChromium ? '' : ` (no Chromium at ${chromiumPath})`

export interface Browsers {
  /** `ws://127.0.0.1:PORT` */
  readonly hubUrl: string
  /** A tab with the harness in it; all of these tabs share one origin and what it keeps. */
  openPage(): Promise<Page>
  /** One whose peer reaches others through the relay of the hub only. */
  openRelayedPage(): Promise<Page>
  /** One that shares nothing with the others, not even a process that could die. */
  openPageApart(): Promise<Page>
  /** What the pages threw, or were forbidden by their content security policy. */
  readonly problems: readonly string[]
  /** The hub loses all its sockets, is away while `meanwhile` runs, and comes back where it was. */
  restartHub(meanwhile?: () => Promise<unknown>): Promise<void>
  close(): Promise<void>
}

/** A hub that serves the harness page under its strict content security policy, and a Chromium. */
export async function startBrowser(): Promise<Browsers> {
  const directory = await mkdtemp(join(tmpdir(), 'multiserver-e2e-'))
  await buildHarness(directory)
  let hub = await startHub({ port: 0, exemptLoopback: true, page: directory })
  const browser = await chromium.launch(chromiumLaunch)
  const context = await browser.newContext()
  const pageUrl = hub.url.replace(/^ws/, 'http')
  const problems: string[] = []
  return {
    hubUrl: hub.url,
    openPage: () => openPage(context, pageUrl, problems),
    openRelayedPage: () => openPage(context, `${pageUrl}/?relayed`, problems),
    openPageApart: async () => openPage(await browser.newContext(), pageUrl, problems),
    problems,
    async restartHub(meanwhile) {
      const port = Number(new URL(hub.url).port)
      await hub.close()
      await meanwhile?.()
      hub = await startHub({ port, exemptLoopback: true, page: directory })
    },
    async close() {
      await browser.close()
      await hub.close()
      await rm(directory, { recursive: true })
    },
  }
}

async function buildHarness(outDir: string): Promise<void> {
  await build({
    configFile: false,
    root: fileURLToPath(new URL('./harness', import.meta.url)),
    logLevel: 'error',
    resolve: { conditions: ['multiserver-source', 'browser', 'module'] },
    build: { outDir, emptyOutDir: true, target: 'es2022', assetsInlineLimit: 0, chunkSizeWarningLimit: 4096 },
  })
}

async function openPage(context: BrowserContext, url: string, problems: string[]): Promise<Page> {
  const page = await context.newPage()
  page.on('pageerror', (error) => problems.push(String(error)))
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) problems.push(message.text())
  })
  await page.goto(url)
  return page
}
