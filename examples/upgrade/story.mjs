// How a network moves from one protocol to a stronger one without negotiating, in one process, with a hub for the lookup.
//   node examples/upgrade/story.mjs
import { generateKeys, keyToString } from 'multiserver/keys'
import { startHub } from 'multiserver/signal-server'
import { ask, lookUpAndAsk, newClient, oldClient } from './clients.mjs'
import { startServer } from './server.mjs'

const appKey = new Uint8Array(32).fill(1) // the same for everybody in the network
const hub = await startHub()
const keys = await generateKeys()
const key = keyToString(keys.publicKey)
const old = oldClient({ keys: await generateKeys(), appKey })
const modern = newClient({ keys: await generateKeys(), appKey })

console.log('1. The server serves shs.')
let server = await startServer({ hub: hub.url, keys, appKey, ports: { shs: 0 } })
// What people have written down, and what stands in old configuration files.
const writtenDown = server.address
const port = Number(writtenDown.match(/:(\d+)~/)[1])
console.log('   old client, by the address that it has:', await ask(old, writtenDown))
console.log('   new client, by lookup:', await lookUpAndAsk(modern, hub.url, key))
await server.close()

console.log('2. It serves shs2 beside it, on another port.')
server = await startServer({ hub: hub.url, keys, appKey, ports: { shs: port, shs2: 0 } })
console.log('   old client, by the address that it has:', await ask(old, writtenDown))
console.log('   old client, by lookup:', await lookUpAndAsk(old, hub.url, key))
console.log('   new client, by the old address:', await ask(modern, writtenDown))
console.log('   new client, by lookup:', await lookUpAndAsk(modern, hub.url, key))
await server.close()

console.log('3. Most have moved; shs is switched off.')
server = await startServer({ hub: hub.url, keys, appKey, ports: { shs2: 0 } })
console.log('   new client, by lookup:', await lookUpAndAsk(modern, hub.url, key))
console.log('   old client, by lookup:', await lookUpAndAsk(old, hub.url, key))
console.log('   old client, by the address that it has:', await ask(old, writtenDown))
await server.close()

await hub.close()
