import { loadWebRtc } from '../../plugs/rtc/wrtc.ts'
import { Answers } from '../answers.ts'
import { askEcho, askSink, type Contestant, type Link, type Wire } from '../contestant.ts'

/** What a sender may have handed over and not sent. */
const queueBytes = 256 * 1024

/** A bare data channel of the same WebRTC library: no session, no encryption of ours, signals by way of the parent. */
export const rawDataChannel: Contestant = {
  serve(link) {
    const ends = new Map<number, Promise<End>>()
    link.onMessage((message) => {
      const signal = message as Signal
      const end = ends.get(signal.dial) ?? open(link, signal.dial)
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
    const { connection, channel, hear } = await open(link, dial)
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

async function open(link: Link, dial: number): Promise<End> {
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
  let asked: number | undefined
  channel.addEventListener('message', ({ data }: MessageEvent<ArrayBuffer>) => {
    const isFirst = asked === undefined
    asked ??= new Uint8Array(data)[0]
    if (asked === askEcho) channel.send(data)
    // A sink answers the mark of the end, one byte: a data channel can't be half closed.
    else if (isFirst !== (asked === askSink) && data.byteLength === 1) channel.send(Uint8Array.of(1))
  })
}

function plain(description: RTCSessionDescription | null): RTCSessionDescriptionInit {
  return { type: description?.type ?? 'offer', sdp: description?.sdp ?? '' }
}

function toWire(connection: RTCPeerConnection, channel: RTCDataChannel): Wire {
  const answers = new Answers()
  channel.addEventListener('message', () => answers.arrived())
  return {
    async write(chunk) {
      channel.send(chunk as Uint8Array<ArrayBuffer>)
      while (channel.bufferedAmount >= queueBytes) await new Promise((resolve) => setTimeout(resolve, 1))
    },
    end() {
      channel.send(Uint8Array.of(2))
      return Promise.resolve()
    },
    answer: () => answers.next(),
    close() {
      connection.close()
      return Promise.resolve()
    },
  }
}
