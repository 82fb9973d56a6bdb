import { argv } from 'node:process'
import { toError } from '../core/errors.ts'
import { MultiServer } from '../core/multiserver.ts'
import { net } from '../plugs/net.ts'
import { rtc } from '../plugs/rtc/index.ts'
import { shs } from '../plugs/shs/index.ts'
import { shs2 } from '../plugs/shs2/index.ts'
import { lingerMs, liveAsChild, ownKeys, tellAddress } from './demo/child.ts'
import { findLobby } from './demo/lobby-address.ts'
import { errorLine, NodePeer } from './demo/node-peer.ts'
import { printerFor } from './demo/terminal.ts'
import { describeConnection } from './demo/words.ts'
import type { CloseServer } from '../core/multiserver.ts'
import type { Hello, RosterEntry } from './demo/protocol.ts'
import type { Talk } from './demo/talk.ts'

/**
 * A desktop behind its router: `demo-desktop HUB`.
 *
 * No socket of it listens. Others reach it over WebRTC through the hub; the server it dials by itself, over net. It
 * serves shs, as old programs do, until somebody at the page upgrades it.
 */
const [hubUrl = 'ws://127.0.0.1:8989'] = argv.slice(2)
const print = printerFor('desktop')
const keys = await ownKeys()
const ms = MultiServer(
  [
    [rtc({ hub: hubUrl }), shs({ keys })],
    [net({ listen: false }), shs2({ keys })],
  ],
  { lingerMs },
)
/** The new protocol, beside the old one. */
const newer = MultiServer([[rtc({ hub: hubUrl }), shs2({ keys })]], { lingerMs })

/** As often as figures on a page are worth it. */
const stateMs = 1_000

let isStopping = false
let again: ReturnType<typeof setTimeout> | undefined
let known = ''
let lobby: Talk | undefined
let told = ''
let upgraded: CloseServer | undefined
const peer = new NodePeer({ hello: introduceMyself, print, answer })
const server = serve(ms)
const telling = setInterval(tellState, stateMs)
liveAsChild(async () => {
  isStopping = true
  clearTimeout(again)
  clearInterval(telling)
  await Promise.all([peer.close(), server(), upgraded?.()])
})
await server.listening.catch((thrown: unknown) => {
  print(errorLine(toError(thrown, 'LISTEN_FAILED')))
  process.exit(1)
})

print(`I am a desktop. No socket of mine listens: the hub introduces me, and WebRTC does the rest.
My address is ${ownAddress()}`)
tellAddress(ownAddress())
await joinLobby()

function serve(which: typeof ms): CloseServer {
  return which.server(
    (connection) => void peer.talk(connection, { onUpgrade: upgrade }),
    (error) => print(errorLine(error)),
  )
}

/** What is open stays open: nothing is negotiated, there is only one more address to dial. */
function upgrade(talk: Talk): void {
  if (upgraded === undefined) {
    upgraded = serve(newer)
    upgraded.listening.then(
      () => {
        print(`I serve shs2 beside shs now. My address is\n${ownAddress().replace(';', '\n  or ')}`)
        tellState()
        peer.say(talk, 'I serve shs2 beside shs now: my address says so, and whoever dials me next takes it.')
      },
      (thrown: unknown) => print(errorLine(toError(thrown, 'LISTEN_FAILED'))),
    )
  } else peer.say(talk, 'I serve shs2 already.')
}

function ownAddress(): string {
  return [ms.stringify(), ...(upgraded === undefined ? [] : [newer.stringify()])].join(';')
}

/** To the lobby, whenever it is another one. */
function tellState(): void {
  const links = peer.links()
  const state = JSON.stringify([ownAddress(), links])
  if (state === told) return
  told = state
  lobby?.sendState(ownAddress(), links)
}

function introduceMyself(): Hello {
  return { type: 'hello', kind: 'desktop', name: 'desktop', address: ownAddress() }
}

async function joinLobby(): Promise<void> {
  try {
    const connection = await ms.client(await findLobby(hubUrl.replace(/^ws/, 'http')))
    if (isStopping) return connection.abort()
    peer.talk(connection, {
      onHello: (talk) => {
        lobby = talk
        told = ''
        peer.say(talk, 'Hello server, I am the desktop.')
      },
      onRoster,
      onEnd: () => {
        lobby = undefined
        joinLater()
      },
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
    .filter((other) => other.kind !== 'desktop')
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
