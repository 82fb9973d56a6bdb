import type { Hello, RosterEntry } from './protocol.ts'
import type { Talk } from './talk.ts'

/** Who is there: the lobby of the demo, kept by the server peer. One entry for each proven key. */
export class Roster {
  readonly #entries = new Map<string, { entry: RosterEntry; talk: Talk }>()
  readonly #own: () => RosterEntry

  /** @param own the server itself, which leads every list */
  constructor(own: () => RosterEntry) {
    this.#own = own
  }

  /** Whether the key is new here. Who comes again takes its own place. A full roster takes no more. */
  add(key: string, { kind, name, address }: Hello, talk: Talk): boolean {
    const isNew = !this.#entries.has(key)
    if (isNew && this.#entries.size >= mostPeers) return false
    this.#entries.set(key, { entry: { kind, name, address }, talk })
    this.#tell()
    return isNew
  }

  has(key: string): boolean {
    return this.#entries.has(key)
  }

  /** Whether it was there by this talk. */
  remove(key: string, talk: Talk): boolean {
    if (this.#entries.get(key)?.talk !== talk) return false
    this.#entries.delete(key)
    this.#tell()
    return true
  }

  /** Everyone hears of it, and of nobody without an address: what for? */
  #tell(): void {
    const there = [...this.#entries.values()]
    const peers = [this.#own(), ...there.map(({ entry }) => entry)].filter(({ address }) => address !== '')
    for (const { talk } of there) talk.sendRoster(peers)
  }
}

/** With the server itself this fits in one message. */
const mostPeers = 99
