import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { describeFailure, exitOf } from '../../cli/failures.ts'
import { createProgram } from '../../cli/program.ts'
import { StatusLine } from '../../cli/status-line.ts'
import { printable, shellWord } from '../../cli/terminal.ts'
import { errorCodes, MultiserverError, type ErrorCode } from '../../core/errors.ts'
import { run, start } from './command.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

describe('help', () => {
  const { commands } = createProgram()

  test.each(commands.map((each) => [each.name(), each] as const))('%s has examples', (name, command) => {
    let text = ''
    command.configureOutput({ writeOut: (part) => (text += part) }).outputHelp()
    expect(text).toContain(`Usage: multiserver ${name}`)
    // The hub has a table of its own.
    if (name !== 'hub') expect(text).toMatch(new RegExp(`Examples:\n  # .*\n.*multiserver ${name}`))
  })

  test('of all fits 80 columns, without colours where it is not a terminal', async () => {
    const { code, stdout } = await run([], '', { FORCE_COLOR: '1' })
    const { stdout: asked } = await run(['--help'])
    expect([code, stdout]).toEqual([2, ''])
    expect(asked.split('\n').filter((line) => line.length > 80)).toEqual([])
    expect(asked).not.toContain('\u001B')
  })

  test('is there before any transport, any cryptography or a web server is loaded', async () => {
    const packages = new Set<string>()
    const files = new Set<string>()
    const visit = async (file: string): Promise<void> => {
      if (files.has(file)) return
      files.add(file)
      const source = await readFile(file, 'utf8')
      for (const [, name = ''] of source.matchAll(/^(?:import|export) (?!type ).*?from '([^']+)'$/gms)) {
        if (name.startsWith('.')) await visit(join(dirname(file), name))
        else if (!name.startsWith('node:')) packages.add(name)
      }
    }
    await visit(join(root, 'cli/main.ts'))
    expect([...packages].toSorted()).toEqual(['@noble/hashes/utils.js', 'commander'])
    expect([...files].filter((file) => file.startsWith(join(root, 'plugs')))).toEqual([])
  })

  test('a command that is misspelt is guessed', async () => {
    const { code, stdout, stderr } = await run(['conect', 'net:a:1'])
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining('Did you mean connect?')])
  })
})

test('hub is the program of the hub, with its options', async () => {
  const hub = start(['hub', '--port', '0', '--log-level', 'info'])
  await hub.printed(/http:\/\/127\.0\.0\.1:\d+/)
  const wrong = await run(['hub', '--port', 'many'])
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('--port must be')])
  expect((await hub.stop()).code).toBe(0)
})

describe('failures', () => {
  test.each(Object.keys(errorCodes) as ErrorCode[])(
    '%s has an exit code and, but for DIAL_FAILED, a remedy',
    (code) => {
      const lines = describeFailure(new MultiserverError(code))
      expect(lines[0]).toBe(`multiserver: ${code}: ${errorCodes[code]}`)
      expect(lines.length).toBe(code === 'DIAL_FAILED' ? 1 : 2)
    },
  )

  test('a dial that failed everywhere says each, with one remedy for each kind', () => {
    const attempts = [
      new MultiserverError('CONNECT_FAILED', 'nobody', { address: 'net:a:1' }),
      new MultiserverError('CONNECT_FAILED', 'nobody', { address: 'net:b:1' }),
      new MultiserverError('WRONG_KEY', 'not them', { address: 'net:c:1' }),
    ]
    const lines = describeFailure(new MultiserverError('DIAL_FAILED', 'all', { attempts }))
    expect(lines.filter((line) => line.includes('net:'))).toHaveLength(3)
    expect(lines.filter((line) => line.includes('→'))).toHaveLength(2)
  })

  test('who says no counts more than who is not there', () => {
    const attempts = [new MultiserverError('CONNECT_FAILED'), new MultiserverError('WRONG_KEY')]
    expect(exitOf(new MultiserverError('DIAL_FAILED', 'all', { attempts }))).toBe('refused')
  })
})

test('nothing from outside reaches the terminal as a command to it', () => {
  expect(printable('a\u001B[2Jb\nc\u202Ed')).toBe('a�[2Jb�c�d')
})

test('an address is one word to a shell', () => {
  expect(shellWord('net:a:1~shs:KEY=;rtc:b')).toBe("'net:a:1~shs:KEY=;rtc:b'")
  expect(shellWord("it's")).toBe(String.raw`'it'\''s'`)
  expect(shellWord('net:a:1')).toBe('net:a:1')
})

test('the status line never wraps, and what is said goes above it', () => {
  const written: string[] = []
  const line = new StatusLine({ columns: 10, write: (text) => written.push(text) }, () => 'twelve chars')
  line.say('hello')
  line.stop()
  const clear = '\r\u001B[2K'
  expect(written).toEqual([`${clear}twelve c…`, `${clear}hello\ntwelve c…`, clear])
})

test('the status line is shown on a terminal that does not know its width', () => {
  const written: string[] = []
  new StatusLine({ columns: 0, write: (text) => written.push(text) }, () => 'twelve chars').stop()
  expect(written[0]).toContain('twelve chars')
})
