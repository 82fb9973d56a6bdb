import { fromBase64Url, toBase64Url } from './bytes.ts'
import type { Bytes } from './types.ts'

/** How one field of a message is read and written. */
export interface Field<T> {
  /** The value in a fresh object, or undefined when it is not one. Never throws. */
  decode(value: unknown): T | undefined
  /** What `JSON.stringify` is to write. */
  encode(value: T): unknown
}

/** A field that may be absent. */
export interface OptionalField<T> extends Field<T> {
  readonly optional: true
}

/** A STUN or TURN server as RTCPeerConnection takes it, `urls` always a list. */
export interface IceServer {
  urls: string[]
  username?: string | undefined
  credential?: string | undefined
}

export function optional<T>(field: Field<T>): OptionalField<T> {
  return { ...field, optional: true }
}

/** Exactly `length` bytes as canonical base64url. */
export function bytes(length: number): Field<Bytes> {
  return bytesBetween(length, length)
}

/** From 1 to `maxLength` bytes as canonical base64url. */
export function bytesUpTo(maxLength: number): Field<Bytes> {
  return bytesBetween(1, maxLength)
}

/** Canonical base64url of `length` bytes that stays text, because it is only ever compared. */
export function handle(length: number): Field<string> {
  return plain((value) => {
    if (typeof value !== 'string' || value.length > 2 * length) return undefined
    return fromBase64Url(value)?.length === length ? value : undefined
  })
}

/** Base64url characters that only the far peer can make sense of: neither canonical form nor length is checked. */
export function opaque(maxCharacters: number): Field<string> {
  return plain((value) =>
    typeof value === 'string' && value.length <= maxCharacters && /^[A-Za-z0-9_-]+$/.test(value)
      ? value
      : undefined,
  )
}

/** Text for people: cut to `maxCharacters` and to what can be printed, no control or direction characters. */
export function text(maxCharacters: number): Field<string> {
  return plain((value) => (typeof value === 'string' ? printable(value, maxCharacters) : undefined))
}

/** Text for machines: refused, not cut, when it is too long or is not printable ASCII without spaces. */
export function token(maxCharacters: number): Field<string> {
  return plain((value) =>
    typeof value === 'string' && value.length <= maxCharacters && /^[!-~]+$/.test(value) ? value : undefined,
  )
}

export function flag(): Field<boolean> {
  return plain((value) => (typeof value === 'boolean' ? value : undefined))
}

/** Whole milliseconds, clamped to 0…`maxMs`. */
export function milliseconds(maxMs: number): Field<number> {
  return plain((value) =>
    typeof value === 'number' ? Math.min(Math.max(Math.trunc(value), 0), maxMs) : undefined,
  )
}

/** A whole number from 0 to `max`; anything else is refused, not clamped. */
export function whole(max: number): Field<number> {
  return plain((value) =>
    typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max
      ? withoutSign(value)
      : undefined,
  )
}

/** 0 for -0, which JSON reads and does not write: what was decoded would be another message when it is passed on. */
function withoutSign(number: number): number {
  return number === 0 ? 0 : number
}

/** One of `values`; any other text reads as `otherwise`, so that a later version may add some. */
export function oneOf<const T extends string>(values: readonly T[], otherwise: T): Field<T> {
  return plain((value) =>
    typeof value === 'string' ? (values.find((known) => known === value) ?? otherwise) : undefined,
  )
}

/** Named numbers, at most `maxCount`; whatever else stands among them is left out. */
export function numbers(maxCount: number): Field<Record<string, number>> {
  return plain((value) => {
    if (!isRecord(value)) return undefined
    const named = Object.entries(value).filter(
      (entry): entry is [string, number] =>
        /^[a-z][A-Za-z0-9]{0,63}$/.test(entry[0]) &&
        typeof entry[1] === 'number' &&
        Number.isFinite(entry[1]),
    )
    return Object.fromEntries(named.slice(0, maxCount).map(([name, number]) => [name, withoutSign(number)]))
  })
}

/** ICE servers with at most `maxUrls` URLs in all; others than stun, turn and turns are left out. */
export function iceServers(maxUrls: number): Field<IceServer[]> {
  return plain((value) => {
    if (!Array.isArray(value)) return undefined
    const servers: IceServer[] = []
    let left = maxUrls
    for (const item of value) {
      const server = isRecord(item) ? iceServer(item, left) : undefined
      if (server === undefined) continue
      servers.push(server)
      left -= server.urls.length
    }
    return servers
  })
}

/** Whether `value` is an object with names, as JSON gives it. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function bytesBetween(minLength: number, maxLength: number): Field<Bytes> {
  return {
    decode(value) {
      // The length is looked at first: nothing long is decoded only to be refused.
      if (typeof value !== 'string' || value.length > 2 * maxLength) return undefined
      const decoded = fromBase64Url(value)
      const fits = decoded !== null && decoded.length >= minLength && decoded.length <= maxLength
      return fits ? decoded : undefined
    },
    encode: toBase64Url,
  }
}

function plain<T>(decode: (value: unknown) => T | undefined): Field<T> {
  return { decode, encode: (value) => value }
}

export function printable(value: string, maxCharacters: number): string {
  const seen = value.replaceAll(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, '')
  return seen.length <= maxCharacters ? seen : Array.from(seen).slice(0, maxCharacters).join('')
}

function iceServer(item: Record<string, unknown>, maxUrls: number): IceServer | undefined {
  const listed: unknown[] = Array.isArray(item['urls']) ? item['urls'] : [item['urls']]
  const urls = listed.filter(isIceUrl).slice(0, maxUrls)
  if (urls.length === 0) return undefined
  const secret = token(256)
  const username = secret.decode(item['username'])
  const credential = secret.decode(item['credential'])
  return {
    urls,
    ...(username === undefined ? {} : { username }),
    ...(credential === undefined ? {} : { credential }),
  }
}

function isIceUrl(url: unknown): url is string {
  return typeof url === 'string' && url.length <= 256 && /^(stun|turns?):[!-~]+$/.test(url)
}
