import { bytesToHex, concatBytes, hexToBytes } from '@noble/hashes/utils.js'
import type { Bytes } from './types.ts'

export const toHex: (bytes: Uint8Array) => string = bytesToHex
export const fromHex: (hex: string) => Uint8Array = hexToBytes

const textEncoder = new TextEncoder()
const textDecoder = new TextDecoder()

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

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const standardDigits = textEncoder.encode(`${letters}+/`)
const urlDigits = textEncoder.encode(`${letters}-_`)
const noDigit = 64
/** By the code of the digit. */
const digitValues = new Uint8Array(128).fill(noDigit)
for (const digits of [standardDigits, urlDigits])
  for (const [value, digit] of digits.entries()) digitValues[digit] = value

export function toBase64(bytes: Uint8Array): string {
  const digits = encodeDigits(bytes, standardDigits)
  return digits.padEnd(Math.ceil(digits.length / 4) * 4, '=')
}

/** Base64, padded or not, in either alphabet; null for anything else, bits left over included. */
export function fromBase64(text: string): Bytes | null {
  const digits = text.length - (text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0)
  if (digits % 4 === 1 || (digits < text.length && text.length % 4 !== 0)) return null
  const bytes = new Uint8Array(Math.floor((digits * 3) / 4))
  let [bits, waiting, at] = [0, 0, 0]
  for (let index = 0; index < digits; index += 1) {
    const value = digitValues[text.charCodeAt(index)] ?? noDigit
    if (value === noDigit) return null
    // What runs out at the top has been written.
    bits = (bits << 6) | value
    waiting += 6
    if (waiting < 8) continue
    waiting -= 8
    bytes[at++] = bits >> waiting
  }
  return (bits & ((1 << waiting) - 1)) === 0 ? bytes : null
}

/** Base64url without padding. */
export function toBase64Url(bytes: Uint8Array): string {
  return encodeDigits(bytes, urlDigits)
}

/** The canonical form that {@link toBase64Url} gives, and nothing else. */
export function fromBase64Url(text: string): Bytes | null {
  return /^[A-Za-z0-9_-]*$/.test(text) ? fromBase64(text) : null
}

/** The first characters of a key: enough to tell a few apart by eye, and to know it again in a log. */
export function shortKey(key: Uint8Array): string {
  return `${toBase64(key).slice(0, 8)}…`
}

/** Without padding. What the platform has (Node 20's `atob`, and strings made byte by byte) took most of a signal's time. */
function encodeDigits(bytes: Uint8Array, alphabet: Uint8Array): string {
  const digits = new Uint8Array(Math.ceil((bytes.length * 4) / 3))
  let [bits, waiting, at] = [0, 0, 0]
  const write = (value: number) => (digits[at++] = alphabet[value & 63] ?? 0)
  for (let index = 0; index < bytes.length; index += 1) {
    bits = (bits << 8) | (bytes[index] ?? 0)
    for (waiting += 8; waiting >= 6;) write(bits >> (waiting -= 6))
  }
  if (waiting > 0) write(bits << (6 - waiting))
  return textDecoder.decode(digits)
}
