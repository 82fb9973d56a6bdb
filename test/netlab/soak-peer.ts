import type { LabPlace, StartPeerOptions } from './lab.ts'
import type { Holdings, LabPeer } from './peer.ts'
import { inTime, messageOf, pause } from './waiting.ts'

const talk = { bytes: 16 * 1024, endsFirst: true }
const conversation = { bytes: 1024, everyMs: 1_000 }
const againAfterMs = 1_000
const lookEveryMs = 200

/** A peer of the soak: it echoes, it may be killed and started anew, and it converses over one stream with another. */
export class SoakPeer {
  readonly place: LabPlace
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

  holdings(): Promise<Holdings> {
    return this.#peer.holdings()
  }

  ownBytes(): Promise<number> {
    return this.#peer.ownBytes()
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

  /** A new connection, bytes there and back, and its end. */
  async talk(other: SoakPeer): Promise<void> {
    const { sentSha256, receivedSha256 } = await this.#peer.talk(other.#address, talk)
    if (sentSha256 !== receivedSha256) throw new Error('other bytes came back')
  }

  /** As {@link talk}, tried again until it works or time is up. */
  async reach(other: SoakPeer, withinMs: number): Promise<void> {
    const endsAt = performance.now() + withinMs
    for (;;) {
      try {
        return await this.talk(other)
      } catch (thrown) {
        if (performance.now() > endsAt)
          throw new Error(`${this.name} does not reach ${other.name}: ${messageOf(thrown)}`, {
            cause: thrown,
          })
        await pause(againAfterMs)
      }
    }
  }

  hasKept(other: SoakPeer): boolean {
    return this.#kept?.to === other
  }

  /** A stream to another, in place of the one that it has, and a conversation over it. */
  async keep(other: SoakPeer): Promise<void> {
    await this.drop()
    const connection = await this.#peer.dial(other.#address)
    this.#kept = { to: other, connection }
    await this.#peer.converse(connection, conversation)
  }

  async drop(): Promise<void> {
    const kept = this.#kept
    this.#kept = undefined
    if (kept !== undefined) await this.#peer.forget(kept.connection)
  }

  /**
   * Resolves with nothing once bytes have come back over the stream that it keeps, else with why none will.
   * Rejects when neither happens in time: the stream hangs.
   */
  probeKept(withinMs: number): Promise<string | null> {
    let isLate = false
    const probe = async () => {
      if (this.#kept === undefined) return 'there is none'
      const { connection } = this.#kept
      const before = await this.#peer.conversed(connection)
      for (let now = before; ; now = await this.#peer.conversed(connection)) {
        if (now.failure !== null) return now.failure
        if (now.rounds > before.rounds || isLate) return null
        await pause(lookEveryMs)
      }
    }
    return inTime(probe(), withinMs, `the stream that ${this.name} keeps`).finally(() => (isLate = true))
  }

  async #listen(): Promise<void> {
    this.#address = await this.#peer.listen({ echoes: true })
  }
}
