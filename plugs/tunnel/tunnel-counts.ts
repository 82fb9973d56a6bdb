import { toHex } from '../../core/bytes.ts'
import { MultiserverError } from '../../core/errors.ts'

/** Counts what is open, in all and for each client's key. */
export class TunnelCounts {
  readonly #most: number
  readonly #mostPerClient: number
  readonly #byClient = new Map<string, number>()
  #open = 0

  constructor(most: number, mostPerClient: number) {
    this.#most = most
    this.#mostPerClient = mostPerClient
  }

  /** One more; the function that is given takes it away again. @throws BUSY */
  enter(clientKey: Uint8Array): () => void {
    const client = toHex(clientKey)
    const ofClient = this.#byClient.get(client) ?? 0
    if (this.#open >= this.#most) throw new MultiserverError('BUSY', `${this.#open} tunnels are open`)
    if (ofClient >= this.#mostPerClient) {
      throw new MultiserverError('BUSY', `${ofClient} tunnels of this client are open`)
    }
    this.#open += 1
    this.#byClient.set(client, ofClient + 1)
    return () => this.#leave(client)
  }

  #leave(client: string): void {
    this.#open -= 1
    const left = (this.#byClient.get(client) ?? 1) - 1
    if (left === 0) this.#byClient.delete(client)
    else this.#byClient.set(client, left)
  }
}
