import { argv } from 'node:process'
import { toBase64 } from '../core/bytes.ts'
import { toError } from '../core/errors.ts'
import { MultiServer } from '../core/multiserver.ts'
import { net } from '../plugs/net.ts'
import { shs2 } from '../plugs/shs2/index.ts'
import { startBridgedOldPeer, type BridgedOldPeer } from './demo/bridged-old-peer.ts'
import { lingerMs, liveAsChild, ownKeys, tellAddress } from './demo/child.ts'
import { LobbySeat } from './demo/lobby-seat.ts'
import { errorLine, NodePeer } from './demo/node-peer.ts'
import { printerFor } from './demo/terminal.ts'
import type { Hello } from './demo/protocol.ts'
import type { Link } from './demo/links.ts'
import type { Talk } from './demo/talk.ts'

/**
 * A program on multiserver 3.8.2, and the bridge before it: `demo-veteran HUB`.
 *
 * The old peer knows net and shs and nothing else; who dials it through the bridge proves its key to it, and the bridge
 * reads none of it. Its place in the lobby is kept by a newer stack with the same key: 3.8.2 has no lobby.
 */
const [hubUrl = 'ws://127.0.0.1:8989'] = argv.slice(2)
const print = printerFor('veteran')
const key = await ownKeys()
const peer = new NodePeer({ hello: introduceMyself, print, answer })
let old: BridgedOldPeer | null = null
let seat: LobbySeat | undefined
// At first: while the hub is away the next step takes as long, and the parent may be gone before it is back.
liveAsChild(() => {
  seat?.leave()
  return Promise.all([peer.close(), old?.close()])
})
old = await startBridgedOldPeer({
  hub: hubUrl,
  key,
  onConnection: (connection) => void peer.talk(connection),
}).catch((thrown: unknown) => {
  print(errorLine(toError(thrown, 'LISTEN_FAILED')))
  process.exit(1)
})
const address = old?.address ?? ''
const ms = MultiServer([[net({ listen: false }), shs2({ keys: key })]], { lingerMs })
seat = new LobbySeat({ hubUrl, ms, peer, print, address: () => address, links })
print(
  old === null
    ? 'multiserver 3.8.2 is not installed here, so I have nothing to do.'
    : `I am a program on multiserver 3.8.2: net and shs are all I know. A bridge leads browsers to me.
My address is ${address}`,
)
tellAddress(address)
if (old !== null) await seat.take()

function introduceMyself(): Hello {
  return { type: 'hello', kind: 'veteran', name: 'veteran', address }
}

/** Whoever is not the lobby has come through the bridge, although it looks like net from inside. */
function links(): Link[] {
  const lobby = seat?.talk?.connection.remote
  const lobbyKey = lobby === undefined ? '' : toBase64(lobby)
  return peer.links().map((link) => (link.to === lobbyKey ? link : { ...link, over: 'tunnel' }))
}

function answer(text: string, _talk: Talk, { kind }: Hello): string | undefined {
  if (kind !== 'browser') return undefined
  return `You said ‘${text.slice(0, 200)}’. I am a program on multiserver 3.8.2, and it came over net and shs; the bridge before me can’t read it.`
}
