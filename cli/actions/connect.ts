import { onInterruption } from '../interruption.ts'
import { dial, makeDialer } from '../peer.ts'
import { joinStdio } from '../stdio.ts'
import { say } from '../terminal.ts'
import { describeConnection } from '../words.ts'
import type { DialFlags } from '../flags.ts'

interface ConnectFlags extends DialFlags {
  readonly verbose?: boolean | undefined
}

/** Until both directions have ended. */
export async function connect(address: string, flags: ConnectFlags): Promise<void> {
  const signal = onInterruption()
  const connection = await dial(await makeDialer(flags), address, flags, signal)
  if (flags.verbose === true || process.stdin.isTTY) say(describeConnection(connection))
  await joinStdio(connection, signal)
  await connection.close()
}
