import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** The status page of a hub, which serves it from beside its own files. Its names stay: the page is never cached for long. */
export default defineConfig({
  root: here('.'),
  // Wherever the hub is in an app.
  base: './',
  build: {
    outDir: here('../../dist/signal-server/status'),
    emptyOutDir: true,
    target: 'es2022',
    // The content security policy allows nothing inline.
    assetsInlineLimit: 0,
    modulePreload: false,
    rolldownOptions: {
      input: { status: here('index.html') },
      output: { entryFileNames: '[name].js', assetFileNames: '[name][extname]' },
    },
  },
})
