import { untilAborted } from '../../core/deadline.ts'
import { MultiserverError } from '../../core/errors.ts'
import { onInterruption } from '../interruption.ts'
import { makeListener, sayHowToConnect, startListening } from '../peer.ts'
import { joinStdio } from '../stdio.ts'
import { say } from '../terminal.ts'
import { describeConnection } from '../words.ts'
import type { ListenFlags } from '../flags.ts'
import type { Connection } from '../../core/multiserver.ts'

/** Until both directions of the first connection have ended. */
export async function listen(patterns: readonly string[], flags: ListenFlags): Promise<void> {
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
