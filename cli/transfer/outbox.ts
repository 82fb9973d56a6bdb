import type { Connection } from '../../core/connection.ts'
import { messageFrame } from './frames.ts'
import { transferLimits } from './limits.ts'
import type { Codec } from './messages.ts'

/** Writes this side's frames, and says that it is alive when there is nothing else to say. To be stopped. */
export class Outbox<T extends { readonly type: string }> {
  readonly #connection: Connection
  readonly #codec: Codec<T>
  readonly #timer: ReturnType<typeof setInterval>
  #hasSpoken = false

  constructor(connection: Connection, codec: Codec<T>, alive: T) {
    this.#connection = connection
    this.#codec = codec
    this.#timer = setInterval(() => {
      // Unawaited: that the connection is broken shows wherever it is read.
      if (!this.#hasSpoken) void this.post(alive)
      this.#hasSpoken = false
    }, transferLimits.aliveAfterMs)
  }

  post(message: T): Promise<void> {
    return this.write(messageFrame(this.#codec.encode(message)))
  }

  /** A whole frame. Awaiting it is the backpressure. */
  write(frame: Uint8Array): Promise<void> {
    this.#hasSpoken = true
    return this.#connection.write(frame)
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}
