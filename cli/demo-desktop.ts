import { argv } from 'node:process'
import { toError } from '../core/errors.ts'
import { MultiServer } from '../core/multiserver.ts'
import { net } from '../plugs/net.ts'
import { rtc } from '../plugs/rtc/index.ts'
import { isolateWebRtc } from '../plugs/rtc/isolated/index.ts'
import { shs } from '../plugs/shs/index.ts'
import { shs2 } from '../plugs/shs2/index.ts'
import { lingerMs, liveAsChild, ownKeys, tellAddress } from './demo/child.ts'
import { LobbySeat } from './demo/lobby-seat.ts'
import { errorLine, NodePeer } from './demo/node-peer.ts'
import { printerFor } from './demo/terminal.ts'
import { describeConnection } from './demo/words.ts'
import type { CloseServer } from '../core/multiserver.ts'
import type { Hello } from './demo/protocol.ts'
import type { Talk } from './demo/talk.ts'

/**
 * A desktop behind its router: `demo-desktop HUB`.
 *
 * No socket of it listens. Others reach it over WebRTC through the hub; the server it dials by itself, over net. It
 * serves shs, as old programs do, until somebody at the page upgrades it. WebRTC may listen for ICE over TCP while it looks
 * for a path: only who was introduced gets an answer there.
 */
const [hubUrl = 'ws://127.0.0.1:8989'] = argv.slice(2)
const print = printerFor('desktop')
const keys = await ownKeys()
// Tabs come and go while they are sent to, which wrtc may not outlive.
const introduced = { hub: hubUrl, wrtc: isolateWebRtc() }
const ms = MultiServer(
  [
    [rtc(introduced), shs({ keys })],
    [net({ listen: false }), shs2({ keys })],
  ],
  { lingerMs },
)
/** The new protocol, beside the old one. */
const newer = MultiServer([[rtc(introduced), shs2({ keys })]], { lingerMs })

let upgraded: CloseServer | undefined
const peer = new NodePeer({ hello: introduceMyself, print, answer })
const seat = new LobbySeat({
  hubUrl,
  ms,
  peer,
  print,
  address: ownAddress,
  links: () => peer.links(),
  onJoined: (talk) => peer.say(talk, 'Hello server, I am the desktop.'),
})
const server = serve(ms)
liveAsChild(() => {
  seat.leave()
  return Promise.all([peer.close(), server(), upgraded?.()])
})
await server.listening.catch((thrown: unknown) => {
  print(errorLine(toError(thrown, 'LISTEN_FAILED')))
  process.exit(1)
})

print(`I am a desktop. No socket of mine listens: the hub introduces me, and WebRTC does the rest.
My address is ${ownAddress()}`)
tellAddress(ownAddress())
await seat.take()

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
        seat.tell()
        peer.say(talk, 'I serve shs2 beside shs now: my address says so, and whoever dials me next takes it.')
      },
      (thrown: unknown) => print(errorLine(toError(thrown, 'LISTEN_FAILED'))),
    )
  } else peer.say(talk, 'I serve shs2 already.')
}

function ownAddress(): string {
  return [ms.stringify(), ...(upgraded === undefined ? [] : [newer.stringify()])].join(';')
}

function introduceMyself(): Hello {
  return { type: 'hello', kind: 'desktop', name: 'desktop', address: ownAddress() }
}

/** People get an answer; the server does not, for it would answer again. */
function answer(text: string, { connection }: Talk, hello: Hello): string | undefined {
  if (hello.kind !== 'browser') return undefined
  const { transport, path } = describeConnection(connection)
  return `You said ‘${text.slice(0, 200)}’. I am the desktop, and it came over ${transport}, ${path}.`
}
