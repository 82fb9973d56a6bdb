import { inChromium } from './browser/chromium.ts'
import type { Contestant } from './contestant.ts'
import { introduceByHub } from './contestants/introduce-by-hub.ts'
import { introduceBy, pageRival, rival } from './contestants/rivals.ts'
import { here, type End } from './end.ts'

/** What pages are built for those in Chromium. */
export const programs = ['multiserver', 'data-channel', 'simple-peer', 'peerjs', 'libp2p-webrtc']

/** Who is called what in the tables: the stacks of this package go by their protocols. A process loads only what it needs. */
export async function entrant(name: string): Promise<End> {
  const make = others[name]
  if (make === undefined) return here(await (await import('./contestants/multiserver.ts')).multiserver(name))
  const made = await make()
  return 'perform' in made ? made : here(made)
}

const others: Record<string, () => Contestant | End | Promise<Contestant>> = {
  'net 3.8.2': async () => (await import('./contestants/multiserver-3.8.2.ts')).oldNetAlone,
  'net~shs 3.8.2': async () => (await import('./contestants/multiserver-3.8.2.ts')).oldNetShs,
  'ws 3.8.2': async () => (await import('./contestants/multiserver-3.8.2.ts')).oldWsAlone,
  'ws~shs 3.8.2': async () => (await import('./contestants/multiserver-3.8.2.ts')).oldWsShs,
  TCP: async () => (await import('./contestants/raw-socket.ts')).rawTcp,
  'unix socket': async () => (await import('./contestants/raw-socket.ts')).rawUnix,
  WebSocket: async () => (await import('./contestants/raw-websocket.ts')).rawWebSocket,
  'TCP with boxes': async () => (await import('./contestants/tcp-with-boxes.ts')).tcpWithBoxes,
  'boxes alone': async () => (await import('./contestants/bare-cipher.ts')).boxes,
  'ChaCha20-Poly1305 alone': async () => (await import('./contestants/bare-cipher.ts')).chaCha,
  'TLS 1.3': async () => (await import('./contestants/tls.ts')).tls13,
  'TLS 1.3 ChaCha20': async () => (await import('./contestants/tls.ts')).tls13ChaCha,
  'libp2p tcp+noise': () => rival('libp2p'),
  'secret-stream': () => rival('secret-stream'),
  'rtc~shs2 direct': async () =>
    (await import('./contestants/multiserver.ts')).multiserver('rtc~shs2', { relay: 'never' }),
  'data channel': async () => {
    const { loadWebRtc } = await import('../plugs/rtc/wrtc.ts')
    return (await import('./contestants/data-channel.ts')).rawDataChannel(loadWebRtc)
  },
  'simple-peer': async () => {
    const { loadWebRtc } = await import('../plugs/rtc/wrtc.ts')
    return (await import('./contestants/simple-peer.ts')).simplePeer(loadWebRtc)
  },
  PeerJS: () => pageRival('peerjs', 'peerjs-server'),
  'libp2p webrtc': () => pageRival('libp2p-webrtc', 'libp2p-relay'),
  'rtc~shs2 in Chromium': () => inChromium('multiserver', introduceByHub),
  'data channel in Chromium': () => inChromium('data-channel'),
  'simple-peer in Chromium': () => inChromium('simple-peer'),
  'PeerJS in Chromium': () => inChromium('peerjs', introduceBy('peerjs-server')),
  'libp2p webrtc in Chromium': () => inChromium('libp2p-webrtc', introduceBy('libp2p-relay')),
}
