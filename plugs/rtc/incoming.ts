import { ByteQueue } from '../../core/byte-queue.ts'
import { copy } from '../../core/bytes.ts'
import { limits } from '../../core/limits.ts'
import { ReceiveWindow } from './receive-window.ts'
import type { Bytes } from '../../core/types.ts'

export interface IncomingOptions {
  /** The peer is to be told how far its bytes have come, and may come. */
  readonly onDue: () => void
  /** The round trip of the path in use. */
  readonly rttMs: () => number | undefined
}

/** What came of a frame: a gap means that its path lost one before; what is forbidden ends the session. */
export type Arrival = 'taken' | 'gap' | 'forbidden'

/** The direction of a session that arrives here: in order, once, and no more than the reader has room for. */
export class Incoming {
  readonly #onDue: () => void
  readonly #window = new ReceiveWindow()
  readonly #queue: ByteQueue
  #end: number | undefined
  #isUntold = false
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor({ onDue, rttMs }: IncomingOptions) {
    this.#onDue = onDue
    const onRead = (bytes: number) => {
      this.#window.take(bytes, rttMs())
      if (this.#end === undefined && this.#window.isDue) onDue()
    }
    this.#queue = new ByteQueue({ highWaterBytes: Infinity, onRead })
  }

  /** Every byte and the end have come. */
  get isFinished(): boolean {
    return this.#end !== undefined
  }

  get receivedBytes(): number {
    return this.#window.received
  }

  /** As the peer is told it: one more than the bytes once the end has come. */
  get received(): number {
    return this.#end === undefined ? this.#window.received : this.#end + 1
  }

  get unreadBytes(): number {
    return this.#window.received - this.#window.read
  }

  read(): Promise<Bytes | null> {
    return this.#queue.read()
  }

  receive(offset: number, bytes: Bytes): Arrival {
    const { received, toldLimit } = this.#window
    const end = offset + bytes.length
    if (bytes.length === 0 || end > toldLimit || (this.#end !== undefined && end > this.#end)) {
      return 'forbidden'
    }
    if (offset > received) return 'gap'
    this.#isUntold = true
    if (end <= received) return 'taken'
    // A part of a message would keep all of it in memory: 64 times what the window allows.
    const fresh = offset === received ? bytes : copy(bytes.subarray(received - offset))
    this.#window.receive(fresh.length)
    this.#queue.push(fresh)
    this.#tellSoon()
    return 'taken'
  }

  receiveEnd(offset: number): Arrival {
    const { received } = this.#window
    if (offset < received || (this.#end !== undefined && offset !== this.#end)) return 'forbidden'
    if (offset > received) return 'gap'
    if (this.#end === undefined) {
      this.#end = offset
      this.#queue.end()
      this.#onDue()
      // Repeated as often as somebody likes: that must not cost an answer each.
    } else this.#tellSoon()
    return 'taken'
  }

  /** Bytes have come, be they known already, since this was told last. */
  get isUntold(): boolean {
    return this.#isUntold
  }

  /** The limits for HELLO or ACK, which count as told. */
  tell(): { received: number; limit: number } {
    this.stopTelling()
    this.#isUntold = false
    const { limit } = this.#window.tell()
    return { received: this.received, limit }
  }

  stopTelling(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** Reading goes on to what came in order, and then rejects. */
  fail(error: Error): void {
    this.#queue.fail(error)
  }

  discard(error: Error): void {
    this.#queue.discard(error)
  }

  #tellSoon(): void {
    if (this.#window.isDue) return this.#onDue()
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#onDue()
    }, limits.session.acknowledgeAfterMs)
  }
}
