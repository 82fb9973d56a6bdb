import { playwright } from '@vitest/browser-playwright'
import { defineConfig, type TestProjectConfiguration } from 'vitest/config'
import { chromiumLaunch, hasChromium } from './test/support/chromium.ts'

const source = 'multiserver-source'
const nodeConditions = [source, 'node']

const onNode = { resolve: { conditions: nodeConditions, externalConditions: nodeConditions } }

export const node = {
  resolve: { conditions: nodeConditions },
  ssr: onNode,
  test: {
    name: 'node',
    include: ['test/**/*.test.ts'],
    exclude: ['test/browser/**'],
    environment: 'node',
    pool: 'forks',
    // A bound for what hangs. Property tests and real WebRTC take seconds on a busy machine.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
} satisfies TestProjectConfiguration

const browser: TestProjectConfiguration = {
  resolve: { conditions: [source, 'browser', 'module'] },
  // By this name Vitest runs the set-up: the peers of the pages, which are on Node.
  environments: { __vitest__: onNode },
  optimizeDeps: {
    include: [
      'libsodium-wrappers',
      'simple-peer/simplepeer.min.js',
      '@noble/hashes/utils.js',
      '@noble/hashes/sha2.js',
      '@noble/hashes/hmac.js',
      '@noble/hashes/hkdf.js',
      'fast-check',
    ],
  },
  test: {
    name: 'chromium',
    // The grammar promises something of any text, in a browser too.
    include: ['test/browser/**/*.test.ts', 'test/core/address.property.test.ts'],
    globalSetup: ['./test/browser/peers.setup.ts'],
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      provider: playwright({
        launchOptions: chromiumLaunch,
      }),
      instances: [{ browser: 'chromium' }],
    },
  },
}

// A missing browser would stop the run; the reporter says aloud that this suite was skipped.
const projects = hasChromium ? [node, browser] : [node]

export default defineConfig({
  test: { reporters: ['default', './test/support/summary-reporter.ts'], projects },
})
