import type { Path } from '../../core/types.ts'

/** A connection as one of its ends tells the lobby of it, for those who draw the network. */
export interface Link {
  /** The key that the far side proved, base64. */
  readonly to: string
  /** The first section's name, `tunnel` through a bridge. */
  readonly over: Over
  /** Of rtc: which way the bytes go. */
  readonly path?: Path | undefined
  /** 2 for shs2, 1 for shs. */
  readonly strength: number
  /** Both directions together, over the last second or two. */
  readonly bytesPerSecond: number
}

export type Over = 'net' | 'ws' | 'rtc' | 'tunnel'

/** Of one peer: with a hundred peers all of them still fit in a message. */
export const mostLinks = 12

/** In fresh objects; null for what are not links. */
export function decodeLinks(value: unknown): readonly Link[] | null {
  if (!Array.isArray(value) || value.length > mostLinks) return null
  const links = value.map(decodeLink)
  const valid = links.filter((link) => link !== null)
  return valid.length === links.length ? valid : null
}

function decodeLink(value: unknown): Link | null {
  if (typeof value !== 'object' || value === null) return null
  const { to, over, path, strength, bytesPerSecond } = value as Readonly<Record<string, unknown>>
  if (typeof to !== 'string' || !/^[A-Za-z0-9+/]{43}=$/.test(to)) return null
  if (!isOver(over) || !(path === undefined || isPath(path))) return null
  if (strength !== 0 && strength !== 1 && strength !== 2) return null
  if (typeof bytesPerSecond !== 'number' || !Number.isSafeInteger(bytesPerSecond)) return null
  if (bytesPerSecond < 0 || Object.is(bytesPerSecond, -0)) return null
  return { to, over, ...(path === undefined ? {} : { path }), strength, bytesPerSecond }
}

export function isOver(value: unknown): value is Over {
  return value === 'net' || value === 'ws' || value === 'rtc' || value === 'tunnel'
}

function isPath(value: unknown): value is Path {
  return value === 'direct' || value === 'turn' || value === 'relay'
}
