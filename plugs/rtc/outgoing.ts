import { MultiserverError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { dataHeaderBytes, longestDirection } from './frames.ts'
import { SendBuffer } from './send-buffer.ts'
import type { SessionPath } from './session-path.ts'

const { initialLimitBytes, unacknowledgedBytes } = limits.session
/** No queue: who types is not to wait for a path to be empty. */
const littleBytes = 4 * 1024

/**
 * The direction of a session that leaves here. What the peer has not acknowledged is kept, and whatever path is next
 * goes on from there.
 */
export class Outgoing {
  readonly #kept = new SendBuffer()
  /** The path in use; what is sent on it goes on at `#next`. */
  #path: SessionPath | undefined
  #next = 0
  #isEndSentHere = false
  /** The highest offset that ever left, and whether the end did: nothing beyond may be acknowledged. */
  #sent = 0
  #isEndSent = false
  #isEnded = false
  #isFinished = false
  #peerLimit: number = initialLimitBytes
  #resentBytes = 0
  #room: Waiting | undefined
  #ending: Waiting | undefined
  #error: Error | undefined

  /** The peer has acknowledged every byte and the end. */
  get isFinished(): boolean {
    return this.#isFinished
  }

  /** Bytes that have left, each counted once. */
  get sentBytes(): number {
    return this.#sent
  }

  /** Bytes that the peer has. */
  get acknowledgedBytes(): number {
    return this.#kept.start
  }

  /** Bytes that left more than once. */
  get resentBytes(): number {
    return this.#resentBytes
  }

  /** Bytes that are kept for the peer. */
  get keptBytes(): number {
    return this.#kept.bytes
  }

  /** Whether a direction can't have as many bytes more. */
  wouldOverflow(bytes: number): boolean {
    return this.#kept.end + bytes > longestDirection
  }

  /** Settles when all of it is kept. Without a path nothing is taken: what waits for a peer that is away must not grow. */
  async write(chunk: Uint8Array): Promise<void> {
    let rest = chunk
    while (rest.length > 0) {
      if (this.#error !== undefined) throw this.#error
      if (this.#isEnded) throw new MultiserverError('CLOSED')
      const room = this.#path === undefined ? 0 : unacknowledgedBytes - this.#kept.bytes
      if (room <= 0) {
        await new Promise<void>((resolve, reject) => (this.#room = { resolve, reject }))
        continue
      }
      this.#kept.append(rest.subarray(0, room))
      rest = rest.subarray(room)
      this.pump()
    }
  }

  /** Settles when the peer has acknowledged every byte and the end. */
  end(): Promise<void> {
    if (this.#error !== undefined) return Promise.reject(this.#error)
    if (this.#isEnded) return Promise.resolve()
    this.#isEnded = true
    return new Promise((resolve, reject) => {
      this.#ending = { resolve, reject }
      this.pump()
    })
  }

  /** Goes on there from what the peer is known to have, the end included. */
  moveTo(path: SessionPath | undefined): void {
    this.#path = path
    path?.flight.restart(this.#sent)
    this.#next = this.#kept.start
    this.#isEndSentHere = false
    this.#releaseWriter()
  }

  /** False when the peer acknowledges what was never sent. */
  acknowledge(received: number, limit: number): boolean {
    const withEnd = this.#isEndSent && received === this.#kept.end + 1
    if (received > this.#sent && !withEnd) return false
    this.#kept.release(withEnd ? this.#kept.end : received)
    this.#path?.flight.onAcknowledged(this.#kept.start)
    // Late words of another path may have overtaken what is being sent again here.
    this.#next = Math.max(this.#next, this.#kept.start)
    this.#peerLimit = Math.max(this.#peerLimit, limit)
    this.#releaseWriter()
    if (withEnd) {
      this.#isFinished = true
      this.#ending?.resolve()
      this.#ending = undefined
    }
    return true
  }

  /** Sends what the path has room for and the peer has given credit for, then the end. */
  pump(): void {
    const path = this.#path
    if (path === undefined || this.#error !== undefined) return
    const most = path.maxFrameBytes - dataHeaderBytes
    const credit = Math.min(this.#kept.end, this.#peerLimit)
    // Where the flight is the bound no frame is cut: it holds two at least.
    const flightEnd = this.#kept.start + path.flight.limitBytes
    while (path.isOpen && this.#next < credit) {
      if (path.flight.needsQuiet) {
        if (this.#next - this.#kept.start > littleBytes) break
        path.flight.onQuiet()
        path.ping()
      }
      const bytes = Math.min(most, path.flight.frameBytes, credit - this.#next)
      if (this.#next + bytes > flightEnd || !path.hasRoom()) break
      path.sendData(this.#next, bytes, (payload) => this.#kept.copy(this.#next, payload))
      this.#next += bytes
      this.#resentBytes += Math.max(0, Math.min(bytes, this.#sent - this.#next + bytes))
      this.#sent = Math.max(this.#sent, this.#next)
      path.flight.onSent(this.#next, this.#kept.start)
    }
    if (this.#next >= credit) path.flight.onStarved()
    if (path !== this.#path || !this.#isEnded || this.#isEndSentHere || this.#next !== this.#kept.end) return
    this.#isEndSentHere = true
    this.#isEndSent = true
    path.send({ type: 'end', offset: this.#kept.end })
  }

  /** Everything that waits rejects, and what comes. */
  fail(error: Error): void {
    this.#error = error
    this.#room?.reject(error)
    this.#ending?.reject(error)
  }

  #releaseWriter(): void {
    if (this.#path === undefined || this.#kept.bytes >= unacknowledgedBytes) return
    this.#room?.resolve()
    this.#room = undefined
  }
}

interface Waiting {
  resolve: () => void
  reject: (error: Error) => void
}
