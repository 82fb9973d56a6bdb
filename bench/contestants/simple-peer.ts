import Peer from 'simple-peer/simplepeer.min.js'
import { loadWebRtc } from '../../plugs/rtc/wrtc.ts'
import { askSink, type Contestant, type Link } from '../contestant.ts'
import { wireOfDuplex } from './duplex.ts'

/** simple-peer as its documentation has it: a stream over the same WebRTC library. */
export const simplePeer: Contestant = {
  async serve(link) {
    const peer = await open(link, false)
    let sink: boolean | undefined
    peer.on('data', (chunk: Uint8Array) => {
      sink ??= chunk[0] === askSink
      // A single byte is the question, or the end of what was to be read.
      if (chunk.length === 1 && (!sink || chunk[0] !== askSink)) peer.write(Uint8Array.of(1))
    })
    return {
      address: 'simple-peer',
      close() {
        peer.destroy()
        return Promise.resolve()
      },
    }
  },
  async dial(_address, link) {
    const peer = await open(link, true)
    await new Promise((resolve) => peer.once('connect', resolve))
    const wire = wireOfDuplex(peer)
    // After its own `end` nobody could answer: one byte says that this was all.
    return { ...wire, end: () => wire.write(Uint8Array.of(2)) }
  },
}

async function open(link: Link, initiator: boolean): Promise<Peer.Instance> {
  const peer = new Peer({ initiator, config: { iceServers: [] }, wrtc: await loadWebRtc() })
  peer.on('signal', (signal) => link.send(signal))
  link.onMessage((signal) => peer.signal(signal as Peer.SignalData))
  return peer
}
