// What a page loads for a bare client, beside others: `npm run bench:bundles`. One bundler, minified, gzipped, in KB of 1,000 bytes.
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'vite'

const names = ['multiserver', 'simple-peer', 'peerjs', 'trystero', 'libp2p']

for (const name of names) {
  const { own, libsodium } = await measure(name)
  const more = libsodium === 0 ? '' : `  and libsodium ${kilobytes(libsodium)}, which other pages may share`
  console.log(`${name.padEnd(12)} ${kilobytes(own).padStart(9)}${more}`)
}

async function measure(name) {
  const { output } = await build({
    configFile: false,
    logLevel: 'error',
    root: fileURLToPath(new URL('.', import.meta.url)),
    resolve: { conditions: ['browser', 'module'] },
    build: {
      write: false,
      target: 'es2022',
      modulePreload: false,
      rolldownOptions: {
        input: fileURLToPath(new URL(`${name}.mjs`, import.meta.url)),
        preserveEntrySignatures: 'strict',
        output: { codeSplitting: { groups: [{ name: 'libsodium', test: /libsodium/ }] } },
      },
    },
  })
  const sizes = { own: 0, libsodium: 0 }
  for (const { type, name: chunk, code } of output) {
    if (type === 'chunk') sizes[chunk === 'libsodium' ? 'libsodium' : 'own'] += gzipSync(code).length
  }
  return sizes
}

function kilobytes(bytes) {
  return `${(bytes / 1_000).toFixed(1)} KB`
}
