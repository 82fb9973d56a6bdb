// A server with two security protocols, with `import`. The newer one is served beside the older one: peers that know
// it dial it, the others go on as before, and one day the older one is closed down without a trace.
import MultiServer from 'multiserver'
import net from 'multiserver/plugs/net'
import shs from 'multiserver/plugs/shs'
import shs2 from 'multiserver/plugs/shs2'
import { generateKeys, keyToString } from 'multiserver/keys'

const appKey = new Uint8Array(32).fill(1) // the same for everybody in a network
const friends = new Set()

const keys = await generateKeys()
const auth = (key) => friends.has(keyToString(key))
const ms = MultiServer([
  [net({ port: 3333 }), shs({ keys, appKey, auth })],
  [net({ port: 4444 }), shs2({ keys, appKey, auth })],
])

const close = ms.server(async (stream) => {
  for await (const chunk of stream) await stream.write(chunk)
  await stream.close()
})
await close.listening
console.log(ms.stringify()) // net:localhost:3333~shs:KEY;net:localhost:4444~shs2:KEY

const myKeys = await generateKeys()
friends.add(keyToString(myKeys.publicKey))

// An old client knows the older protocol only.
const old = MultiServer([[net(), shs({ keys: myKeys, appKey })]])
// A new one knows both, and takes the stronger.
const modern = MultiServer([
  [net(), shs({ keys: myKeys, appKey })],
  [net(), shs2({ keys: myKeys, appKey })],
])

for (const client of [old, modern]) {
  const stream = await client.client(ms.stringify())
  await stream.write(new TextEncoder().encode(`hello over ${stream.address.match(/~(\w+)/)[1]}`))
  console.log(new TextDecoder().decode(await stream.read()))
  await stream.close()
}
await close()
