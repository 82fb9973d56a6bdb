import { bytesToHex, concatBytes, hexToBytes } from '@noble/hashes/utils.js'
import type { Bytes } from './types.ts'

export const toHex: (bytes: Uint8Array) => string = bytesToHex
export const fromHex: (hex: string) => Uint8Array = hexToBytes

const textEncoder = new TextEncoder()

export function concat(...chunks: Uint8Array[]): Bytes {
  return concatBytes(...chunks)
}

/** Always a copy, and never a Buffer: `slice` of Node's Buffer is a view of the same memory. */
export function copy(bytes: Uint8Array): Bytes {
  return new Uint8Array(bytes)
}

/** The same memory as a plain Uint8Array: what is read is one everywhere, and has none of Buffer's methods. */
export function view(bytes: Uint8Array<ArrayBuffer>): Bytes {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

export function fromText(text: string): Bytes {
  return textEncoder.encode(text)
}

/** Compares public values; not constant in time. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}

/** `x` behind its length in two bytes, as the signed layouts of the hub's protocol have it. */
export function lengthPrefixed(x: Uint8Array | string): Bytes {
  const bytes = typeof x === 'string' ? fromText(x) : x
  if (bytes.length > 0xffff) throw new RangeError('a length-prefixed value has at most 65,535 bytes')
  return concat(Uint8Array.of(bytes.length >> 8, bytes.length & 0xff), bytes)
}

export function toBase64(bytes: Uint8Array): string {
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary)
}

/** Base64, padded or not, in either alphabet; null for anything else, bits left over included. */
export function fromBase64(text: string): Bytes | null {
  const [, digits = '', padding = ''] = /^([A-Za-z0-9+/_-]*)(={0,2})$/.exec(text) ?? []
  if (digits + padding !== text || digits.length % 4 === 1) return null
  if (padding !== '' && text.length % 4 !== 0) return null
  const body = digits.replaceAll('-', '+').replaceAll('_', '/')
  const bytes = Uint8Array.from(atob(body), (character) => character.charCodeAt(0))
  return toBase64(bytes).replace(/=+$/, '') === body ? bytes : null
}

/** Base64url without padding. */
export function toBase64Url(bytes: Uint8Array): string {
  return toBase64(bytes).replace(/=+$/, '').replaceAll('+', '-').replaceAll('/', '_')
}

/** The canonical form that {@link toBase64Url} gives, and nothing else. */
export function fromBase64Url(text: string): Bytes | null {
  return /^[A-Za-z0-9_-]*$/.test(text) ? fromBase64(text) : null
}

/** The first characters of a key: enough to tell a few apart by eye, and to know it again in a log. */
export function shortKey(key: Uint8Array): string {
  return `${toBase64(key).slice(0, 8)}…`
}
