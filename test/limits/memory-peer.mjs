/**
 * One end of a connection in a process of its own, told what to do by its parent:
 * `reader` listens and reads as long as it may, `writer` dials and offers 1 GiB beyond the warm-up.
 */
import MultiServer from 'multiserver'
import { keysFromSeed } from 'multiserver/keys'
import net from 'multiserver/plugs/net'
import rtc from 'multiserver/plugs/rtc'
import shs from 'multiserver/plugs/shs'
import ws from 'multiserver/plugs/ws'
import { measureMemory } from '../support/measure-memory.mjs'

const warmUpBytes = 32 * 1024 * 1024
const offeredBytes = 1024 * 1024 * 1024
const [, , role, transport, where] = process.argv
const transports = {
  net: () => net({ port: 0 }),
  ws: () => ws({ port: 0 }),
  rtc: () => rtc({ hub: role === 'reader' ? where : undefined }),
  // No candidate of its own is a relayed one: the way through the hub is all that is left.
  'the relay of a hub': () =>
    rtc({ hub: role === 'reader' ? where : undefined, relay: 'first', iceTransportPolicy: 'relay' }),
}
const keys = await keysFromSeed(new Uint8Array(32).fill(role === 'reader' ? 1 : 2))
const ms = MultiServer([[transports[transport](), shs({ keys })]])
let written = 0

process.on('message', (message) => {
  if (message === 'measure') process.send({ memory: measureMemory(), written })
})

if (role === 'reader') {
  const close = ms.server(read)
  await close.listening
  process.send({ address: ms.stringify() })
} else await write(await ms.client(where))

async function read(connection) {
  for (let bytes = 0; bytes < warmUpBytes;) bytes += (await connection.read()).length
  process.send({ isWarm: true })
}

async function write(connection) {
  const chunk = new Uint8Array(64 * 1024)
  for (; written < warmUpBytes; written += chunk.length) await connection.write(chunk)
  process.send({ isWarm: true })
  await new Promise((resolve) => process.on('message', (message) => message === 'go' && resolve()))
  for (; written < warmUpBytes + offeredBytes; written += chunk.length) await connection.write(chunk)
}
