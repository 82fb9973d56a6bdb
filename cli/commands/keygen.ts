import { addJsonFlag } from '../flags.ts'
import { examples } from '../terminal.ts'
import { lazily } from '../lazily.ts'
import type { Command } from 'commander'

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
    .action(lazily(async () => (await import('../actions/keygen.ts')).keygen))
  addJsonFlag(command)
}
