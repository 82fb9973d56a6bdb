import { argv } from 'node:process'
import { toError } from '../core/errors.ts'
import { MultiServer } from '../core/multiserver.ts'
import { generateKeys } from '../plugs/keys.ts'
import { net } from '../plugs/net.ts'
import { rtc } from '../plugs/rtc/index.ts'
import { shs } from '../plugs/shs/index.ts'
import { lingerMs, liveAsChild, tellAddress } from './demo/child.ts'
import { errorLine, NodePeer } from './demo/node-peer.ts'
import { printerFor } from './demo/terminal.ts'
import { describeConnection } from './demo/words.ts'
import type { Hello, RosterEntry } from './demo/protocol.ts'
import type { Talk } from './demo/talk.ts'

/**
 * A desktop behind its router: `demo-desktop HUB SERVER_ADDRESS`.
 *
 * No socket of it listens. Others reach it over WebRTC through the hub; the server it dials by itself, over net.
 */
const [hubUrl = 'ws://127.0.0.1:8989', serverAddress = ''] = argv.slice(2)
const print = printerFor('desktop')
const keys = await generateKeys()
const secret = shs({ keys })
const stacks = [
  [rtc({ hub: hubUrl }), secret],
  [net({ listen: false }), secret],
] as const
const ms = MultiServer(stacks, { lingerMs })

let isStopping = false
let again: ReturnType<typeof setTimeout> | undefined
let known = ''
const peer = new NodePeer({ hello: introduceMyself, print, answer })
const server = ms.server(
  (connection) => void peer.talk(connection),
  (error) => print(errorLine(error)),
)
liveAsChild(async () => {
  isStopping = true
  clearTimeout(again)
  await Promise.all([peer.close(), server()])
})
await server.listening.catch((thrown: unknown) => {
  print(errorLine(toError(thrown, 'LISTEN_FAILED')))
  process.exit(1)
})

const address = ms.stringify()
print(`I am a desktop. No socket of mine listens: the hub introduces me, and WebRTC does the rest.
My address is ${address}`)
tellAddress(address)
await joinLobby()

function introduceMyself(): Hello {
  return { type: 'hello', kind: 'desktop', name: 'desktop', address: ms.stringify() }
}

async function joinLobby(): Promise<void> {
  try {
    const connection = await ms.client(serverAddress)
    if (isStopping) return connection.abort()
    peer.talk(connection, {
      onHello: (talk) => peer.say(talk, 'Hello server, I am the desktop.'),
      onRoster,
      onEnd: joinLater,
    })
  } catch (thrown) {
    print(`can not reach the server: ${errorLine(toError(thrown, 'CONNECT_FAILED'))}`)
    joinLater()
  }
}

function joinLater(): void {
  if (!isStopping) again = setTimeout(() => void joinLobby(), 2_000)
}

function onRoster(peers: readonly RosterEntry[]): void {
  const others = peers
    .filter((other) => other.address !== address)
    .map(({ kind, name }) => (kind === name ? kind : name))
  const there = others.join(', ')
  if (there === known) return
  known = there
  print(`In the lobby with me: ${there === '' ? 'nobody' : there}`)
}

/** People get an answer; the server does not, for it would answer again. */
function answer(text: string, { connection }: Talk, hello: Hello): string | undefined {
  if (hello.kind !== 'browser') return undefined
  const { transport, path } = describeConnection(connection)
  return `You said ‘${text.slice(0, 200)}’. I am the desktop, and it came over ${transport}, ${path}.`
}
