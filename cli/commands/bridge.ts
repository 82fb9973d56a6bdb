import { examples } from '../terminal.ts'
import { lazily } from '../lazily.ts'
import type { Command } from 'commander'

/** `bridge --config FILE`: joins what can not meet, until it is told to end. */
export function addBridge(program: Command): void {
  program
    .command('bridge')
    .summary('join peers that can not meet')
    .description(
      'Passes bytes, which it can not read, between peers that have no way to each other: tunnels lead those who come through a hub to servers that have nothing but a port, and forwards lead old software to peers behind a hub. FILE says which, and is read again at SIGHUP. The addresses that others use are printed.',
    )
    .requiredOption('--config <file>', 'what to do, as JSON: docs/bridge.md has it all')
    .option('--check', 'read FILE, say what is wrong with it, and do nothing else')
    .addHelpText(
      'after',
      examples(
        ['multiserver bridge --config bridge.json', 'until Ctrl-C'],
        ['multiserver bridge --config bridge.json --check', 'before it is restarted'],
      ),
    )
    .action(lazily(async () => (await import('../actions/bridge.ts')).bridge))
}
