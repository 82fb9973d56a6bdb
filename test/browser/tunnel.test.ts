import memory from '../../plugs/memory.ts'
import { runTunnel } from '../support/run-tunnel.ts'

// The bridge and the server behind it are in this page too; test/e2e/bridge.test.ts has them elsewhere, behind a hub.
let names = 0
runTunnel('memory', {
  create: () => memory({ name: `tunnels ${names++}` }),
  deadSection: 'memory:nobody',
})
