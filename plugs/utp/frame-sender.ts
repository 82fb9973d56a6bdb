import { concat } from '../../core/bytes.ts'
import { limits } from '../../core/limits.ts'
import type { Bytes } from '../../core/types.ts'
import type { UtpConnection } from './native.ts'

/**
 * Sends frames over a uTP connection, those of one turn together and one write at a time.
 *
 * libutp takes a small write into a full window as well, and then forgets it for half a second; of a large one it says
 * when there is room. So many small writes have to become few large ones.
 */
export class FrameSender {
  readonly #connection: UtpConnection
  #waiting: Bytes[] = []
  #waitingBytes = 0
  #isWriting = false
  #turn: ReturnType<typeof setImmediate> | undefined
  #error: Error | undefined
  #callers: { readonly isServed: () => boolean; resolve: () => void; reject: (error: Error) => void }[] = []

  constructor(connection: UtpConnection) {
    this.#connection = connection
  }

  send(frame: Bytes): void {
    if (this.#error !== undefined) return
    this.#waiting.push(frame)
    this.#waitingBytes += frame.length
    if (!this.#isWriting) this.#turn ??= setImmediate(() => this.#flush())
  }

  /** Resolves when there is room for more, or rejects with why there is none any more. */
  hasRoom(): Promise<void> {
    return this.#until(() => this.#waitingBytes < limits.utp.joinBytes)
  }

  /** Resolves when uTP has taken all of it. */
  hasSent(): Promise<void> {
    return this.#until(() => this.#waitingBytes === 0 && !this.#isWriting)
  }

  fail(error: Error): void {
    this.#error ??= error
    clearImmediate(this.#turn)
    this.#waiting = []
    for (const caller of this.#callers.splice(0)) caller.reject(error)
  }

  #until(isServed: () => boolean): Promise<void> {
    if (this.#error !== undefined) return Promise.reject(this.#error)
    if (isServed()) return Promise.resolve()
    return new Promise((resolve, reject) => this.#callers.push({ isServed, resolve, reject }))
  }

  #flush(): void {
    this.#turn = undefined
    const frames = concat(...this.#waiting)
    this.#waiting = []
    this.#waitingBytes = 0
    this.#isWriting = true
    this.#connection.write(frames, () => this.#onWritten())
    this.#serve()
  }

  #onWritten(): void {
    this.#isWriting = false
    if (this.#error !== undefined) return
    if (this.#waiting.length > 0) this.#flush()
    else this.#serve()
  }

  #serve(): void {
    const callers = this.#callers
    this.#callers = []
    for (const caller of callers) {
      if (caller.isServed()) caller.resolve()
      else this.#callers.push(caller)
    }
  }
}
