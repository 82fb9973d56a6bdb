import { CliError } from '../failures.ts'
import { onInterruption, untilInterrupted } from '../interruption.ts'
import { makeListener, sayHowToConnect, startListening } from '../peer.ts'
import { ExposedService, type ServedPeer } from '../services/exposed-service.ts'
import { describeTraffic, trafficStatus } from '../services/words.ts'
import { paint, printSaid, say, showStatus } from '../terminal.ts'
import { describeConnection, shortPeer } from '../words.ts'
import type { ListenFlags, Service } from '../flags.ts'
import type { Connection } from '../../core/multiserver.ts'

/** Until it is told to end. */
export async function expose(target: Service, flags: ListenFlags): Promise<void> {
  if (flags.allow === undefined) {
    throw new CliError(
      'usage',
      'nothing says who may connect',
      'Add --allow KEY for each peer (`multiserver keygen` there prints it), or --allow anyone.',
    )
  }
  const signal = onInterruption()
  const service = new ExposedService(target, sayGone)
  const peer = await makeListener(flags)
  const { address, close } = await startListening(
    peer,
    flags,
    (connection) => {
      service.accept(connection)
      say(describeConnection(connection))
      sayPathChanges(connection)
    },
    signal,
  )
  sayHowToConnect('forward PORT ADDRESS', address)
  printSaid(address)
  const hideStatus = showStatus(() => trafficStatus(service.peers))
  await untilInterrupted(signal)
  hideStatus()
  service.close()
  await close()
}

function sayGone({ connection, traffic }: ServedPeer): void {
  const why = connection.error === undefined ? '' : ` (${connection.error.code})`
  say(`${paint('yellow', 'Gone:')} ${shortPeer(connection)}${why}, after ${describeTraffic(traffic)}`)
}

function sayPathChanges(connection: Connection): void {
  connection.on('path', (path) => say(`${shortPeer(connection)} is reached by the ${path} path now`))
}
