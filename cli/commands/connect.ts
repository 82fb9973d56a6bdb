import { addDialFlags, type DialFlags } from '../flags.ts'
import { onInterruption } from '../interruption.ts'
import { dial, makeDialer } from '../peer.ts'
import { joinStdio } from '../stdio.ts'
import { examples, say } from '../terminal.ts'
import { describeConnection } from '../words.ts'
import type { Command } from 'commander'

interface ConnectFlags extends DialFlags {
  readonly verbose?: boolean | undefined
}

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
          'send a folder; there: multiserver listen … | tar -x',
        ],
        [
          'ssh -o ProxyCommand="multiserver connect \'ADDRESS\'" me@there',
          'ssh to where `multiserver expose 127.0.0.1:22` is not needed: listen passes one connection',
        ],
      ),
    )
    .action(connect)
}

async function connect(address: string, flags: ConnectFlags): Promise<void> {
  const signal = onInterruption()
  const connection = await dial(await makeDialer(flags), address, flags, signal)
  if (flags.verbose === true || process.stdin.isTTY) say(describeConnection(connection))
  await joinStdio(connection, signal)
}
