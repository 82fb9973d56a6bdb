import type { Socket } from 'node:net'
import { finished } from 'node:stream/promises'

/** How much went through a connection, and how fast it goes. Up is what is sent to the far side. */
export class Traffic {
  readonly #sockets = new Set<Socket>()
  #before = { up: 0, down: 0 }
  #last = { up: 0, down: 0, atMs: performance.now() }

  /** Counts what the socket reads as up and what it is given as down, until it is closed. */
  add(socket: Socket): void {
    this.#sockets.add(socket)
    socket.once('close', () => {
      this.#sockets.delete(socket)
      this.#before.up += socket.bytesRead
      this.#before.down += socket.bytesWritten
    })
  }

  /** TCP connections now. */
  get streams(): number {
    return this.#sockets.size
  }

  /** Resolves once each of the connections of now has been given all that there is for it, or is over. */
  async untilDelivered(): Promise<void> {
    await Promise.allSettled([...this.#sockets].map((socket) => finished(socket, { readable: false })))
  }

  /** Bytes since the beginning. */
  totals(): { up: number; down: number } {
    let { up, down } = this.#before
    for (const socket of this.#sockets) {
      up += socket.bytesRead
      down += socket.bytesWritten
    }
    return { up, down }
  }

  /** Bytes a second since it was asked before. */
  rates(): { up: number; down: number } {
    const { up, down } = this.totals()
    const atMs = performance.now()
    const seconds = Math.max(atMs - this.#last.atMs, 1) / 1000
    const rates = { up: (up - this.#last.up) / seconds, down: (down - this.#last.down) / seconds }
    this.#last = { up, down, atMs }
    return rates
  }
}
