import { toBase64 } from '../../core/bytes.ts'
import { mostLinks, type Link } from './links.ts'
import { linkName } from './words.ts'
import type { Talk } from './talk.ts'

/** How much moves over talks, seen from one reading to the next. */
export class TalkMeter {
  readonly #last = new WeakMap<Talk, { readonly atMs: number; readonly bytes: number }>()

  /** Bytes a second in both directions together since the last call for this talk; 0 at the first. */
  read(talk: Talk): number {
    const now = { atMs: performance.now(), bytes: talk.movedBytes }
    const last = this.#last.get(talk)
    this.#last.set(talk, now)
    if (last === undefined || now.atMs === last.atMs) return 0
    return Math.round(((now.bytes - last.bytes) * 1_000) / (now.atMs - last.atMs))
  }
}

/** A talk as its end knows it. */
export function linkOf({ connection }: Talk, bytesPerSecond: number): Link {
  const { path, remote = new Uint8Array(), strength } = connection
  return {
    to: toBase64(remote),
    over: linkName(connection),
    ...(path === undefined ? {} : { path }),
    strength,
    bytesPerSecond,
  }
}

/** What the lobby is told of all links: those with most traffic where there are too many. */
export function toldLinks(links: readonly Link[]): Link[] {
  const told = links.map((link) => ({ ...link, bytesPerSecond: roughly(link.bytesPerSecond) }))
  return told.toSorted((a, b) => b.bytesPerSecond - a.bytesPerSecond).slice(0, mostLinks)
}

/**
 * A power of four, and nothing below what the telling itself takes: each change is told to everyone, and would be news
 * again for that.
 */
function roughly(bytesPerSecond: number): number {
  return bytesPerSecond < quietBytes ? 0 : 4 ** Math.floor(Math.log2(bytesPerSecond) / 2)
}

/** A second. */
const quietBytes = 64 * 1024
