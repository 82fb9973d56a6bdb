import { untilAborted } from '../../core/deadline.ts'
import { MultiserverError } from '../../core/errors.ts'
import { addListenFlags, type ListenFlags } from '../flags.ts'
import { onInterruption } from '../interruption.ts'
import { makeListener, sayHowToConnect, startListening } from '../peer.ts'
import { joinStdio } from '../stdio.ts'
import { examples, say } from '../terminal.ts'
import { describeConnection } from '../words.ts'
import type { Connection } from '../../core/multiserver.ts'
import type { Command } from 'commander'

/** `listen [ADDRESS-PATTERN…]`: waits for one peer, and is then what `connect` is. */
export function addListen(program: Command): void {
  const command = program
    .command('listen')
    .summary('the same for the peer who waits')
    .description(
      'Waits for one connection and says on stderr how others connect. What comes in on stdin is sent, what is received is printed, and the end of each is passed on. It ends once both have. A pattern is an address without keys.',
    )
    .argument('[pattern...]', "where to listen beside the flags: 'net:0.0.0.0:8008~shs'")
  addListenFlags(command)
    .addHelpText(
      'after',
      examples(
        ['multiserver listen --hub hub.example.com', 'from behind any NAT, introduced by a hub'],
        ['multiserver listen --net 8008 --scope local > file', 'in the local network'],
        [
          "multiserver listen 'net:0.0.0.0:8008~shs' --allow KEY",
          'for software that speaks shs only, and one key',
        ],
        ['multiserver listen --hub hub.example.com | tar -x', 'receive a folder'],
      ),
    )
    .action(listen)
}

async function listen(patterns: readonly string[], flags: ListenFlags): Promise<void> {
  const signal = onInterruption()
  const peer = await makeListener(flags, patterns)
  let take: ((connection: Connection) => void) | undefined
  const first = new Promise<Connection>((resolve) => (take = resolve))
  const { address, close } = await startListening(
    peer,
    flags,
    (connection) => {
      if (take === undefined) return connection.abort(new MultiserverError('BUSY'))
      take(connection)
      take = undefined
    },
    signal,
  )
  try {
    sayHowToConnect('connect ADDRESS', address)
    const connection = await untilAborted(first, signal, (late) => late.abort())
    say(describeConnection(connection))
    await joinStdio(connection, signal)
  } finally {
    await close()
  }
}
