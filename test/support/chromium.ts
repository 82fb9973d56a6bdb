import { existsSync } from 'node:fs'

export const chromiumPath = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
export const hasChromium = existsSync(chromiumPath)

/** How Playwright starts it: nothing of it goes out to the network by itself. */
export const chromiumLaunch = {
  executablePath: chromiumPath,
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
}
