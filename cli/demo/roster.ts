import type { Link } from './links.ts'
import type { Hello, LobbyEntry } from './protocol.ts'
import type { Talk } from './talk.ts'

/** Who is there: the lobby of the demo, kept by the server peer. One entry for each proven key. */
export class Roster {
  readonly #entries = new Map<string, { entry: LobbyEntry; talk: Talk }>()
  readonly #own: () => LobbyEntry
  #told = ''
  #soon: ReturnType<typeof setTimeout> | undefined

  /** @param own the server itself, which leads every list */
  constructor(own: () => LobbyEntry) {
    this.#own = own
  }

  /** Whether the key is new here. Who comes again takes its own place. A full roster takes no more. */
  add(key: string, { kind, name, address }: Hello, talk: Talk): boolean {
    const isNew = !this.#entries.has(key)
    if (isNew && this.#entries.size >= mostPeers) return false
    this.#entries.set(key, { entry: { kind, name, address, links: [] }, talk })
    this.#tell()
    return isNew
  }

  has(key: string): boolean {
    return this.#entries.has(key)
  }

  /** What somebody who is there says of itself now. */
  update(key: string, talk: Talk, address: string, links: readonly Link[]): void {
    const there = this.#entries.get(key)
    if (there?.talk !== talk) return
    const hasMoved = there.entry.address !== address
    this.#entries.set(key, { entry: { ...there.entry, address, links }, talk })
    if (hasMoved) this.#tell()
    else this.tellSoon()
  }

  /** For what changes often: once for all that comes within a second. */
  tellSoon(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined
      if (JSON.stringify(this.#peers()) !== this.#told) this.#tell()
    }, soonMs)
    this.#soon.unref()
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
    const peers = this.#peers()
    this.#told = JSON.stringify(peers)
    for (const { talk } of this.#entries.values()) talk.sendRoster(peers)
  }

  #peers(): LobbyEntry[] {
    const all = [this.#own(), ...[...this.#entries.values()].map(({ entry }) => entry)]
    return all.filter(({ address }) => address !== '')
  }
}

/** With the server itself this fits in one message. */
const mostPeers = 99
const soonMs = 1_000
