import { argv } from 'node:process'
import { setTimeout } from 'node:timers/promises'
import { parseAddress } from '../core/address.ts'
import { toBase64 } from '../core/bytes.ts'
import { toError } from '../core/errors.ts'
import { MultiServer } from '../core/multiserver.ts'
import { net } from '../plugs/net.ts'
import { rtc } from '../plugs/rtc/index.ts'
import { shs } from '../plugs/shs/index.ts'
import { shs2 } from '../plugs/shs2/index.ts'
import { ws } from '../plugs/ws.ts'
import { lingerMs, liveAsChild, ownKeys, tellAddress } from './demo/child.ts'
import { errorLine, nameOf, NodePeer } from './demo/node-peer.ts'
import { announcedKey, type Hello, type RosterEntry } from './demo/protocol.ts'
import { Roster } from './demo/roster.ts'
import { printerFor } from './demo/terminal.ts'
import { describeConnection } from './demo/words.ts'
import type { Connection } from '../core/connection.ts'
import type { Talk } from './demo/talk.ts'

/**
 * The server of the demo: `demo-server HUB NET_PORT WS_PORT`.
 *
 * It listens on net and ws, keeps the lobby, and greets everyone who can be reached over WebRTC from its side too.
 */
const [hubUrl = 'ws://127.0.0.1:8989', netPort = '0', wsPort = '0'] = argv.slice(2)
const print = printerFor('server')
const mostTries = 5
const retryAfterMs = 2_000
const keys = await ownKeys()
const ms = MultiServer(
  [
    [net({ port: Number(netPort) }), shs2({ keys })],
    [ws({ port: Number(wsPort) }), shs2({ keys })],
    // Without a hub these only dial: each peer as strongly as it can.
    [rtc(), shs2({ keys })],
    [rtc(), shs({ keys })],
  ],
  { lingerMs },
)
const peer = new NodePeer({ hello: () => ({ type: 'hello', ...self() }), print, answer })
const roster = new Roster(() => ({ ...self(), links: peer.links() }))
const server = ms.server(accept, (error) => print(errorLine(error)))
const telling = setInterval(() => roster.tellSoon(), 1_000)
liveAsChild(() => {
  clearInterval(telling)
  return Promise.all([peer.close(), server()])
})
await server.listening.catch(() => process.exit(1))

const address = ms.stringify()
print(`I am the server. I listen on net (TCP) and ws (WebSocket), and I can dial WebRTC.
My address is ${address.split(';').join('\n  or ')}`)
tellAddress(address)

function self(): RosterEntry {
  return { kind: 'server', name: 'server', address: ms.stringify() }
}

function accept(connection: Connection): void {
  peer.talk(connection, {
    onHello: welcome,
    onState: (talk, announced, links) => roster.update(keyOf(talk), talk, announced, links),
    onEnd: forget,
  })
}

function welcome(talk: Talk, hello: Hello): void {
  if (hello.kind === 'server') return
  const isNew = roster.add(keyOf(talk), hello, talk)
  if (isNew && isIntroduced(hello.address)) void greet(talk, hello)
}

function forget(talk: Talk): void {
  if (roster.remove(keyOf(talk), talk)) print(`${talk.hello ? nameOf(talk.hello) : 'a peer'} left the lobby`)
}

/**
 * From the announced address it takes the key only: nobody can send the server to other hosts than its own hub.
 * Who has just lost the hub, because it was started again, is there a little later.
 */
async function greet({ connection }: Talk, hello: Hello): Promise<void> {
  const key = toBase64(connection.remote ?? new Uint8Array())
  for (let tries = 1; roster.has(key); tries++) {
    try {
      const protocol = serves(hello.address, 'shs2') ? 'shs2' : 'shs'
      const back = await ms.client(`${hubUrl.replace('ws://', 'rtc:')}~${protocol}:${key}`)
      peer.talk(back, { onHello: (talk) => sayHello(talk, hello) })
      return
    } catch (thrown) {
      print(`could not dial ${nameOf(hello)} over WebRTC: ${errorLine(toError(thrown, 'CONNECT_FAILED'))}`)
      if (tries === mostTries) return
      await setTimeout(retryAfterMs)
    }
  }
}

function sayHello(talk: Talk, { name }: Hello): void {
  const { transport, path } = describeConnection(talk.connection)
  peer.say(talk, `Hello ${name}! I have dialed you back over ${transport}, ${path}.`)
}

/** Of the machines only the desktop speaks to the server, and it does not answer: no two echoes in a loop. */
function answer(text: string, { connection }: Talk, hello: Hello): string {
  const { transport } = describeConnection(connection)
  if (hello.kind === 'desktop') return 'Welcome! I tell everyone in the lobby how to reach you.'
  return `You said ‘${text.slice(0, 200)}’. I am the server, and it came over ${transport}.`
}

/** Whether the hub introduces the peer itself, and not a bridge to it. */
function isIntroduced(announced: string): boolean {
  return announcedKey(announced) !== null && serves(announced, 'rtc') && !serves(announced, 'tunnel')
}

/** Whether one of its alternatives has a section with that name. */
function serves(announced: string, name: string): boolean {
  return parseAddress(announced).some((sections) => sections.some((section) => section.name === name))
}

function keyOf({ connection }: Talk): string {
  return toBase64(connection.remote ?? new Uint8Array())
}
