import type { LabPlace, StartPeerOptions } from './lab.ts'
import type { LabPeer } from './peer.ts'
import { pause } from './waiting.ts'

const exchangedBytes = 16 * 1024
const probeBytes = 1024
const againAfterMs = 1_000

/** A peer of the soak: it echoes, it may be killed and started anew, and it keeps one stream to another. */
export class SoakPeer {
  readonly place: LabPlace
  /** The longest fault since the last calm; infinite for a peer that died. */
  longestFaultMs = 0
  readonly #options: StartPeerOptions
  #peer: LabPeer
  #address = ''
  #lives = 0
  #kept: { readonly to: SoakPeer; readonly connection: number } | undefined

  static async start(place: LabPlace, options: StartPeerOptions): Promise<SoakPeer> {
    const peer = new SoakPeer(place, options)
    await peer.#listen()
    return peer
  }

  private constructor(place: LabPlace, options: StartPeerOptions) {
    this.place = place
    this.#options = options
    this.#peer = place.start(options)
  }

  get name(): string {
    return `${this.place.link} (${this.place.nat})`
  }

  /** One of its lives. */
  get process(): string {
    return `${this.place.link}, life ${this.#lives}`
  }

  async memoryBytes(): Promise<number> {
    return (await this.#peer.memory()).residentBytes
  }

  stop(): Promise<void> {
    return this.#peer.stop()
  }

  freeze(): void {
    this.#peer.kill('SIGSTOP')
  }

  thaw(): void {
    this.#peer.kill('SIGCONT')
  }

  /** Dies without a word, and comes back as another: with a key of its own. */
  async restart(): Promise<void> {
    this.#peer.kill('SIGKILL')
    await this.#peer.stop()
    this.#kept = undefined
    this.#peer = this.place.start(this.#options)
    this.#lives += 1
    await this.#listen()
  }

  /** A new connection, bytes there and back, and its end; tried again until it works or time is up. */
  async reach(other: SoakPeer, withinMs: number): Promise<void> {
    const endsAt = performance.now() + withinMs
    for (;;) {
      try {
        const number = await this.#peer.dial(other.#address)
        const { sentSha256, receivedSha256 } = await this.#peer.exchange(number, {
          bytes: exchangedBytes,
          endsFirst: true,
        })
        if (sentSha256 !== receivedSha256) throw new Error('other bytes came back')
        return
      } catch (thrown) {
        if (performance.now() > endsAt)
          throw new Error(`${this.name} does not reach ${other.name}`, { cause: thrown })
        await pause(againAfterMs)
      }
    }
  }

  hasKept(other: SoakPeer): boolean {
    return this.#kept?.to === other
  }

  async keep(other: SoakPeer): Promise<void> {
    this.#kept = undefined
    this.#kept = { to: other, connection: await this.#peer.dial(other.#address) }
  }

  /** Whether the stream that it keeps brings bytes back; false when it is broken, or there is none. */
  async probeKept(): Promise<boolean> {
    if (this.#kept === undefined) return false
    try {
      const { connection } = this.#kept
      await this.#peer.offer(connection, probeBytes)
      await this.#peer.readSome(connection, probeBytes)
      return true
    } catch {
      return false
    }
  }

  async #listen(): Promise<void> {
    this.#address = await this.#peer.listen({ echoes: true })
  }
}
