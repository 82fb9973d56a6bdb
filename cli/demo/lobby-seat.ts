import { toError } from '../../core/errors.ts'
import { findLobby } from './lobby-address.ts'
import { errorLine, type NodePeer } from './node-peer.ts'
import type { MultiServer } from '../../core/multiserver.ts'
import type { Link } from './links.ts'
import type { RosterEntry } from './protocol.ts'
import type { Talk } from './talk.ts'
import type { Print } from './terminal.ts'

export interface LobbySeatOptions {
  readonly hubUrl: string
  /** What the server is dialed with. */
  readonly ms: Pick<MultiServer, 'client'>
  readonly peer: NodePeer
  readonly print: Print
  /** Where this peer can be dialed now. */
  readonly address: () => string
  readonly links: () => readonly Link[]
  /** For each time that it has come in. */
  readonly onJoined?: (talk: Talk) => void
}

/** The place in the lobby of a peer without a screen: taken again whenever it was lost, and told how the peer stands. */
export class LobbySeat {
  /** With the server, while it is there. */
  talk: Talk | undefined
  readonly #options: LobbySeatOptions
  readonly #telling: ReturnType<typeof setInterval>
  #again: ReturnType<typeof setTimeout> | undefined
  #isOver = false
  #told = ''
  #known = ''

  constructor(options: LobbySeatOptions) {
    this.#options = options
    this.#telling = setInterval(() => this.tell(), tellMs)
  }

  /** Never rejects: it tries again. */
  async take(): Promise<void> {
    const { hubUrl, ms, peer, print, onJoined } = this.#options
    try {
      const connection = await ms.client(await findLobby(hubUrl.replace(/^ws/, 'http')))
      if (this.#isOver) return connection.abort()
      peer.talk(connection, {
        onHello: (talk) => {
          this.talk = talk
          this.#told = ''
          onJoined?.(talk)
        },
        onRoster: (peers) => this.#meet(peers),
        onEnd: () => {
          this.talk = undefined
          this.#takeLater()
        },
      })
    } catch (thrown) {
      print(`can not reach the server: ${errorLine(toError(thrown, 'CONNECT_FAILED'))}`)
      this.#takeLater()
    }
  }

  /** How the peer stands, when that is news. */
  tell(): void {
    if (this.talk === undefined) return
    const [address, links] = [this.#options.address(), this.#options.links()]
    const told = JSON.stringify([address, links])
    if (told === this.#told) return
    this.#told = told
    this.talk.sendState(address, links)
  }

  leave(): void {
    this.#isOver = true
    clearTimeout(this.#again)
    clearInterval(this.#telling)
  }

  #takeLater(): void {
    if (!this.#isOver) this.#again = setTimeout(() => void this.take(), retryMs)
  }

  #meet(peers: readonly RosterEntry[]): void {
    const others = peers.filter(({ address }) => address !== this.#options.address())
    const there = others.map(({ name }) => name).join(', ')
    if (there === this.#known) return
    this.#known = there
    this.#options.print(`In the lobby with me: ${there === '' ? 'nobody' : there}`)
  }
}

/** As often as figures on a page are worth it. */
const tellMs = 1_000
const retryMs = 2_000
