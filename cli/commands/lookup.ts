import { addJsonFlag, hubOption, parsePublicKey } from '../flags.ts'
import { examples } from '../terminal.ts'
import { lazily } from '../lazily.ts'
import type { Command } from 'commander'

/** `lookup KEY`: the address that a key has signed and published. */
export function addLookup(program: Command): void {
  const command = program
    .command('lookup')
    .summary('find the address of a key')
    .description(
      'Asks a hub what a key serves now, believes nothing that the key has not signed, and prints the address to dial.',
    )
    .argument('<key>', 'the public key of the peer', parsePublicKey)
    .addOption(hubOption('the hub to ask'))
    .option('--allow-private', 'addresses of local networks too, although the hub is a public one')
    .option(
      '--all',
      'print all that was signed, one alternative a line, also what can not be dialed from here',
    )
    .addHelpText(
      'after',
      examples(
        ['multiserver lookup KEY --hub hub.example.com', 'what it serves now'],
        ['multiserver connect "$(multiserver lookup KEY --hub hub.example.com)"', 'and connect to it'],
      ),
    )
    .action(lazily(async () => (await import('../actions/lookup.ts')).find))
  addJsonFlag(command)
}
