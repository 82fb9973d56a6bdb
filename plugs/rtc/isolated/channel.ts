/** How the channel's half in this process reaches its half in the other. */
export interface ChannelLine {
  send(message: Uint8Array): void
  close(): void
}

/** This process's half of a data channel: as much of `RTCDataChannel` as one that carries frames needs. */
export class IsolatedChannel extends EventTarget {
  readonly label: string
  binaryType: BinaryType = 'arraybuffer'
  bufferedAmountLowThreshold = 0
  onopen: ((event: Event) => void) | null = null
  onmessage: ((event: MessageEvent) => void) | null = null
  onclose: ((event: Event) => void) | null = null
  onbufferedamountlow: ((event: Event) => void) | null = null
  readonly #line: ChannelLine
  #readyState: RTCDataChannelState = 'connecting'
  #handedOverBytes = 0
  #leftBytes = 0

  constructor(label: string, line: ChannelLine) {
    super()
    this.label = label
    this.#line = line
  }

  get readyState(): RTCDataChannelState {
    return this.#readyState
  }

  /** What waits in either process. */
  get bufferedAmount(): number {
    return this.#handedOverBytes - this.#leftBytes
  }

  /** Copies it: the caller may go on to change it. */
  send(data: ArrayBuffer | ArrayBufferView): void {
    if (this.#readyState !== 'open') throw new DOMException('the channel is not open', 'InvalidStateError')
    const bytes = ArrayBuffer.isView(data)
      ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      : new Uint8Array(data)
    this.#handedOverBytes += bytes.length
    this.#line.send(bytes.slice())
  }

  close(): void {
    if (this.#readyState === 'closing' || this.#readyState === 'closed') return
    this.#readyState = 'closing'
    this.#line.close()
  }

  // --- what the other half tells ---

  onState(state: RTCDataChannelState): void {
    // That it closes is known here first where it began here.
    if (this.#readyState === 'closed' || (this.#readyState === 'closing' && state === 'open')) return
    this.#readyState = state
    if (state === 'open') emit(this, this.onopen, new Event('open'))
    if (state === 'closed') emit(this, this.onclose, new Event('close'))
  }

  onData(data: ArrayBuffer): void {
    if (this.#readyState === 'closed') return
    emit(this, this.onmessage, new MessageEvent('message', { data }))
  }

  onLeft(bytes: number): void {
    const before = this.bufferedAmount
    this.#leftBytes = Math.min(bytes, this.#handedOverBytes)
    const threshold = this.bufferedAmountLowThreshold
    if (before <= threshold || this.bufferedAmount > threshold) return
    emit(this, this.onbufferedamountlow, new Event('bufferedamountlow'))
  }
}

/** To the handler of the property and to every listener. */
export function emit<E extends Event>(
  target: EventTarget,
  handler: ((event: E) => void) | null,
  event: E,
): void {
  handler?.call(target, event)
  target.dispatchEvent(event)
}
