import memory from '../../plugs/memory.ts'
import net from '../../plugs/net.ts'
import { runTunnel } from '../support/run-tunnel.ts'

let names = 0
runTunnel('memory', {
  create: () => memory({ name: `tunnels ${names++}` }),
  deadSection: 'memory:nobody',
})
runTunnel('net', { create: () => net(), deadSection: 'net:localhost:9' })
