import { createHash, randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { watchTransfer, type TransferProcess } from '../netlab/transfer-process.ts'
import { start } from './command.ts'

export type { TransferProcess } from '../netlab/transfer-process.ts'

/** `multiserver receive --json`, as built; it is killed at the end of the test. */
export function startReceive(folder: string, ...args: readonly string[]): TransferProcess {
  return watchTransfer(start(['receive', folder, '--json', ...args]).child)
}

/** `multiserver send --json`, in the same way. */
export function startSend(...args: readonly string[]): TransferProcess {
  return watchTransfer(start(['send', '--json', ...args]).child)
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
