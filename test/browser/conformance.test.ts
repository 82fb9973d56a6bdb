import { beforeAll, inject } from 'vitest'
import { createIdentity, ready } from '../../core/ed25519.ts'
import { generateKeys } from '../../plugs/keys.browser.ts'
import memory from '../../plugs/memory.ts'
import rtc from '../../plugs/rtc/index.ts'
import shs from '../../plugs/shs/index.ts'
import shs2 from '../../plugs/shs2/index.ts'
import ws from '../../plugs/ws.browser.ts'
import { streamCases } from '../conformance/stream-cases.ts'
import { connectOver, transportCases, type TransportHarness } from '../conformance/transport-cases.ts'
import { runCases } from '../support/run-cases.ts'
import { runSecured } from '../support/run-secured.ts'
import { withRemoteListener } from './remote-transport.ts'

const hubUrl = inject('hubUrl')
const wsHostUrl = inject('wsHostUrl')
const keys = await generateKeys()

beforeAll(ready)

let names = 0
const harnesses: Record<string, TransportHarness & { halfClose: boolean; backpressure: boolean }> = {
  memory: {
    create: () => memory({ name: `conformance ${names++}` }),
    deadSection: 'memory:nobody',
    halfClose: true,
    backpressure: true,
  },
  // Both ends are in this page; only the hub is not.
  rtc: {
    create: () => rtc({ hub: hubUrl }),
    deadSection: `rtc:${new URL(hubUrl).host}`,
    halfClose: true,
    backpressure: true,
    identity: await createReadyIdentity(),
    remoteKey: keys.publicKey,
  },
  // The page dials; what accepts is in Node. One direction can't pause its sender: ws.test.ts has what both can do.
  ws: {
    create: () => withRemoteListener(ws(), wsHostUrl),
    deadSection: 'ws://localhost:9',
    halfClose: false,
    backpressure: false,
  },
}

for (const [name, harness] of Object.entries(harnesses)) {
  runCases(`${name} as a transport`, transportCases, harness)
  runCases(`${name} as a stream`, streamCases, {
    halfClose: harness.halfClose,
    backpressure: harness.backpressure,
    async connect() {
      const [client, server] = await connectOver(harness)
      return { client, server }
    },
  })
}

for (const [over, harness] of Object.entries(harnesses)) {
  for (const transform of [shs, shs2])
    runSecured(over, harness, transform, { generateKeys, backpressure: harness.backpressure })
}

async function createReadyIdentity(): Promise<ReturnType<typeof createIdentity>> {
  await ready()
  return createIdentity(keys)
}
