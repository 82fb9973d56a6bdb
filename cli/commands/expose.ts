import { addListenFlags, parseService } from '../flags.ts'
import { examples } from '../terminal.ts'
import { lazily } from '../lazily.ts'
import type { Command } from 'commander'

/** `expose HOST:PORT`: a TCP service, for peers who could not reach it. */
export function addExpose(program: Command): void {
  const command = program
    .command('expose')
    .summary('give a TCP service to peers')
    .description(
      'Gives a TCP service to peers, also where nobody can connect to this machine. They run `multiserver forward` with the address that is printed. Only the keys that --allow names come in, and they reach this one service and nothing else.',
    )
    .argument('<service>', 'what to give: PORT of this machine, or HOST:PORT', parseService)
  addListenFlags(command)
    .addHelpText(
      'after',
      examples(
        [
          'multiserver expose 22 --allow KEY --hub hub.example.com --key home.json',
          'ssh to this machine, from anywhere',
        ],
        [
          'multiserver expose 8080 --allow anyone --hub hub.example.com',
          'a web server, for all who know the address',
        ],
      ),
    )
    .action(lazily(async () => (await import('../actions/expose.ts')).expose))
}
