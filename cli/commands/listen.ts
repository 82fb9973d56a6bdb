import { addListenFlags } from '../flags.ts'
import { examples } from '../terminal.ts'
import { lazily } from '../lazily.ts'
import type { Command } from 'commander'

/** `listen [ADDRESS-PATTERN…]`: waits for one peer, and is then what `connect` is. */
export function addListen(program: Command): void {
  const command = program
    .command('listen')
    .summary('the same, for the side that waits')
    .description(
      'Waits for one connection and says on stderr how others connect. What comes in on stdin is sent, what is received is printed, and the end of each is passed on. It ends once both have. A pattern is an address without keys.',
    )
    .argument('[pattern...]', "where to listen beside the flags: 'net:0.0.0.0:8008~shs'")
  addListenFlags(command)
    .addHelpText(
      'after',
      examples(
        ['multiserver listen --hub hub.example.com', 'from behind any NAT, introduced by a hub'],
        [
          'multiserver listen --net 8008 --scope local < /dev/null > file',
          'receive a file in the local network; nothing is sent back',
        ],
        [
          "multiserver listen 'net:0.0.0.0:8008~shs' --allow KEY",
          'for software that speaks shs only, and one key',
        ],
        ['multiserver listen --hub hub.example.com < /dev/null | tar -x', 'receive a folder'],
      ),
    )
    .action(lazily(async () => (await import('../actions/listen.ts')).listen))
}
