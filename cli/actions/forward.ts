import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { untilAborted } from '../../core/deadline.ts'
import { fromDuplex } from '../../plugs/duplex.ts'
import { CliError, describeBriefly, describeFailure, exitOf } from '../failures.ts'
import { onInterruption } from '../interruption.ts'
import { dial, makeDialer, type Peer } from '../peer.ts'
import { Forwarder } from '../services/forwarder.ts'
import { leaveSession, openClientSession, openStream, untilDelivered } from '../services/http2.ts'
import { limits } from '../services/limits.ts'
import { trafficStatus } from '../services/words.ts'
import { joinStdio } from '../stdio.ts'
import { paint, printSaid, say, showStatus } from '../terminal.ts'
import { describeConnection } from '../words.ts'
import type { DialFlags, Service } from '../flags.ts'
import type { MultiserverError } from '../../core/errors.ts'
import type { Connection } from '../../core/multiserver.ts'

interface ForwardFlags extends DialFlags {
  /** Seconds. */
  readonly wait: number
}

/** Until it is told to end; with `-`, until both directions have. */
export async function forward(place: Service | '-', address: string, flags: ForwardFlags): Promise<void> {
  const signal = onInterruption()
  const peer = await makeDialer(flags)
  if (place === '-') await forwardStdio(await dial(peer, address, flags, signal), signal)
  else await forwardPort(peer, place, address, flags, signal)
}

/** One TCP connection's worth, as a proxy of ssh. */
async function forwardStdio(connection: Connection, signal: AbortSignal): Promise<void> {
  const session = openClientSession(connection)
  try {
    const stream = await untilAborted(openStream(session), signal, () => undefined)
    if (typeof stream === 'string') {
      throw (
        connection.error ??
        new CliError(
          'unreachable',
          'the service behind that peer does not answer',
          'See that it runs there, at the port that `multiserver expose` names.',
        )
      )
    }
    await joinStdio(fromDuplex(stream), signal)
    await untilAborted(untilDelivered(session), signal, () => undefined)
    if (connection.error !== undefined) throw connection.error
  } finally {
    await leaveSession(session, connection)
  }
}

async function forwardPort(
  peer: Peer,
  place: Service,
  address: string,
  flags: ForwardFlags,
  signal: AbortSignal,
): Promise<void> {
  let hasConnected = false
  const forwarder = new Forwarder({
    dial: (over) => dial(peer, address, flags, over),
    waitMs: flags.wait * 1000,
    onConnected(connection) {
      hasConnected = true
      say(describeConnection(connection))
      connection.on('path', (path) => say(`The path is ${path} now.`))
    },
    onFailed(error, againMs) {
      if (!hasConnected && !mayPass(error)) throw error
      const remedies = hasConnected ? [] : describeFailure(error).slice(1)
      const again = `trying again in ${(againMs / 1000).toFixed(1)} s`
      say(`${paint('yellow', 'Not connected:')} ${describeBriefly(error).replace(/\.$/, '')}; ${again}`)
      for (const line of remedies) say(line)
    },
  })
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (socket) => {
    void forwarder.accept(socket)
  })
  server.maxConnections = limits.streamsPerPeer
  const port = await listenAt(server, place)
  say(`${paint('green', 'Listening')} on ${place.host}, port ${port}`)
  printSaid(String(port))
  const hideStatus = showStatus(() => statusOf(forwarder))
  try {
    await forwarder.run(signal)
  } finally {
    hideStatus()
    server.close()
  }
}

/** What is not there may come; an address that is wrong, or a no, will not change by itself. */
function mayPass(error: MultiserverError): boolean {
  const exit = exitOf(error)
  return exit === 'unreachable' || exit === 'broken'
}

async function listenAt(server: Server, { host, port }: Service): Promise<number> {
  server.listen(port, host)
  try {
    await once(server, 'listening')
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : String(thrown)
    throw new CliError(
      'failed',
      `can not listen on ${host}:${port}: ${why}`,
      'Choose another port, or 0.',
      thrown,
    )
  }
  // Of single connections, as when there are no file numbers left: it goes on.
  server.on('error', (error) => say(`${paint('yellow', 'A connection failed:')} ${error.message}`))
  const bound = server.address()
  return typeof bound === 'object' && bound !== null ? bound.port : port
}

function statusOf({ carrier, waiting }: Forwarder): string {
  const waits = waiting === 0 ? '' : `  ·  ${waiting} waiting`
  const status = carrier === undefined ? paint('yellow', 'not connected') : trafficStatus([carrier])
  return `${status}${waits}`
}
