import type { WebRtc } from '../../plugs/rtc/wrtc.ts'
import { Answers } from '../answers.ts'
import type { Contestant, Link, Wire } from '../contestant.ts'
import { answerMessages, endMark } from './messages.ts'

/** What a sender may have handed over and not sent. */
const queueBytes = 256 * 1024

/** A bare data channel of the same WebRTC library: no session, no encryption of ours, signals by way of the parent. */
export function rawDataChannel(loadWebRtc: () => Promise<WebRtc>): Contestant {
  return {
    serve(link) {
      const ends = new Map<number, Promise<End>>()
      link.onMessage((message) => {
        const signal = message as Signal
        const end = ends.get(signal.dial) ?? open(link, signal.dial, loadWebRtc)
        ends.set(signal.dial, end)
        void end.then(async ({ connection, channel, hear }) => {
          if (signal.sdp === undefined) return await hear(signal)
          serveChannel(channel)
          await hear(signal)
          await connection.setLocalDescription(await connection.createAnswer())
          link.send({ dial: signal.dial, sdp: plain(connection.localDescription) })
        })
      })
      return Promise.resolve({
        address: 'data channel',
        async close() {
          for (const end of ends.values()) (await end).connection.close()
        },
      })
    },
    async dial(_address, link) {
      const dial = (dials += 1)
      const { connection, channel, hear } = await open(link, dial, loadWebRtc)
      const opened = new Promise((resolve) => channel.addEventListener('open', resolve))
      link.onMessage((message) => {
        const signal = message as Signal
        if (signal.dial === dial) void hear(signal)
      })
      await connection.setLocalDescription(await connection.createOffer())
      link.send({ dial, sdp: plain(connection.localDescription) })
      await opened
      return toWire(connection, channel)
    },
  }
}

let dials = 0

interface Signal {
  /** Which dial of the dialing process it belongs to. */
  dial: number
  sdp?: RTCSessionDescriptionInit
  candidate?: RTCIceCandidateInit
}

interface End {
  connection: RTCPeerConnection
  channel: RTCDataChannel
  /** Candidates wait for the description. */
  hear: (signal: Signal) => Promise<void>
}

async function open(link: Link, dial: number, loadWebRtc: () => Promise<WebRtc>): Promise<End> {
  const { RTCPeerConnection } = await loadWebRtc()
  const connection = new RTCPeerConnection()
  const channel = connection.createDataChannel('bench', { negotiated: true, id: 0 })
  channel.binaryType = 'arraybuffer'
  connection.addEventListener('icecandidate', ({ candidate }) => {
    if (candidate === null || candidate.candidate === '') return
    const { candidate: text, sdpMid, sdpMLineIndex } = candidate
    link.send({ dial, candidate: { candidate: text, sdpMid, sdpMLineIndex } })
  })
  const waiting: RTCIceCandidateInit[] = []
  const hear = async ({ sdp, candidate }: Signal) => {
    if (connection.signalingState === 'closed') return
    if (sdp !== undefined) {
      await connection.setRemoteDescription(sdp)
      for (const each of waiting.splice(0)) await connection.addIceCandidate(each)
    } else if (candidate !== undefined) {
      if (connection.remoteDescription === null) waiting.push(candidate)
      else await connection.addIceCandidate(candidate)
    }
  }
  return { connection, channel, hear }
}

function serveChannel(channel: RTCDataChannel): void {
  const answer = answerMessages((message) => channel.send(message))
  channel.addEventListener('message', ({ data }: MessageEvent<ArrayBuffer>) => answer(new Uint8Array(data)))
}

function plain(description: RTCSessionDescription | null): RTCSessionDescriptionInit {
  return { type: description?.type ?? 'offer', sdp: description?.sdp ?? '' }
}

function toWire(connection: RTCPeerConnection, channel: RTCDataChannel): Wire {
  const answers = new Answers()
  channel.bufferedAmountLowThreshold = queueBytes / 2
  channel.addEventListener('message', () => answers.arrived())
  return {
    async write(chunk) {
      channel.send(chunk as Uint8Array<ArrayBuffer>)
      while (channel.bufferedAmount >= queueBytes) await roomIn(channel)
    },
    end() {
      channel.send(endMark)
      return Promise.resolve()
    },
    answer: () => answers.next(),
    close() {
      connection.close()
      return Promise.resolve()
    },
  }
}

/** Whichever comes first: wrtc does not always tell, and a page may look every few milliseconds only. */
export function roomIn(channel: RTCDataChannel): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, 1)
    channel.addEventListener('bufferedamountlow', done)
    function done(): void {
      clearTimeout(timer)
      channel.removeEventListener('bufferedamountlow', done)
      resolve()
    }
  })
}
