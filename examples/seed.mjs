// A server with a security protocol, with `import`. The newer protocol is served beside the older one: peers that
// know it dial it, the others go on as before, and one day the older one is closed down without a trace.
import MultiServer from 'multiserver'
import net from 'multiserver/plugs/net'
import shs from 'multiserver/plugs/shs'
import ws from 'multiserver/plugs/ws'
import { generateKeys, keyToString } from 'multiserver/keys'

const appKey = new Uint8Array(32).fill(1) // the same for everybody in a network
const friends = new Set()

const keys = await generateKeys()
const ms = MultiServer([
  [net({ port: 3333 }), shs({ keys, appKey, auth: (key) => friends.has(keyToString(key)) })],
  [ws({ port: 4444 }), shs({ keys, appKey, auth: (key) => friends.has(keyToString(key)) })],
])

const close = ms.server(async (stream) => {
  for await (const chunk of stream) await stream.write(chunk)
  await stream.close()
})
await close.listening
console.log(ms.stringify()) // net:localhost:3333~shs:KEY;ws://localhost:4444~shs:KEY

const myKeys = await generateKeys()
friends.add(keyToString(myKeys.publicKey))
const me = MultiServer([
  [net(), shs({ keys: myKeys, appKey })],
  [ws(), shs({ keys: myKeys, appKey })],
])

for (const address of ms.stringify().split(';')) {
  const stream = await me.client(address)
  await stream.write(new TextEncoder().encode(`hello over ${address.split(/\W/)[0]}`))
  console.log(new TextDecoder().decode(await stream.read()))
  await stream.close()
}
await close()
