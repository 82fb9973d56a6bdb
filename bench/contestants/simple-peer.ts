import Peer from 'simple-peer/simplepeer.min.js'
import type { WebRtc } from '../../plugs/rtc/wrtc.ts'
import type { Contestant, Link } from '../contestant.ts'
import { wireOfDuplex } from './duplex.ts'
import { answerMessages, endMark } from './messages.ts'

/** simple-peer as its documentation has it: a stream over the same WebRTC library, signals by way of the parent. */
export function simplePeer(loadWebRtc: () => Promise<WebRtc>): Contestant {
  return {
    serve(link) {
      const peers = new Map<number, Promise<Peer.Instance>>()
      link.onMessage((message) => {
        const { dial, signal } = message as Signal
        const peer = peers.get(dial) ?? open({ link, dial, initiator: false, loadWebRtc })
        peers.set(dial, peer)
        void peer.then((opened) => {
          if (!opened.destroyed) opened.signal(signal)
        })
      })
      return Promise.resolve({ address: 'simple-peer', close: () => Promise.resolve() })
    },
    async dial(_address, link) {
      const dial = (dials += 1)
      const peer = await open({ link, dial, initiator: true, loadWebRtc })
      link.onMessage((message) => {
        const { dial: other, signal } = message as Signal
        if (other === dial && !peer.destroyed) peer.signal(signal)
      })
      await new Promise((resolve) => peer.once('connect', resolve))
      const wire = wireOfDuplex(peer)
      // After its own `end` nobody could answer.
      return { ...wire, end: () => wire.write(endMark) }
    },
  }
}

let dials = 0

interface Signal {
  /** Which dial of the dialing process it belongs to. */
  dial: number
  signal: Peer.SignalData
}

interface Opening {
  readonly link: Link
  readonly dial: number
  readonly initiator: boolean
  readonly loadWebRtc: () => Promise<WebRtc>
}

async function open({ link, dial, initiator, loadWebRtc }: Opening): Promise<Peer.Instance> {
  const peer = new Peer({ initiator, config: { iceServers: [] }, wrtc: await loadWebRtc() })
  peer.on('signal', (signal) => link.send({ dial, signal }))
  peer.on('error', () => undefined)
  if (!initiator)
    peer.on(
      'data',
      answerMessages((message) => peer.write(message)),
    )
  return peer
}
