import { afterAll } from 'vitest'
import { createIdentity, ready } from '../../core/ed25519.ts'
import memory from '../../plugs/memory.ts'
import net from '../../plugs/net.ts'
import rtc from '../../plugs/rtc/index.ts'
import shs from '../../plugs/shs/index.ts'
import shs2 from '../../plugs/shs2/index.ts'
import ws from '../../plugs/ws.ts'
import { generateKeys } from '../../plugs/keys.ts'
import { startHub } from '../../signal-server/index.ts'
import { runCases } from '../support/run-cases.ts'
import { runSecured } from '../support/run-secured.ts'
import { streamCases } from './stream-cases.ts'
import { connectOver, transportCases, type TransportHarness } from './transport-cases.ts'

await ready()
const hub = await startHub({ port: 0, exemptLoopback: true })
afterAll(() => hub.close())
const keys = await generateKeys()
const identity = createIdentity(keys)

let names = 0
const harnesses: Record<string, TransportHarness & { halfClose: boolean }> = {
  memory: {
    create: () => memory({ name: `conformance ${names++}` }),
    deadSection: 'memory:nobody',
    halfClose: true,
  },
  // Port 9 (discard) is free on every machine that runs tests.
  net: { create: () => net(), deadSection: 'net:localhost:9', halfClose: true },
  ws: { create: () => ws(), deadSection: 'ws://localhost:9', halfClose: false },
  rtc: {
    create: () => rtc({ hub: hub.url }),
    deadSection: `rtc:${new URL(hub.url).host}`,
    halfClose: true,
    identity,
    remoteKey: keys.publicKey,
  },
}

for (const [name, harness] of Object.entries(harnesses)) {
  runCases(`${name} as a transport`, transportCases, harness)
  runCases(`${name} as a stream`, streamCases, {
    halfClose: harness.halfClose,
    backpressure: true,
    async connect() {
      const [client, server] = await connectOver(harness)
      return { client, server }
    },
  })
}

for (const [over, harness] of Object.entries(harnesses)) {
  for (const transform of [shs, shs2]) runSecured(over, harness, transform, { generateKeys })
}
