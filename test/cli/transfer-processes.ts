import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { watchTransfer, type TransferProcess } from '../netlab/transfer-process.ts'

export type { TransferProcess } from '../netlab/transfer-process.ts'

/** As built. */
export const program = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
/** Whoever runs the tests may have peers of their own. */
export const appKey = Buffer.alloc(32, 'transfer tests').toString('base64')

/** `multiserver receive` in a process of its own, which is killed at the end of the test. */
export function startReceive(folder: string, ...args: readonly string[]): TransferProcess {
  return start(['receive', folder, ...args])
}

/** `multiserver send`, in the same way. */
export function startSend(...args: readonly string[]): TransferProcess {
  return start(['send', ...args])
}

function start(args: readonly string[]): TransferProcess {
  const child = spawn(process.execPath, [program, ...args, '--json', '--app-key', appKey], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // Nor is their own key taken.
    env: { ...process.env, XDG_CONFIG_HOME: '/nonexistent' },
  })
  const transfer = watchTransfer(child)
  onTestFinished(() => transfer.kill())
  return transfer
}

/** A folder of this test. */
export async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'multiserver-transfer-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A file of so many random bytes; its SHA-256 in hex. */
export async function makeFile(path: string, bytes: number): Promise<string> {
  await writeFile(path, randomBytes(bytes))
  return sha256Of(path)
}

export async function sha256Of(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
}
