import { readFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { exitCodes } from '../../cli/failures.ts'
import { createProgram } from '../../cli/program.ts'
import { shellWord } from '../../cli/terminal.ts'
import { limits } from '../../core/limits.ts'
import { loadOrCreateKeys, keyToString } from '../../plugs/keys.ts'
import { startHub } from '../../signal-server/index.ts'
import { startShell, temporaryFolder, type Running } from '../cli/command.ts'
import { serveHttp } from '../cli/services.ts'
import { freePort } from '../support/fixed-port.ts'
import { hasSshd, sshd, startSshd, type Sshd } from '../support/sshd.ts'

const page = readFileSync(new URL('../../docs/command.md', import.meta.url), 'utf8')

interface Block {
  readonly runsOn: boolean
  readonly script: string
}

/** A chapter's commands, in their order. */
function chapters(): [title: string, blocks: Block[]][] {
  return page
    .split(/^## /m)
    .slice(1)
    .map((chapter) => {
      const [title = ''] = chapter.split('\n')
      const blocks = [...chapter.matchAll(/^```sh( background)?\n(.*?)^```$/gms)]
      return [title, blocks.map(([, runsOn, script = '']) => ({ runsOn: runsOn !== undefined, script }))]
    })
}

// A bound for what hangs: it starts some thirty processes.
const bound = { timeout: 240_000 }

test.skipIf(!hasSshd)(`every command of the page does what it says (with ${sshd})`, bound, async () => {
  const folder = temporaryFolder()
  const home = join(folder, 'home')
  const hub = await startHub({ exemptLoopback: true })
  onTestFinished(() => hub.close())
  const server = await startSshd(temporaryFolder())
  onTestFinished(() => server.stop())
  const web = await serveHttp()
  // What stands for a place of somebody's, and the place here.
  const places = new Map([
    ['wss://hub.example.com', hub.url],
    ['--port 8989', '--port 0'],
    ['expose 22 ', `expose ${server.port} `],
    ['2222', String(await freePort())],
    ['8080', String(web.port)],
    ['9090', String(await freePort())],
    ['me@', `${userInfo().username}@`],
  ])
  let outputs = ''
  for (const [title, blocks] of chapters()) {
    const running: Running[] = []
    let address = ''
    for (const { script, runsOn } of blocks) {
      let here = script
      for (const [there, place] of places) here = here.replaceAll(there, place)
      if (/\bKEY\b/.test(here)) here = here.replaceAll(/\bKEY\b/g, await publicKeyIn(home))
      here = here.replaceAll('ADDRESS', address)
      const shell = startShell(`cd ${shellWord(folder)}\n${sshFunction(server)}${here}`, {
        HOME: home,
        MULTISERVER_HUB: hub.url,
      })
      if (runsOn) {
        running.push(shell)
        address = (await addressFrom(shell)) ?? address
      } else {
        const { code, stdout, stderr } = await shell.ended
        expect(code, `${title}: ${script}${stderr}`).toBe(0)
        outputs += stdout
      }
    }
    for (const shell of running) shell.kill()
    await Promise.all(running.map(({ ended }) => ended))
  }
  expect(outputs.match(/I am at home/g)).toHaveLength(2)
  expect(outputs).toContain('folder/file')
  expect(outputs).toContain('you asked for /')
})

test('every command is on the page', () => {
  const names = createProgram().commands.map((command) => command.name())
  for (const name of names) expect(page).toMatch(new RegExp(`multiserver ${name}\\b`))
})

test('the table has every exit code', () => {
  const rows = [...page.matchAll(/^\| (\d) +\| `(\w+)`/gm)].map(([, code, name]) => [name, Number(code)])
  expect(rows).toEqual(Object.entries(exitCodes))
})

test('it says how long who is lost is waited for', () => {
  const { resumeMs, serverGraceMs } = limits.resume
  expect(page.replaceAll(/\s+/g, ' ')).toContain(
    `for ${(resumeMs + serverGraceMs) / 1000} s that the status line`,
  )
})

/** Of the user, who has made it on the page. */
async function publicKeyIn(home: string): Promise<string> {
  const { publicKey } = await loadOrCreateKeys(join(home, '.config', 'multiserver', 'key.json'))
  return keyToString(publicKey)
}

/** What it says that others run, unless it is nothing to connect to. Resolves once it is ready in any case. */
async function addressFrom(shell: Running): Promise<string | undefined> {
  const ready = /Others run:\n {2}multiserver .* '([^']+)'\n|Published at|Connected to/
  const listening = await Promise.race([shell.said(ready), shell.printed(/listening/i)])
  return listening[1]
}

/** Of a user who has a configuration for this. */
function sshFunction({ clientOptions }: Sshd): string {
  return `ssh() { command ssh ${clientOptions.map(shellWord).join(' ')} "$@"; }\n`
}
