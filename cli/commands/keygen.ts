import { rm } from 'node:fs/promises'
import { keyToString, loadOrCreateKeys } from '../../plugs/keys.ts'
import { CliError } from '../failures.ts'
import { addJsonFlag } from '../flags.ts'
import { defaultKeyFile, isThere } from '../key-file.ts'
import { examples, print, printJson, say } from '../terminal.ts'
import type { Command } from 'commander'

interface KeygenFlags {
  readonly force?: boolean | undefined
  readonly json?: boolean | undefined
}

/** `keygen [FILE]`: makes a key, and prints the public half. */
export function addKeygen(program: Command): void {
  const command = program
    .command('keygen')
    .summary('make a key')
    .description(
      'Makes a key in FILE, for your eyes only (mode 0600), and prints its public half, which others may know. Without FILE it is your own, ~/.config/multiserver/key.json, which commands that dial then use.',
    )
    .argument('[file]', 'where to put it')
    .option('--force', 'replace the key that is there: nobody will know you by the old one any more')
    .addHelpText(
      'after',
      examples(
        ['multiserver keygen', 'your own key'],
        ['multiserver keygen server.json', 'a key for something that listens'],
        ['multiserver keygen --json server.json | jq -r .publicKey', 'in a script'],
      ),
    )
    .action(keygen)
  addJsonFlag(command)
}

async function keygen(file: string | undefined, { force = false, json = false }: KeygenFlags): Promise<void> {
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
