import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startShell, temporaryFolder, type Running } from '../cli/command.ts'
import { installPackage, root, type Installed } from './installed.ts'

const { exports, version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
  exports: Record<string, unknown>
  version: string
}
const names = Object.keys(exports)
  .filter((path) => !path.endsWith('.json'))
  .map((path) => `multiserver${path.slice(1)}`)

let installed: Installed
// A bound for what hangs: a hundred packages are unpacked.
beforeAll(async () => {
  installed = await installPackage()
}, 240_000)
afterAll(() => installed.remove())

test('what is only for work on it stays at home', () => {
  const kinds = new Set(installed.files.map((file) => file.split('/').slice(0, 2).join('/')))
  expect([...kinds].toSorted()).toEqual([
    'LICENSE',
    'README.md',
    'dist/cli',
    'dist/compat',
    'dist/core',
    'dist/plugs',
    'dist/signal-server',
    'dist/test',
    'package.json',
    'signal-server/deploy',
  ])
  const tests = installed.files.filter((file) => file.startsWith('dist/test/'))
  expect(tests.filter((file) => !file.startsWith('dist/test/conformance/'))).toEqual([])
})

test('nothing that comes with it wants another Node than it does itself', () => {
  expect(installed.warnings).not.toContain('EBADENGINE')
})

test('every export can be imported and required from plain JavaScript, and is the same', async () => {
  // What is a function to `import` is that to `require` too, as in 3.8.2.
  const program = `
    import { createRequire } from 'node:module'
    const require = createRequire(import.meta.url)
    for (const name of ${JSON.stringify(names)}) {
      const required = require(name)
      const imported = await import(name)
      const wanted = 'default' in imported ? imported.default : imported
      console.log(name, required === wanted, Object.keys(imported).length > 0)
    }`
  const file = join(installed.folder, 'program.mjs')
  await writeFile(file, program)
  const lines = (await runNode([file])).trim().split('\n')
  expect(lines).toEqual(names.map((name) => `${name} true true`))
})

describe('to TypeScript', () => {
  test.each([
    ['nodenext', ['consumer.mts', 'consumer.cts']],
    ['bundler', ['consumer.ts']],
  ])('every export has its types, by %s', async (moduleResolution, files) => {
    const imports = names.map((name, index) => `import * as m${index} from '${name}'`)
    const uses = names.map((_name, index) => `const own${index}: object = m${index}; void own${index}`)
    const source = [...imports, ...uses].join('\n')
    for (const file of files) await writeFile(join(installed.folder, file), source)
    const compilerOptions = {
      module: moduleResolution === 'bundler' ? 'preserve' : moduleResolution,
      moduleResolution,
      target: 'es2023',
      lib: ['es2023', 'dom', 'dom.iterable'],
      strict: true,
      noEmit: true,
      types: ['node'],
      typeRoots: [join(root, 'node_modules/@types')],
    }
    const project = join(installed.folder, 'tsconfig.json')
    await writeFile(project, JSON.stringify({ compilerOptions, files }))
    const typescript = join(root, 'node_modules/typescript/bin/tsc')
    expect(await runNode([typescript, '--project', project])).toBe('')
  })
})

describe('as a command', () => {
  test('says what it is, and what there is', async () => {
    expect(await npx('multiserver --version').ended).toMatchObject({ code: 0, stdout: `${version}\n` })
    const help = await npx('multiserver --help').ended
    expect([help.code, help.stdout]).toEqual([0, expect.stringContaining('Usage: multiserver')])
    const hub = await npx('multiserver-hub --help').ended
    expect([hub.code, hub.stdout]).toEqual([0, expect.stringContaining('--port')])
  })

  test('makes a key, runs a hub, and joins two machines through it', async () => {
    const home = temporaryFolder()
    const key = (await npx('multiserver keygen', home).ended).stdout.trim()
    expect(key).toMatch(/^[\w+/]{43}=$/)
    const hub = npx('multiserver hub --port 0 --log-level info', home)
    const [url] = await hub.printed(/http:\/\/127\.0\.0\.1:\d+/)
    const listening = npx(`multiserver listen --hub ${url.replace('http', 'ws')} --allow ${key} </dev/null`)
    const [, address = ''] = await listening.said(/multiserver connect '([^']+)'/)
    const connecting = npx(`multiserver connect '${address}'`, home)
    connecting.child.stdin?.end('hello')
    expect(await connecting.ended).toMatchObject({ code: 0, stdout: '' })
    expect(await listening.ended).toMatchObject({ code: 0, stdout: 'hello' })
    hub.kill()
    await hub.ended
  })
})

/** In the folder where it is installed, without a word to the registry. */
function npx(line: string, home: string = temporaryFolder()): Running {
  const environment = { HOME: home, npm_config_offline: 'true', npm_config_update_notifier: 'false' }
  return startShell(`cd '${installed.folder}' && exec npx ${line}`, environment)
}

async function runNode(args: readonly string[]): Promise<string> {
  const { NODE_OPTIONS: _, ...env } = process.env
  const options = { cwd: installed.folder, env, timeout: 50_000 }
  try {
    return (await promisify(execFile)(process.execPath, args, options)).stdout
  } catch (thrown) {
    // What a compiler has to say is on stdout.
    const said = thrown instanceof Error && 'stdout' in thrown ? `\n${String(thrown.stdout)}` : ''
    throw new Error(`${String(thrown)}${said}`, { cause: thrown })
  }
}
