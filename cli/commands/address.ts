import { addJsonFlag } from '../flags.ts'
import { examples } from '../terminal.ts'
import { lazily } from '../lazily.ts'
import type { Command } from 'commander'

/** `address ADDRESS`: explains it section by section, and says what is wrong where. */
export function addAddress(program: Command): void {
  const command = program
    .command('address')
    .summary('explain and check an address')
    .description(
      'Explains an address section by section: how and where its peer is reached, from where, by which key, and how strong the protocol is. Nothing is connected to. The exit code is 2 when something is wrong.',
    )
    .argument('<address>', 'between quotes: addresses hold characters that shells obey')
    .addHelpText(
      'after',
      examples(
        ["multiserver address 'net:192.0.2.7:8008~shs:KEY;rtc:hub.example.com~shs2:KEY'", 'what it says'],
        ["multiserver address 'ADDRESS' --json | jq .problems", 'what is wrong with it, for a script'],
      ),
    )
    .action(lazily(async () => (await import('../actions/address.ts')).explain))
  addJsonFlag(command)
}
