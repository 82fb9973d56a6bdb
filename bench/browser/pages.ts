import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'

const folder = (place: string) => fileURLToPath(new URL(`../../../${place}`, import.meta.url))
const built = folder('dist/bench-pages')

/** Bundles `bench/browser/PROGRAM.mjs`, for a page each. */
export async function buildPages(programs: readonly string[]): Promise<void> {
  // Loaded here, for the processes that only serve what it has built.
  const { build } = await import('vite')
  for (const program of programs) {
    await build({
      configFile: false,
      logLevel: 'error',
      root: folder('bench/browser'),
      resolve: { conditions: ['browser', 'module'] },
      build: {
        outDir: `${built}/${program}`,
        emptyOutDir: true,
        target: 'es2022',
        modulePreload: false,
        chunkSizeWarningLimit: 4096,
        rolldownOptions: {
          input: folder(`bench/browser/${program}.mjs`),
          output: { entryFileNames: 'page.js', codeSplitting: false },
        },
      },
    })
  }
}

/** Serves one of them on loopback, which pages may use all of a browser on, and gives its URL. */
export async function servePage(program: string): Promise<string> {
  const script = await readFile(`${built}/${program}/page.js`)
  const server = createServer(({ url }, response) => {
    if (url === '/page.js') response.setHeader('content-type', 'text/javascript').end(script)
    else response.setHeader('content-type', 'text/html').end('<script type="module" src="page.js"></script>')
  })
  // It ends with the process.
  await once(server.listen(0, '127.0.0.1').unref(), 'listening')
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/`
}
