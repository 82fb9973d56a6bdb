import { addDialFlags } from '../flags.ts'
import { examples } from '../terminal.ts'
import { lazily } from '../lazily.ts'
import type { Command } from 'commander'

/** `connect ADDRESS`: stdin to a peer, and what it sends to stdout. */
export function addConnect(program: Command): void {
  const command = program
    .command('connect')
    .summary('join stdin and stdout with a peer')
    .description(
      'Connects to the strongest alternative of ADDRESS. What comes in on stdin is sent, what is received is printed, and the end of each is passed on. It ends once both have.',
    )
    .argument('<address>', 'where to, between quotes: addresses hold characters that shells obey')
  addDialFlags(command)
    .option('-v, --verbose', 'say on stderr how it was connected')
    .addHelpText(
      'after',
      examples(
        ["multiserver connect 'rtc:hub.example.com~shs2:KEY'", 'talk to whoever listens there'],
        [
          "tar -c folder | multiserver connect 'ADDRESS'",
          'send a folder; there: multiserver listen … < /dev/null | tar -x',
        ],
      ),
    )
    .action(lazily(async () => (await import('../actions/connect.ts')).connect))
}
