import { existsSync } from 'node:fs'
import type { LaunchOptions } from 'puppeteer-core'

export const firefoxPath = process.env['FIREFOX'] ?? '/usr/bin/firefox-esr'
export const hasFirefox = existsSync(firefoxPath)

/** How Puppeteer starts it, over WebDriver BiDi: a Firefox as it is released, which Playwright can't drive. */
export const firefoxLaunch = {
  browser: 'firefox',
  executablePath: firefoxPath,
  headless: true,
  extraPrefsFirefox: {
    // It would otherwise offer no address but names that only mDNS resolves, and no loopback: machines of a CI have neither.
    'media.peerconnection.ice.loopback': true,
    'media.peerconnection.ice.obfuscate_host_addresses': false,
  },
} satisfies LaunchOptions
