import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

it('the story of docs/upgrading.md goes as it is told', async () => {
  const options = { cwd: root, timeout: 30_000 }
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ['examples/upgrade/story.mjs'],
    options,
  )
  const told = stdout.trim().split('\n')
  const refused = told.splice(-2)
  expect(told).toEqual([
    '1. The server serves shs.',
    '   old client, by the address that it has: shs',
    '   new client, by lookup: shs',
    '2. It serves shs2 beside it, on another port.',
    '   old client, by the address that it has: shs',
    '   old client, by lookup: shs',
    '   new client, by the old address: shs',
    '   new client, by lookup: shs2',
    '3. Most have moved; shs is switched off.',
    '   new client, by lookup: shs2',
  ])
  expect(refused[0]).toMatch(/old client, by lookup: NO_STACK_FITS: .* It lacks shs2: update this program/)
  expect(refused[1]).toMatch(/by the address that it has: DIAL_FAILED: .* out of date, so look the peer up$/)
  expect(stderr.replace(/^.*(ExperimentalWarning|--trace-warnings).*\n/gm, '')).toBe('')
})
