import { loadWebRtc } from '../plugs/rtc/wrtc.ts'
import { inChromium } from './browser/chromium.ts'
import { boxes, chaCha } from './contestants/bare-cipher.ts'
import { rawDataChannel } from './contestants/data-channel.ts'
import { introduceByHub, multiserver } from './contestants/multiserver.ts'
import { oldNetAlone, oldNetShs, oldWsAlone, oldWsShs } from './contestants/multiserver-3.8.2.ts'
import { rawTcp, rawUnix } from './contestants/raw-socket.ts'
import { rawWebSocket } from './contestants/raw-websocket.ts'
import { introduceBy, pageRival, rival } from './contestants/rivals.ts'
import { simplePeer } from './contestants/simple-peer.ts'
import { tcpWithBoxes } from './contestants/tcp-with-boxes.ts'
import { tls13, tls13ChaCha } from './contestants/tls.ts'
import { here, type End } from './end.ts'

/** Who is called what in the tables: the stacks of this package go by their protocols. */
export function entrants(name: string): End {
  return others[name] ?? here(multiserver(name))
}

const others: Record<string, End> = {
  'net 3.8.2': here(oldNetAlone),
  'net~shs 3.8.2': here(oldNetShs),
  'ws 3.8.2': here(oldWsAlone),
  'ws~shs 3.8.2': here(oldWsShs),
  TCP: here(rawTcp),
  'unix socket': here(rawUnix),
  'TCP with boxes': here(tcpWithBoxes),
  WebSocket: here(rawWebSocket),
  'boxes alone': here(boxes),
  'ChaCha20-Poly1305 alone': here(chaCha),
  'TLS 1.3': here(tls13),
  'TLS 1.3 ChaCha20': here(tls13ChaCha),
  'libp2p tcp+noise': here(rival('libp2p')),
  'secret-stream': here(rival('secret-stream')),
  'rtc~shs2 direct': here(multiserver('rtc~shs2', { relay: 'never' })),
  'data channel': here(rawDataChannel(loadWebRtc)),
  'simple-peer': here(simplePeer(loadWebRtc)),
  PeerJS: here(pageRival('peerjs', 'peerjs-server')),
  'libp2p webrtc': here(pageRival('libp2p-webrtc', 'libp2p-relay')),
  'rtc~shs2 in Chromium': inChromium('multiserver', introduceByHub),
  'data channel in Chromium': inChromium('data-channel'),
  'simple-peer in Chromium': inChromium('simple-peer'),
  'PeerJS in Chromium': inChromium('peerjs', introduceBy('peerjs-server')),
  'libp2p webrtc in Chromium': inChromium('libp2p-webrtc', introduceBy('libp2p-relay')),
}

/** What pages are built for those in Chromium. */
export const programs = ['multiserver', 'data-channel', 'simple-peer', 'peerjs', 'libp2p-webrtc']
