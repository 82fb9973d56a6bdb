import { signal, type ReadonlySignal } from '@preact/signals'
import { findLobby } from '../../cli/demo/lobby-address.ts'
import { toldLinks } from '../../cli/demo/talk-meter.ts'
import { describeError } from '../../cli/demo/words.ts'
import { membersOf } from './room.ts'
import type { MultiserverError } from '../../core/errors.ts'
import type { Company } from './company.ts'
import type { LiveTalk } from './live-talk.ts'

export interface Presence {
  readonly state: 'starting' | 'good' | 'bad'
  readonly words: string
}

/** Keeps this page in the lobby and known to the hub, and says how both stand. */
export class Lobby {
  readonly #company: Company
  readonly #presence = signal<Presence>({ state: 'starting', words: 'Starting…' })
  #lobby: LiveTalk | undefined
  #why = ''
  /** What came of the registration at the hub, while it is lost. */
  #hubError: MultiserverError | undefined
  #told = ''

  constructor(company: Company) {
    this.#company = company
  }

  get presence(): ReadonlySignal<Presence> {
    return this.#presence
  }

  /** Dials the lobby, and again whenever it was lost. Never resolves. */
  async stay(): Promise<void> {
    let pauseMs = shortestPauseMs
    for (;;) {
      this.#why = 'The lobby can not be reached.'
      try {
        const hub = await this.#join()
        pauseMs = shortestPauseMs
        await hub.talk.connection.closed
        this.#why = 'The lobby is gone.'
      } catch {
        // Said below.
      }
      this.#lobby = undefined
      this.#company.setRoster([])
      this.show()
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
      pauseMs = Math.min(pauseMs * 2, longestPauseMs)
    }
  }

  /** Once a second: how it stands, and to the lobby whom this page is connected to. */
  show(): void {
    const presence = this.#describe()
    if (presence.words !== this.#presence.value.words) this.#presence.value = presence
    const talks = membersOf(this.#company).flatMap((peer) => peer.talks.value)
    const links = toldLinks(talks.map(({ link }) => link))
    const state = JSON.stringify(links)
    if (this.#lobby === undefined || state === this.#told) return
    this.#told = state
    this.#lobby.talk.sendState(this.#company.address.value, links)
  }

  /** The hub does not know this page any more, and why. It may be back later. */
  lose(error: MultiserverError): void {
    this.#hubError = error
    this.show()
  }

  async #join(): Promise<LiveTalk> {
    const company = this.#company
    const server = await company.dial(await findLobby(location.origin), {
      onRoster: (entries) => company.setRoster(entries),
    })
    const lobby = server.talks.value.at(-1)
    if (lobby === undefined) throw new Error('it was over at once')
    this.#lobby = lobby
    this.#told = ''
    this.show()
    return lobby
  }

  #describe(): Presence {
    if (this.#lobby === undefined) return { state: 'bad', words: `${this.#why} Trying again…` }
    if (this.#company.isReachable) {
      this.#hubError = undefined
      return { state: 'good', words: 'In the lobby, and reachable over WebRTC' }
    }
    if (this.#company.address.value === '') return { state: 'good', words: 'In the lobby, by WebSocket only' }
    const why = this.#hubError === undefined ? 'The hub is away.' : describeError(this.#hubError).summary
    return { state: 'bad', words: `In the lobby. ${why}` }
  }
}

const shortestPauseMs = 1_000
const longestPauseMs = 15_000
