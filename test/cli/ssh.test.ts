import { createHash } from 'node:crypto'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { pipeline } from 'node:stream/promises'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { startHub, type RunningHub } from '../../signal-server/index.ts'
import { hasSshd, sshd, startSshd } from '../support/sshd.ts'
import { programFile, temporaryFolder } from './command.ts'
import { forwardService, randomStream } from './services.ts'

let hub: RunningHub
beforeAll(async () => {
  hub = await startHub({ exemptLoopback: true })
})
afterAll(() => hub.close())

const bytes = 8 * 1024 * 1024

describe.skipIf(!hasSshd)(`a real ${sshd}, over WebRTC`, () => {
  test('is reached at a forwarded port, and through a proxy command', async () => {
    const server = await startSshd(temporaryFolder())
    onTestFinished(() => server.stop())
    const { port, address, key } = await forwardService(server.port, hub.url)
    const atPort = ['-p', String(port), '127.0.0.1']
    expect(await sendThrough([...server.clientOptions, ...atPort])).toBe('equal')

    const command = `'${process.execPath}' '${programFile}' forward --key '${key}' - '${address}'`
    const byProxy = ['-o', `ProxyCommand=${command}`, 'somewhere']
    expect(await sendThrough([...server.clientOptions, ...byProxy])).toBe('equal')
  })
})

/** Whether the far side of `ssh` sees the same bytes, and ends with the exit code that is asked for there. */
async function sendThrough(options: readonly string[]): Promise<string> {
  const child = spawn('ssh', [...options, 'sha256sum; exit 7'], { stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const exited = once(child, 'exit')
  const hash = createHash('sha256')
  const source = randomStream(bytes).on('data', (chunk: Buffer) => hash.update(chunk))
  let seen = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (seen += text))
  await pipeline(source, child.stdin)
  const [code] = (await exited) as [number | null]
  return code === 7 && seen.startsWith(hash.digest('hex')) ? 'equal' : `${code}: ${seen}`
}
