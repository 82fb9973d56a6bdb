import { limits } from '../../core/limits.ts'
import type { Bytes } from '../../core/types.ts'
import type { FramePathHandlers } from './frame-path.ts'

/** Keeps what arrives before the session takes the path: the far side may be quicker. */
export class EarlyMessages {
  #waiting: Bytes[] = []
  #closed = false
  #handlers: FramePathHandlers | undefined

  deliver(message: Bytes): void {
    if (this.#handlers !== undefined) this.#handlers.onMessage(message)
    else if (this.#waiting.length < limits.session.earlyFrames) this.#waiting.push(message)
  }

  start(handlers: FramePathHandlers): void {
    this.#handlers = handlers
    for (const message of this.#waiting.splice(0)) handlers.onMessage(message)
    if (this.#closed) handlers.onClose()
  }

  drain(): void {
    this.#handlers?.onDrain()
  }

  doubt(): void {
    this.#handlers?.onDoubt()
  }

  change(): void {
    this.#handlers?.onKind()
  }

  close(): void {
    this.#closed = true
    this.#handlers?.onClose()
  }
}
