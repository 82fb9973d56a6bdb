/**
 * What a key serves now, signed by it, so that nobody on the way can change it:
 *
 *   body   = 0x01 | key(32) | sequence(8) | expires(8, Unix ms) | flags(1: bit 0 listed) | count(1) | count × lp(address)
 *   record = body | Ed25519( lp("multiserver/record/1") | lp(body) )
 *
 * Records are carried and kept as these bytes. What is not exactly this form is no record: one text has one form.
 */
import { parseAddress, parseKeyText, type Alternative } from './address.ts'
import { concat, copy, equalBytes, fromText, lengthPrefixed } from './bytes.ts'
import { verifySignature } from './ed25519.ts'
import { MultiserverError } from './errors.ts'
import { limits } from './limits.ts'
import type { Bytes, Identity } from './types.ts'

export interface PeerRecord {
  /** Who signed it: 32 bytes, Ed25519. */
  readonly key: Bytes
  /** The higher of two records of a key is the newer; below 2^53. */
  readonly sequence: number
  /** Unix time; below 2^53. */
  readonly expiresAtMs: number
  /** Whether the hub may show it to those who do not know the key. */
  readonly listed: boolean
  /** One alternative each, all of this key, the preferred first. None: the record is withdrawn. */
  readonly addresses: readonly string[]
}

/** A record, or why it is none. */
export type ReadRecord = { kind: 'record'; record: PeerRecord } | { kind: 'refused'; why: string }

/** @throws RECORD_INVALID when `contents` does not fit into a record */
export async function signRecord(identity: Identity, contents: Omit<PeerRecord, 'key'>): Promise<Bytes> {
  const body = encodeBody({ ...contents, key: copy(identity.publicKey) })
  if (decodeBody(body) === null) {
    const { bytes, addresses } = limits.record
    const why = `a record has at most ${addresses} addresses and ${bytes} bytes, and each address ends in its key`
    throw new MultiserverError('RECORD_INVALID', `these are no contents of a record: ${why}`)
  }
  return concat(body, await identity.sign(signedBytes(body)))
}

/** The record in fresh objects, or null when it is malformed. Its signature is not looked at. Never throws. */
export function decodeRecord(bytes: Uint8Array): PeerRecord | null {
  return bytes.length > limits.record.bytes ? null : decodeBody(bytes.subarray(0, -signatureBytes))
}

/** The record, or null when it is malformed or not signed by its key. Once ed25519.ts is ready; never throws. */
export function verifyRecord(bytes: Uint8Array): PeerRecord | null {
  const record = decodeRecord(bytes)
  return record !== null && isSigned(bytes, record.key) ? record : null
}

/**
 * What a hub and whoever looks a key up must check of a record that came from outside: its form, its signature, that
 * it is of `key`, and its times. `nowMs` is Unix time.
 */
export function readRecord(bytes: Uint8Array, key: Uint8Array, nowMs: number): ReadRecord {
  const record = decodeRecord(bytes)
  if (record === null) return { kind: 'refused', why: 'it is malformed' }
  const why = !equalBytes(record.key, key) ? 'it is of another key' : refuseTimes(record, nowMs)
  if (why !== undefined) return { kind: 'refused', why }
  if (!isSigned(bytes, key)) return { kind: 'refused', why: 'its signature is not of its key' }
  return { kind: 'record', record }
}

const version = 1
const listedFlag = 1
const signatureBytes = 64
/** Everything before the addresses. */
const headBytes = 1 + 32 + 8 + 8 + 1 + 1
const tooLarge = 2n ** 53n

const textDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function refuseTimes({ sequence, expiresAtMs }: PeerRecord, nowMs: number): string | undefined {
  const { longestLifeMs, sequenceAheadMs, skewMs } = limits.record
  if (expiresAtMs < nowMs - skewMs) return 'it has expired, or a clock is wrong'
  if (expiresAtMs > nowMs + longestLifeMs + skewMs) return 'it expires too far ahead, or a clock is wrong'
  if (sequence > nowMs + sequenceAheadMs) return 'its sequence is too far ahead, or a clock is wrong'
  return undefined
}

function isSigned(record: Uint8Array, key: Uint8Array): boolean {
  const [body, signature] = [record.subarray(0, -signatureBytes), record.subarray(-signatureBytes)]
  return verifySignature(signature, signedBytes(body), key)
}

function signedBytes(body: Uint8Array): Bytes {
  return concat(lengthPrefixed('multiserver/record/1'), lengthPrefixed(body))
}

function encodeBody({ key, sequence, expiresAtMs, listed, addresses }: PeerRecord): Bytes {
  const head = new Uint8Array(headBytes)
  const numbers = new DataView(head.buffer)
  head[0] = version
  head.set(key, 1)
  numbers.setBigUint64(33, toUint64(sequence))
  numbers.setBigUint64(41, toUint64(expiresAtMs))
  head[49] = listed ? listedFlag : 0
  head[50] = Math.min(addresses.length, 255)
  return concat(head, ...addresses.map((address) => lengthPrefixed(fromText(address).slice(0, 0xffff))))
}

/** What is no whole number from 0 becomes one that no record may have. */
function toUint64(number: number): bigint {
  return Number.isSafeInteger(number) && number >= 0 ? BigInt(number) : tooLarge
}

function decodeBody(body: Uint8Array): PeerRecord | null {
  if (body.length < headBytes || body.length > limits.record.bytes - signatureBytes) return null
  const numbers = new DataView(body.buffer, body.byteOffset, body.byteLength)
  const [sequence, expires] = [numbers.getBigUint64(33), numbers.getBigUint64(41)]
  const [flags = 0, count = 0] = body.subarray(49, headBytes)
  if (body[0] !== version || sequence >= tooLarge || expires >= tooLarge || flags > listedFlag) return null
  const key = copy(body.subarray(1, 33))
  const addresses = decodeAddresses(body.subarray(headBytes), count, key)
  if (addresses === null) return null
  return {
    key,
    sequence: Number(sequence),
    expiresAtMs: Number(expires),
    listed: flags === listedFlag,
    addresses,
  }
}

/** Exactly `count` addresses of `key`, and nothing behind them. */
function decodeAddresses(bytes: Uint8Array, count: number, key: Uint8Array): string[] | null {
  if (count > limits.record.addresses) return null
  const addresses: string[] = []
  let at = 0
  while (addresses.length < count) {
    const [high, low] = bytes.subarray(at, at + 2)
    if (high === undefined || low === undefined) return null
    const end = at + 2 + high * 256 + low
    if (end > bytes.length) return null
    const address = decodeAddress(bytes.subarray(at + 2, end), key)
    if (address === null) return null
    addresses.push(address)
    at = end
  }
  return at === bytes.length ? addresses : null
}

function decodeAddress(bytes: Uint8Array, key: Uint8Array): string | null {
  try {
    const address = textDecoder.decode(bytes)
    const [alternative, ...more] = parseAddress(address)
    return alternative !== undefined && more.length === 0 && endsIn(alternative, key) ? address : null
  } catch {
    return null
  }
}

/** Whether the last section of an alternative is a transform that names `key`, whatever it is called. */
export function endsIn([, ...transforms]: Alternative, key: Uint8Array): boolean {
  const named = parseKeyText(transforms.at(-1)?.data[0] ?? '')
  return named !== null && equalBytes(named, key)
}
