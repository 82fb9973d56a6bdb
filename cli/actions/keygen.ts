import { rm } from 'node:fs/promises'
import { keyToString, loadOrCreateKeys } from '../../plugs/keys.ts'
import { CliError } from '../failures.ts'
import { defaultKeyFile, isThere } from '../key-file.ts'
import { print, printJson, say } from '../terminal.ts'

interface KeygenFlags {
  readonly force?: boolean | undefined
  readonly json?: boolean | undefined
}

/** Prints the public half, and nothing else on stdout. */
export async function keygen(
  file: string | undefined,
  { force = false, json = false }: KeygenFlags,
): Promise<void> {
  const path = file ?? defaultKeyFile()
  if (force) await rm(path, { force })
  else if (await isThere(path)) {
    throw new CliError('failed', `${path} is there already`, 'Name another file, or replace it with --force.')
  }
  const publicKey = keyToString((await loadOrCreateKeys(path)).publicKey)
  say(`The key is in ${path}; its public half is`)
  if (json) printJson({ file: path, publicKey })
  else print(publicKey)
}
