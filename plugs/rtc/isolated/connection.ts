import { emit, IsolatedChannel } from './channel.ts'
import type { News, Order, Question, StateEvent, States } from './messages.ts'

/** How the connection's half in this process reaches its half in the other. */
export interface ConnectionLine {
  tell(order: Order): void
  send(message: Uint8Array): void
  /** No more is told. */
  over(): void
}

interface Pending {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

const lostStates: States = {
  connectionState: 'failed',
  iceConnectionState: 'failed',
  iceGatheringState: 'complete',
  signalingState: 'stable',
}

/** This process's half of a connection with one data channel: as much of `RTCPeerConnection` as simple-peer and we use. */
export class IsolatedConnection extends EventTarget {
  localDescription: RTCSessionDescriptionInit | null = null
  remoteDescription: RTCSessionDescriptionInit | null = null
  onconnectionstatechange: ((event: Event) => void) | null = null
  oniceconnectionstatechange: ((event: Event) => void) | null = null
  onicegatheringstatechange: ((event: Event) => void) | null = null
  onsignalingstatechange: ((event: Event) => void) | null = null
  onicecandidate: ((event: Event) => void) | null = null
  readonly #line: ConnectionLine
  readonly #pending = new Map<number, Pending>()
  #states: States = {
    connectionState: 'new',
    iceConnectionState: 'new',
    iceGatheringState: 'new',
    signalingState: 'stable',
  }
  #calls = 0
  #channel: IsolatedChannel | undefined

  constructor(
    configuration: RTCConfiguration | undefined,
    connect: (self: IsolatedConnection) => ConnectionLine,
  ) {
    super()
    this.#line = connect(this)
    this.#line.tell({ type: 'connect', configuration })
  }

  get connectionState(): RTCPeerConnectionState {
    return this.#states.connectionState
  }

  get iceConnectionState(): RTCIceConnectionState {
    return this.#states.iceConnectionState
  }

  get iceGatheringState(): RTCIceGatheringState {
    return this.#states.iceGatheringState
  }

  get signalingState(): RTCSignalingState {
    return this.#states.signalingState
  }

  /** One for each connection. */
  createDataChannel(label: string, init?: RTCDataChannelInit): IsolatedChannel {
    if (this.#channel !== undefined) {
      throw new DOMException('an isolated connection has one data channel', 'NotSupportedError')
    }
    this.#channel = new IsolatedChannel(label, {
      send: (message) => this.#line.send(message),
      close: () => this.#line.tell({ type: 'closeChannel' }),
    })
    this.#line.tell({ type: 'channel', label, init })
    return this.#channel
  }

  setConfiguration(configuration: RTCConfiguration): void {
    this.#line.tell({ type: 'configure', configuration })
  }

  createOffer(): Promise<RTCSessionDescriptionInit> {
    return this.#ask({ name: 'createOffer' }) as Promise<RTCSessionDescriptionInit>
  }

  createAnswer(): Promise<RTCSessionDescriptionInit> {
    return this.#ask({ name: 'createAnswer' }) as Promise<RTCSessionDescriptionInit>
  }

  async setLocalDescription({ type, sdp = '' }: RTCSessionDescriptionInit): Promise<void> {
    const description = { type, sdp }
    await this.#ask({ name: 'setLocalDescription', description })
    this.localDescription = description
  }

  async setRemoteDescription({ type, sdp = '' }: RTCSessionDescriptionInit): Promise<void> {
    const description = { type, sdp }
    await this.#ask({ name: 'setRemoteDescription', description })
    this.remoteDescription = description
  }

  async addIceCandidate(candidate?: RTCIceCandidateInit | null): Promise<void> {
    const given = candidate ?? null
    await this.#ask({ name: 'addIceCandidate', candidate: given && asInit(given) })
  }

  async getStats(): Promise<Map<string, unknown>> {
    return new Map((await this.#ask({ name: 'getStats' })) as [string, unknown][])
  }

  close(): void {
    if (this.#states.signalingState === 'closed') return
    this.#states = {
      ...this.#states,
      connectionState: 'closed',
      iceConnectionState: 'closed',
      signalingState: 'closed',
    }
    this.#line.tell({ type: 'close' })
    this.#channel?.onState('closed')
    this.#rejectPending(new DOMException('the connection is closed', 'InvalidStateError'))
  }

  // --- what the other half tells ---

  onNews(news: News): void {
    switch (news.type) {
      case 'answer':
        this.#take(news.call)?.resolve(news.value)
        return
      case 'failed':
        this.#take(news.call)?.reject(new DOMException(news.message, 'OperationError'))
        return
      case 'state':
        return this.#onState(news.event, news.states)
      case 'candidate':
        return this.#emit('icecandidate', this.onicecandidate, { candidate: news.candidate })
      case 'channel':
        return this.#channel?.onState(news.state)
      case 'left':
        return this.#channel?.onLeft(news.bytes)
      case 'closed':
        this.#line.over()
        return this.onLost()
    }
  }

  onMessage(message: ArrayBuffer): void {
    this.#channel?.onData(message)
  }

  /** Whatever was there is gone, as if the network had gone for good. */
  onLost(): void {
    this.#rejectPending(new DOMException('the process that had the connection has ended', 'OperationError'))
    if (this.#states.signalingState === 'closed') return
    this.#onState('iceconnectionstatechange', lostStates)
    this.#onState('connectionstatechange', lostStates)
    this.#channel?.onState('closed')
  }

  #onState(event: StateEvent, states: States): void {
    if (this.#states.signalingState === 'closed') return
    this.#states = states
    const handlers = {
      connectionstatechange: this.onconnectionstatechange,
      iceconnectionstatechange: this.oniceconnectionstatechange,
      icegatheringstatechange: this.onicegatheringstatechange,
      signalingstatechange: this.onsignalingstatechange,
    }
    this.#emit(event, handlers[event])
  }

  #emit(type: string, handler: ((event: Event) => void) | null, properties: object = {}): void {
    if (this.#states.signalingState === 'closed') return
    emit(this, handler, Object.assign(new Event(type), properties))
  }

  #ask(question: Question): Promise<unknown> {
    if (this.#states.signalingState === 'closed') {
      return Promise.reject(new DOMException('the connection is closed', 'InvalidStateError'))
    }
    const call = this.#calls++
    return new Promise((resolve, reject) => {
      this.#pending.set(call, { resolve, reject })
      this.#line.tell({ type: 'ask', call, question })
    })
  }

  #take(call: number): Pending | undefined {
    const pending = this.#pending.get(call)
    this.#pending.delete(call)
    return pending
  }

  #rejectPending(error: Error): void {
    for (const { reject } of this.#pending.values()) reject(error)
    this.#pending.clear()
  }
}

function asInit({
  candidate = '',
  sdpMid = null,
  sdpMLineIndex = null,
}: RTCIceCandidateInit): RTCIceCandidateInit {
  return { candidate, sdpMid, sdpMLineIndex }
}
