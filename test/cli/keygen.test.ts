import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseKeys, keyToString } from '../../plugs/keys.ts'
import { run, temporaryFolder } from './command.ts'

test('makes a key for its owner only, and prints the public half and nothing else', async () => {
  const file = join(temporaryFolder(), 'deep', 'key.json')
  const { code, stdout, stderr } = await run(['keygen', file])
  const keys = parseKeys(JSON.parse(await readFile(file, 'utf8')))
  expect([code, stdout]).toEqual([0, `${keyToString(keys.publicKey)}\n`])
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect(stdout + stderr).not.toContain(keyToString(keys.secretKey))
})

test('answers a script with one line of JSON', async () => {
  const file = join(temporaryFolder(), 'key.json')
  const { stdout } = await run(['keygen', '--json', file])
  expect(JSON.parse(stdout)).toEqual({ file, publicKey: expect.stringMatching(/^[A-Za-z0-9+/]{43}=$/) })
})

test('puts the key of the user where commands that dial look for it', async () => {
  const home = temporaryFolder()
  await run(['keygen'], '', { HOME: home })
  await stat(join(home, '.config', 'multiserver', 'key.json'))
  const elsewhere = temporaryFolder()
  await run(['keygen'], '', { HOME: home, XDG_CONFIG_HOME: elsewhere })
  await stat(join(elsewhere, 'multiserver', 'key.json'))
})

test('replaces no file unless told to', async () => {
  const file = join(temporaryFolder(), 'key.json')
  await writeFile(file, 'precious')
  const refused = await run(['keygen', file])
  expect([refused.code, refused.stdout]).toEqual([1, ''])
  expect(refused.stderr).toContain('--force')
  expect(await readFile(file, 'utf8')).toBe('precious')
  const forced = await run(['keygen', '--force', file])
  expect(forced.code).toBe(0)
  parseKeys(JSON.parse(await readFile(file, 'utf8')))
})
