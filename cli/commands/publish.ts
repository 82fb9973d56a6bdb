import { Option, type Command } from 'commander'
import { hubOption, parseNumber } from '../flags.ts'
import { examples } from '../terminal.ts'
import { lazily } from '../lazily.ts'

/** `publish ADDRESS`: keeps a signed record of it at a hub. */
export function addPublish(program: Command): void {
  program
    .command('publish')
    .summary('publish an address under its key')
    .description(
      'Signs ADDRESS and keeps it at a hub, so that `lookup` finds it by its key, until this is ended. What listens with --hub does that by itself; this is for servers of other kinds.',
    )
    .argument('<address>', 'what the key serves; it must end in the key')
    .addOption(hubOption('the hub to publish at'))
    .option('--key <file>', 'the key that the address names (default: what keygen made)')
    .option('--listed', 'the hub may show it to those who do not know the key')
    .addOption(
      new Option('--life <seconds>', 'how long it is good for when this ends without a goodbye')
        .argParser((text) => parseNumber(text, 1, 86_400))
        .default(3600),
    )
    .addHelpText(
      'after',
      examples([
        "multiserver publish 'net:example.com:8008~shs:KEY' --key server.json --hub hub.example.com",
        'an old server that is reached over TCP',
      ]),
    )
    .action(lazily(async () => (await import('../actions/publish.ts')).publishUntilEnd))
}
