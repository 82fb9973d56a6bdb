import { loadWebRtc } from '../../plugs/rtc/wrtc.ts'
import { askSink, type Contestant, type Link, type Wire } from '../contestant.ts'

/** A bare data channel of the same WebRTC library: no session, no encryption of ours, a queue of 256 KiB. */
export const rawDataChannel: Contestant = {
  async serve(link) {
    const { connection, channel } = await open(link)
    link.onMessage((message) => {
      void (async () => {
        const { sdp, candidate } = message as Signal
        if (candidate !== undefined) await connection.addIceCandidate(candidate)
        if (sdp === undefined) return
        await connection.setRemoteDescription(sdp)
        await connection.setLocalDescription(await connection.createAnswer())
        link.send({ sdp: plain(connection.localDescription) })
      })()
    })
    let sink = false
    let first = true
    channel.addEventListener('message', ({ data }: MessageEvent<ArrayBuffer>) => {
      if (first) sink = new Uint8Array(data)[0] === askSink
      if (!sink || data.byteLength === 1) {
        if (!sink || !first) channel.send(Uint8Array.of(1))
      }
      first = false
    })
    return {
      address: 'data channel',
      close() {
        connection.close()
        return Promise.resolve()
      },
    }
  },
  async dial(_address, link) {
    const { connection, channel } = await open(link)
    const opened = new Promise((resolve) => channel.addEventListener('open', resolve))
    const waiting: Signal['candidate'][] = []
    link.onMessage((message) => {
      void (async () => {
        const { sdp, candidate } = message as Signal
        if (sdp !== undefined) {
          await connection.setRemoteDescription(sdp)
          for (const each of waiting.splice(0)) await connection.addIceCandidate(each)
        } else if (connection.remoteDescription === null) waiting.push(candidate)
        else await connection.addIceCandidate(candidate)
      })()
    })
    await connection.setLocalDescription(await connection.createOffer())
    link.send({ sdp: plain(connection.localDescription) })
    await opened
    return toWire(connection, channel)
  },
}

interface Signal {
  sdp?: RTCSessionDescriptionInit
  candidate?: RTCIceCandidateInit
}

async function open(link: Link): Promise<{ connection: RTCPeerConnection; channel: RTCDataChannel }> {
  const { RTCPeerConnection } = await loadWebRtc()
  const connection = new RTCPeerConnection()
  const channel = connection.createDataChannel('bench', { negotiated: true, id: 0 })
  channel.binaryType = 'arraybuffer'
  connection.addEventListener('icecandidate', ({ candidate }) => {
    if (candidate === null || candidate.candidate === '') return
    const { candidate: text, sdpMid, sdpMLineIndex } = candidate
    link.send({ candidate: { candidate: text, sdpMid, sdpMLineIndex } })
  })
  return { connection, channel }
}

function plain(description: RTCSessionDescription | null): RTCSessionDescriptionInit {
  return { type: description?.type ?? 'offer', sdp: description?.sdp ?? '' }
}

function toWire(connection: RTCPeerConnection, channel: RTCDataChannel): Wire {
  const answer = new Promise<void>((resolve) =>
    channel.addEventListener('message', () => resolve(), { once: true }),
  )
  return {
    async write(chunk) {
      channel.send(chunk as Uint8Array<ArrayBuffer>)
      while (channel.bufferedAmount >= 256 * 1024) await new Promise((resolve) => setTimeout(resolve, 1))
    },
    end() {
      channel.send(Uint8Array.of(2))
      return Promise.resolve()
    },
    answer: () => answer,
    close() {
      connection.close()
      return Promise.resolve()
    },
  }
}
