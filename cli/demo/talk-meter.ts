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

/** A talk as the lobby is told of it; what is less than a message now and then counts as nothing. */
export function linkOf({ connection }: Talk, bytesPerSecond: number): Link {
  const { path, remote = new Uint8Array(), strength } = connection
  return {
    to: toBase64(remote),
    over: linkName(connection),
    ...(path === undefined ? {} : { path }),
    strength,
    bytesPerSecond: bytesPerSecond < idleBytes ? 0 : bytesPerSecond,
  }
}

/** Of all talks, those with most traffic first where there are too many. */
export function linksOf(talks: Iterable<Talk>, meter: TalkMeter): Link[] {
  const links = [...talks]
    .filter(({ hello }) => hello !== undefined)
    .map((talk) => linkOf(talk, meter.read(talk)))
  return links.toSorted((a, b) => b.bytesPerSecond - a.bytesPerSecond).slice(0, mostLinks)
}

/** A second: pings, and the states that every peer tells. */
const idleBytes = 4_096
