import { defineConfig } from 'vite'
import { reportSize } from './demo-web/size-report.ts'

/** The demo page. The package's own sources are taken as they are, browser twins included. */
export default defineConfig({
  root: 'demo-web',
  plugins: [reportSize(250_000)],
  resolve: { conditions: ['multiserver-source', 'browser', 'module'] },
  build: {
    outDir: '../dist/demo-web',
    emptyOutDir: true,
    target: 'es2022',
    // Everything the page loads comes from files of its own, so that its content security policy can be strict.
    assetsInlineLimit: 0,
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: 'libsodium', test: /libsodium/ }] } } },
  },
})
