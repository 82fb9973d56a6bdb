import { limits } from '../../core/limits.ts'

const { windowBytes, largestWindowBytes, quickReaderMs, acknowledgeAfterBytes } = limits.session

/** How far the peer may send: what the application has read, and a window that grows for a quick reader. */
export class ReceiveWindow {
  #window: number = windowBytes
  #read = 0
  #turnStart = 0
  #turnStartedAt = performance.now()
  #received = 0
  #toldReceived = 0
  #toldLimit = 0

  /** Bytes that have come in order. */
  get received(): number {
    return this.#received
  }

  /** Bytes that the application has taken. */
  get read(): number {
    return this.#read
  }

  /** The offset up to which the peer may send, to be told now. */
  get limit(): number {
    return this.#read + this.#window
  }

  /** The highest limit that the peer was told: what goes beyond is against the protocol. */
  get toldLimit(): number {
    return this.#toldLimit
  }

  /** Enough has arrived, or was freed, that the peer should hear of it at once. */
  get isDue(): boolean {
    const step = Math.min(this.#window / 2, acknowledgeAfterBytes)
    return this.#received - this.#toldReceived >= step || this.limit - this.#toldLimit >= step
  }

  receive(bytes: number): void {
    this.#received += bytes
  }

  /** The limits for HELLO or ACK, which count as told. */
  tell(): { received: number; limit: number } {
    this.#toldReceived = this.#received
    this.#toldLimit = Math.max(this.#toldLimit, this.limit)
    return { received: this.#received, limit: this.#toldLimit }
  }

  take(bytes: number, rttMs: number | undefined): void {
    this.#read += bytes
    if (this.#read - this.#turnStart < this.#window) return
    const now = performance.now()
    const quickMs = Math.max(2 * (rttMs ?? 0), quickReaderMs)
    if (now - this.#turnStartedAt <= quickMs) this.#window = Math.min(2 * this.#window, largestWindowBytes)
    this.#turnStart = this.#read
    this.#turnStartedAt = now
  }
}
