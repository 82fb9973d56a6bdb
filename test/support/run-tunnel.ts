import { toBase64 } from '../../core/bytes.ts'
import { streamCases } from '../conformance/stream-cases.ts'
import { secure, transformCases, type TransformHarness } from '../conformance/transform-cases.ts'
import { connectOver, type TransportHarness } from '../conformance/transport-cases.ts'
import { openPlace, serverKey, takeOver, tunnelOf } from '../plugs/tunnel/meeting.ts'
import { runCases } from './run-cases.ts'
import type { Transform } from '../../core/types.ts'

/** The suites of transforms and streams for a tunnel on top of a transport: its ends are those of client and server. */
export function runTunnel(over: string, harness: TransportHarness): void {
  const tunnel: TransformHarness = {
    provesKeys: false,
    pair: () => connectOver(harness),
    create: () => Promise.resolve({ client: tunnelOf(), server: bridgeWithServer() }),
  }
  runCases(`${over}~tunnel as a transform`, transformCases, tunnel)
  runCases(`${over}~tunnel as a stream`, streamCases, {
    halfClose: true,
    backpressure: true,
    async connect() {
      const [client, server] = (await secure(tunnel)).secured
      return { client: client.stream, server: server.stream }
    },
  })
}

/** A bridge and the server behind it as one: the suites need the end where the bytes come out. */
function bridgeWithServer(): Transform {
  return {
    ...tunnelOf(),
    section: () => `tunnel:${toBase64(serverKey)}`,
    async accept(inner) {
      const place = await openPlace()
      const [stream] = await Promise.all([
        place.arrived(),
        takeOver(tunnelOf({ to: () => place.address }), inner),
      ])
      await place.close()
      return { stream }
    },
  }
}
