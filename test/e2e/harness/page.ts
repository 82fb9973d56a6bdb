import { sha256 } from '@noble/hashes/sha2.js'
import MultiServer, { type StackInput } from '../../../core/multiserver.ts'
import { generateKeys, keyToString, loadOrCreateKeys } from '../../../plugs/keys.browser.ts'
import rtc from '../../../plugs/rtc/index.ts'
import shs from '../../../plugs/shs/index.ts'
import shs2 from '../../../plugs/shs2/index.ts'
import tunnel from '../../../plugs/tunnel/index.browser.ts'
import ws from '../../../plugs/ws.browser.ts'
import { createPeer, type Outcome } from './peer.mjs'

declare global {
  interface Window {
    /** A peer with a key of its own. */
    callPeer: (name: string, args: readonly unknown[]) => Promise<Outcome>
    /** The key that this origin keeps under `name`. */
    loadKey: (name: string) => Promise<string>
    /** Takes the newest WebRTC path away, as far as either side can tell. */
    losePath: () => void
  }
}

/** As it was asked for in the URL: no candidate of its own is a relayed one, so the way through the hub is all that is left. */
const relayed =
  location.search === '?relayed' ? ({ relay: 'first', iceTransportPolicy: 'relay' } as const) : {}
const peer = startPeer()
window.callPeer = async (name, args) => (await peer)(name, args)
window.loadKey = async (name) => keyToString((await loadOrCreateKeys(name)).publicKey)

const channels: RTCDataChannel[] = []
window.RTCPeerConnection = class extends RTCPeerConnection {
  override createDataChannel(label: string, init?: RTCDataChannelInit): RTCDataChannel {
    const channel = super.createDataChannel(label, init)
    channels.push(channel)
    return channel
  }
}
window.losePath = () => channels.at(-1)?.close()

async function startPeer(): Promise<Window['callPeer']> {
  const keys = await generateKeys()
  return createPeer({
    MultiServer,
    stacks: [
      ...[shs({ keys }), shs2({ keys })].flatMap((secret): StackInput[] => [
        [rtc({ hub: `ws://${location.host}`, resumeMs: 15_000, ...relayed }), secret],
        [ws(), secret],
      ]),
      [rtc(), shs2({ keys }), tunnel(), shs({ keys })],
    ],
    publicKey: keys.publicKey,
    createHash: () => sha256.create(),
  })
}
