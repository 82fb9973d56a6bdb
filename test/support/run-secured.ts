import { streamCases } from '../conformance/stream-cases.ts'
import { secure, transformCases, type TransformHarness } from '../conformance/transform-cases.ts'
import { connectOver, type TransportHarness } from '../conformance/transport-cases.ts'
import { runCases } from './run-cases.ts'
import type { Keys } from '../../plugs/key-pair.ts'
import type { Transform } from '../../core/types.ts'

export interface SecuredOptions {
  /** Of the transport. @default true */
  readonly backpressure?: boolean | undefined
  readonly generateKeys: () => Promise<Keys>
}

/** The suites of transforms and streams for `transform` on top of a transport. */
export function runSecured(
  over: string,
  harness: TransportHarness,
  transform: (options: { keys: Keys }) => Transform,
  { backpressure = true, generateKeys }: SecuredOptions,
): void {
  const secured: TransformHarness = {
    pair: () => connectOver(harness),
    async create() {
      return {
        client: transform({ keys: await generateKeys() }),
        server: transform({ keys: await generateKeys() }),
      }
    },
  }
  const name = `${over}~${transform.name}`
  runCases(`${name} as a transform`, transformCases, secured)
  // Goodbye is said within the layer, so a direction can end also where the transport has no half-close.
  runCases(`${name} as a stream`, streamCases, {
    halfClose: true,
    backpressure,
    async connect() {
      const [client, server] = (await secure(secured)).secured
      return { client: client.stream, server: server.stream }
    },
  })
}
