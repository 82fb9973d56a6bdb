import { execFile } from 'node:child_process'
import { appendFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { startHub, type RunningHub } from '../../signal-server/index.ts'
import { hasRsync, rsync, startRsyncd } from '../support/rsyncd.ts'
import { temporaryFolder } from './command.ts'
import { forwardService } from './services.ts'
import { checksum, makeTree } from './tree.ts'

let hub: RunningHub
beforeAll(async () => {
  hub = await startHub({ exemptLoopback: true })
})
afterAll(() => hub.close())

describe.skipIf(!hasRsync)(`a daemon of ${rsync}, over WebRTC`, () => {
  test('gives a tree, and takes back what has changed in it', async () => {
    const folder = temporaryFolder()
    const [there, here] = [join(folder, 'there'), join(folder, 'here')]
    makeTree(there)
    mkdirSync(here)
    const daemon = await startRsyncd(temporaryFolder(), there)
    onTestFinished(() => daemon.stop())
    const { port } = await forwardService(daemon.port, hub.url)
    const url = `rsync://127.0.0.1:${port}/tree/`
    await run(url, `${here}/`)
    expect(checksum(here)).toBe(checksum(there))

    appendFileSync(join(here, 'a', 'b', 'large'), 'and more')
    const { stdout } = await run('--stats', `${here}/`, url)
    expect(checksum(there)).toBe(checksum(here))
    // It has compared the two: nothing but the end had to be sent.
    const [, literal = ''] = /^Literal data: ([\d,]+) bytes$/m.exec(stdout) ?? []
    expect(Number(literal.replaceAll(',', ''))).toBeLessThan(100_000)
  })
})

function run(...args: readonly string[]): Promise<{ stdout: string }> {
  return promisify(execFile)('rsync', ['--archive', ...args])
}
