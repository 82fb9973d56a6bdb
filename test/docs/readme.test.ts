import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import { MultiServer } from '../../core/multiserver.ts'
import { shellWord } from '../../cli/terminal.ts'
import { generateKeys, keyToString, loadOrCreateKeys } from '../../plugs/keys.ts'
import { rtc } from '../../plugs/rtc/index.ts'
import { shs2 } from '../../plugs/shs2/index.ts'
import { startHub } from '../../signal-server/index.ts'
import { run, startShell, temporaryFolder } from '../cli/command.ts'
import { makeFile, sha256Of } from '../cli/transfer-processes.ts'
import { connectTcp, serveTcp } from '../cli/services.ts'
import { freePort } from '../support/fixed-port.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const page = readFileSync(join(root, 'README.md'), 'utf8')

/** A chapter's blocks in one language. */
function blocks(chapter: string, language: 'sh' | 'js'): string[] {
  const [, text = ''] = page.split(new RegExp(`^##+ ${chapter}$`, 'm'))
  const [own = ''] = text.split(/^##+ /m)
  return [...own.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms'))].map(
    ([, code = '']) => code,
  )
}

/** What stands for a hub of somebody's is the one here, and what is public is of this machine only. */
function atHub(code: string, url: string): string {
  return code
    .replaceAll("'public'", "'device'")
    .replaceAll('8008', '0')
    .replaceAll('wss://hub.example.com', url)
    .replaceAll('rtc:hub.example.com', url.replace('ws://', 'rtc:'))
    .replaceAll('hub.example.com', url)
}

async function startOwnHub(): Promise<string> {
  const hub = await startHub({ exemptLoopback: true })
  onTestFinished(() => hub.close())
  return hub.url
}

test('every block of the page is run, or looked at, below', () => {
  const fences = [...page.matchAll(/^```(\w+)$/gm)].map(([, language]) => language)
  const seen = ['See it at work', 'From the command line', 'Use it', 'Work on it'].flatMap((chapter) =>
    blocks(chapter, 'sh'),
  )
  const programs = ['Use it', 'Upgrade', 'What does this network allow\\?', 'Host a hub'].flatMap((chapter) =>
    blocks(chapter, 'js'),
  )
  expect([seen.length, programs.length]).toEqual([
    fences.filter((language) => language === 'sh').length,
    fences.filter((language) => language === 'js').length,
  ])
  expect(new Set(fences)).toEqual(new Set(['sh', 'js']))
})

test('what is run in a clone is a script of the package', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object }
  const text = page.match(/`npm [^`]+`|^npm .*$/gm)?.join('\n') ?? ''
  const names = [...text.matchAll(/npm (?:run ([\w:]+)|(test|start))/g)].map(([, name, own]) => name ?? own)
  expect(names.length).toBeGreaterThan(6)
  for (const name of names) expect(scripts).toHaveProperty([String(name)])
})

test('every page of the project that it leads to is there', () => {
  const targets = [...page.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, target = '']) => target)
  expect(targets.length).toBeGreaterThan(6)
  for (const target of targets) expect(existsSync(join(root, target)), target).toBe(true)
})

// A bound for what hangs: it starts a dozen processes.
test('its commands do what it says', { timeout: 120_000 }, async () => {
  const hub = await startOwnHub()
  const [folder, inbox] = [temporaryFolder(), temporaryFolder()]
  const home = join(folder, 'home')
  await run(['keygen'], '', { HOME: home })
  const { publicKey } = await loadOrCreateKeys(join(home, '.config', 'multiserver', 'key.json'))
  const sha256 = await makeFile(join(folder, 'holiday.mp4'), 1_000_000)
  const service = await serveTcp((socket) => socket.end('I am at home'))
  const port = await freePort()
  const places = [
    ['expose 22 ', `expose ${service} `],
    ['forward 2222 ', `forward ${port} `],
    // Nobody sits at this terminal.
    ['receive ', `receive --yes ${shellWord(inbox)} `],
    ['KEY', keyToString(publicKey)],
  ] as const
  const [script = ''] = blocks('From the command line', 'sh')
  const [install, ...lines] = script.trim().split('\n')
  expect(install).toBe('npm install --global multiserver')
  let address = ''
  const begun: string[] = []
  for (const line of lines) {
    let here = atHub(line, hub)
    for (const [there, place] of places) here = here.replaceAll(there, place)
    const command = here.replace('ADDRESS', address)
    const shell = startShell(`cd ${shellWord(folder)}\n${command}`, { HOME: home })
    const [, name = ''] = /^multiserver (\w+)/.exec(line) ?? []
    begun.push(name)
    if (name === 'expose' || name === 'receive') {
      address = (await shell.said(/Others run:\n {2}multiserver .* '([^']+)'\n/))[1] ?? ''
    } else if (name === 'forward') {
      await shell.said(/Connected to/)
      const socket = await connectTcp(port)
      const heard: string[] = []
      for await (const part of socket) heard.push(String(part))
      expect(heard.join('')).toBe('I am at home')
    } else expect(await shell.ended).toMatchObject({ code: 0 })
  }
  expect(begun).toEqual(['expose', 'forward', 'receive', 'send'])
  expect(await sha256Of(join(inbox, 'holiday.mp4'))).toBe(sha256)
})

describe('its programs', () => {
  test('listen, dial, and find a peer by its key', async () => {
    const hub = await startOwnHub()
    const key = await serveEcho(hub)
    const [use = '', isolated = ''] = blocks('Use it', 'js')
    const [upgrade = ''] = blocks('Upgrade', 'js')
    const [main, other, later] = [use, isolated, upgrade].map((code) => hoist(atHub(code, hub)))
    const source = `
      ${main?.imports}
      ${other?.imports}
      ${later?.imports}
      ${main?.body.replace('KEY', keyToString(key))}
      ${other?.body}
      {
        const key = new Uint8Array([${key.join()}])
        ${later?.body}
        console.log(address, Buffer.compare(connection.remote, key))
        await connection.close()
      }
      await close()
      process.exit()`
    const lines = (await runModule(source)).trim().split('\n')
    const protocol = 'shs2:[\\w+/]{43}='
    expect(lines).toEqual([
      expect.stringMatching(new RegExp(`^net:.*~${protocol};rtc:127.0.0.1:\\d+~${protocol}$`)),
      expect.stringMatching(/^Uint8Array\(5\) \[ 104, 101, 108, 108, 111 \] (?:relay|direct)$/),
      expect.stringMatching(new RegExp(`^rtc:127.0.0.1:\\d+~${protocol} 0$`)),
    ])
  })

  test('examine the network', async () => {
    const [code = ''] = blocks('What does this network allow\\?', 'js')
    const output = await runModule(atHub(code, await startOwnHub()))
    expect(output).toMatch(/^hub yes \S/m)
    expect(output).toMatch(/^webrtc yes \S/m)
  })

  test('run a hub', async () => {
    const [code = ''] = blocks('Host a hub', 'js')
    const output = await runModule(`${code.replace('port: 8989', 'port: 0')}\nawait hub.close()`)
    expect(output).toMatch(/^ws:\/\/127\.0\.0\.1:\d+\n$/)
  })
})

/** A peer behind the hub, whose key is given. */
async function serveEcho(hub: string): Promise<Uint8Array> {
  const keys = await generateKeys()
  const close = MultiServer([[rtc({ hub }), shs2({ keys })]]).server(async (connection) => {
    for await (const chunk of connection) await connection.write(chunk)
    await connection.end()
  })
  onTestFinished(() => close())
  await close.listening
  return keys.publicKey
}

/** Imports can only stand in front of everything else. */
function hoist(code: string): { imports: string; body: string } {
  const imports = code.match(/^import .*$/gm) ?? []
  return { imports: imports.join('\n'), body: code.replaceAll(/^import .*$/gm, '') }
}

/** What it prints, in a folder where the package is installed. Rejects unless it ends by itself, in peace. */
async function runModule(source: string): Promise<string> {
  const folder = temporaryFolder()
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(root, join(folder, 'node_modules', 'multiserver'))
  writeFileSync(join(folder, 'program.mjs'), source)
  const { NODE_OPTIONS: _, ...env } = process.env
  const options = { cwd: folder, env, timeout: 50_000 }
  const { stdout } = await promisify(execFile)(process.execPath, ['program.mjs'], options)
  return stdout
}
