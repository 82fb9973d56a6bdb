import { Socket } from 'node:net'
import { factory, loadWebRtc, type WebRtc } from '../wrtc.ts'
import { Framing } from './framing.ts'
import { stateEvents, type News, type Order, type Question, type States } from './messages.ts'

/** The process that has WebRTC: it does what it is told over the socket at descriptor 3, and ends with it. */

/** How often what waits in a channel is looked at: wrtc has no event for that. */
const lookMs = 2

const socket = new Socket({ fd: 3 })
const webRtc = await loadWebRtc()
// As long as it lives.
factory.listen()
const links = new Map<number, Link>()
const framing = new Framing<News, Order>(socket, {
  onWords(id, order) {
    if (order.type === 'connect') open(id, order.configuration)
    else links.get(id)?.obey(order)
  },
  onMessage: (id, message) => links.get(id)?.send(message),
  onInvalid: () => process.exit(1),
})
// Those of the terminal are for the process that this one belongs to, which may still have something to end in peace.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)
socket.on('error', () => process.exit(0))
socket.on('close', () => process.exit(0))

function open(id: number, configuration: RTCConfiguration | undefined): void {
  try {
    links.set(id, new Link(id, configuration, webRtc))
  } catch {
    framing.tell(id, { type: 'closed' })
  }
}

/** A connection and its channel. */
class Link {
  readonly #id: number
  readonly #connection: RTCPeerConnection
  readonly #letGo: () => void
  #channel: RTCDataChannel | undefined
  #takenBytes = 0
  #toldBytes = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #isLooking = false

  constructor(id: number, configuration: RTCConfiguration | undefined, { RTCPeerConnection }: WebRtc) {
    this.#id = id
    this.#connection = new RTCPeerConnection(configuration)
    this.#letGo = factory.connect()
    for (const event of stateEvents) {
      this.#connection.addEventListener(event, () =>
        this.#tell({ type: 'state', event, states: this.#states() }),
      )
    }
    this.#connection.addEventListener('icecandidate', ({ candidate }) => {
      this.#tell({ type: 'candidate', candidate: candidate === null ? null : plain(candidate) })
    })
  }

  obey(order: Order): void {
    switch (order.type) {
      case 'channel':
        return this.#open(order.label, order.init)
      case 'ask':
        this.#answer(order.question).then(
          (value) => this.#tell({ type: 'answer', call: order.call, value }),
          (thrown: unknown) => {
            const message = thrown instanceof Error ? thrown.message : String(thrown)
            this.#tell({ type: 'failed', call: order.call, message })
          },
        )
        return
      case 'configure':
        return this.#connection.setConfiguration(order.configuration)
      case 'closeChannel':
        return this.#channel?.close()
      case 'close':
        return this.#close()
      case 'connect':
    }
  }

  send(message: ArrayBuffer): void {
    this.#takenBytes += message.byteLength
    try {
      this.#channel?.send(message)
    } catch {
      // It closes, and says so.
    }
    if (this.#isLooking) return
    this.#isLooking = true
    // Once for all that came at once.
    setImmediate(() => this.#look())
  }

  #open(label: string, init: RTCDataChannelInit | undefined): void {
    const channel = this.#connection.createDataChannel(label, init)
    this.#channel = channel
    channel.binaryType = 'arraybuffer'
    channel.onopen = () => this.#tell({ type: 'channel', state: 'open' })
    channel.onclose = () => this.#tell({ type: 'channel', state: 'closed' })
    channel.onmessage = ({ data }: MessageEvent<ArrayBuffer | string>) => {
      // Text is no frame: an empty message is refused as such.
      framing.send(this.#id, typeof data === 'string' ? new Uint8Array(0) : new Uint8Array(data))
    }
  }

  async #answer(question: Question): Promise<unknown> {
    const connection = this.#connection
    switch (question.name) {
      case 'createOffer':
        return describe(await connection.createOffer())
      case 'createAnswer':
        return describe(await connection.createAnswer())
      case 'setLocalDescription':
        return connection.setLocalDescription(question.description)
      case 'setRemoteDescription':
        return connection.setRemoteDescription(question.description)
      case 'addIceCandidate':
        return connection.addIceCandidate(question.candidate ?? undefined)
      case 'getStats':
        return [...(await connection.getStats()).entries()]
    }
  }

  /** Tells how much has left, and looks again while something waits. */
  #look(): void {
    this.#isLooking = false
    clearTimeout(this.#timer)
    const waiting = this.#channel?.bufferedAmount ?? 0
    const bytes = this.#takenBytes - waiting
    if (bytes !== this.#toldBytes) this.#tell({ type: 'left', bytes })
    this.#toldBytes = bytes
    if (waiting > 0 && this.#channel?.readyState === 'open')
      this.#timer = setTimeout(() => this.#look(), lookMs)
  }

  #close(): void {
    clearTimeout(this.#timer)
    this.#connection.close()
    this.#letGo()
    links.delete(this.#id)
    this.#tell({ type: 'closed' })
  }

  #states(): States {
    const { connectionState, iceConnectionState, iceGatheringState, signalingState } = this.#connection
    return { connectionState, iceConnectionState, iceGatheringState, signalingState }
  }

  #tell(news: News): void {
    framing.tell(this.#id, news)
  }
}

function describe({ type, sdp }: RTCSessionDescriptionInit): RTCSessionDescriptionInit {
  return { type, sdp: sdp ?? '' }
}

function plain({ candidate, sdpMid, sdpMLineIndex }: RTCIceCandidate): RTCIceCandidateInit {
  return { candidate, sdpMid, sdpMLineIndex }
}
