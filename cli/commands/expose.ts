import { CliError } from '../failures.ts'
import { addListenFlags, parseService, type ListenFlags } from '../flags.ts'
import { onInterruption, untilInterrupted } from '../interruption.ts'
import { makeListener, sayHowToConnect, startListening } from '../peer.ts'
import { ExposedService, type ServedPeer } from '../services/exposed-service.ts'
import { describeTraffic, trafficStatus } from '../services/words.ts'
import { examples, paint, printSaid, say, showStatus } from '../terminal.ts'
import { describeConnection, shortPeer } from '../words.ts'
import type { Connection } from '../../core/multiserver.ts'
import type { Service } from '../flags.ts'
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
    .action(expose)
}

async function expose(target: Service, flags: ListenFlags): Promise<void> {
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
