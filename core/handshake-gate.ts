import { limits } from './limits.ts'

/** Counts the incoming handshakes under way, in all and per source address, so that silent peers can't pile up. */
export class HandshakeGate {
  #inFlight = 0
  readonly #bySource = new Map<string, number>()

  /** Whether one more may begin; each true answer is owed a `leave`. */
  enter(source: string | undefined): boolean {
    const fromSource = source === undefined ? 0 : (this.#bySource.get(source) ?? 0)
    if (this.#inFlight >= limits.handshake.inFlight || fromSource >= limits.handshake.inFlightPerSource)
      return false
    this.#inFlight += 1
    if (source !== undefined) this.#bySource.set(source, fromSource + 1)
    return true
  }

  leave(source: string | undefined): void {
    this.#inFlight -= 1
    if (source === undefined) return
    const left = (this.#bySource.get(source) ?? 1) - 1
    if (left === 0) this.#bySource.delete(source)
    else this.#bySource.set(source, left)
  }
}
