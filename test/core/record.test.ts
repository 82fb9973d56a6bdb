import { existsSync, readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { formatAlternative, parseAddress } from '../../core/address.ts'
import { concat, fromHex, fromText, lengthPrefixed, toHex } from '../../core/bytes.ts'
import { createIdentity, ready } from '../../core/ed25519.ts'
import { limits } from '../../core/limits.ts'
import { decodeRecord, readRecord, signRecord, verifyRecord, type PeerRecord } from '../../core/record.ts'
import { keysFromSeed, keyToString, type Keys } from '../../plugs/keys.ts'
import { failure } from '../support/failure.ts'
import { addressOf, keysOf, recordOf } from '../support/records.ts'
import vectors from '../vectors/records.json' with { type: 'json' }

const nowMs = 1_763_888_400_000
const { longestLifeMs, sequenceAheadMs, skewMs } = limits.record
const longestMs = longestLifeMs + skewMs

let keys: Keys
let good: Uint8Array

beforeAll(async () => {
  await ready()
  keys = await keysOf(1)
  good = await recordOf(keys, { sequence: nowMs })
})

describe('known answers', () => {
  it.each(vectors.records)('$name', async (vector) => {
    const identity = createIdentity(await keysFromSeed(fromHex(vector.seed)))
    const { sequence, expiresAtMs, listed, addresses } = vector
    const record = await signRecord(identity, { sequence, expiresAtMs, listed, addresses })
    expect(toHex(record)).toBe(vector.record)
    expect(verifyRecord(record)).toEqual({
      key: fromHex(vector.key),
      sequence,
      expiresAtMs,
      listed,
      addresses,
    })
  })

  it('fills a record to the last byte', () => {
    expect(vectors.records.map(({ record }) => record.length / 2)).toContain(limits.record.bytes)
  })

  // The protocol's own, where a checkout has them beside it: an extra, and nothing to be counted as missing elsewhere.
  const file = new URL('../../../shared/vectors/hub-layouts.json', import.meta.url)
  it.each(existsSync(file) ? [readFileSync(file, 'utf8')] : [])('of the protocol', async (published) => {
    const { serverSeed, record: vector } = JSON.parse(published) as {
      serverSeed: string
      record: { sequence: number; expiresMs: number; listed: boolean; addresses: string[]; record: string }
    }
    const { sequence, expiresMs: expiresAtMs, listed, addresses } = vector
    const identity = createIdentity(await keysFromSeed(fromHex(serverSeed)))
    expect(toHex(await signRecord(identity, { sequence, expiresAtMs, listed, addresses }))).toBe(
      vector.record,
    )
  })
})

describe('a record', () => {
  it('is refused with any bit flipped, and with any end cut', () => {
    for (let bit = 0; bit < good.length * 8; bit += 1) {
      const flipped = Uint8Array.from(good)
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(verifyRecord(flipped)).toBeNull()
    }
    for (let length = 0; length < good.length; length += 1) {
      expect(verifyRecord(good.subarray(0, length))).toBeNull()
    }
    expect(verifyRecord(concat(good, Uint8Array.of(0)))).toBeNull()
    expect(verifyRecord(good)).not.toBeNull()
  })

  it('is refused when another key has signed it', async () => {
    const other = await keysOf(2)
    const forged = concat(good.subarray(0, -64), (await recordOf(other, { sequence: nowMs })).subarray(-64))
    expect(readRecord(forged, keys.publicKey, nowMs)).toMatchObject({
      why: expect.stringContaining('signature'),
    })
    expect(readRecord(good, other.publicKey, nowMs)).toMatchObject({ why: 'it is of another key' })
  })

  it('is refused when it was signed as something else', async () => {
    const body = good.subarray(0, -64)
    const identity = createIdentity(keys)
    for (const label of ['multiserver/register/1', 'multiserver/record/2', '']) {
      const signature = await identity.sign(concat(lengthPrefixed(label), lengthPrefixed(body)))
      expect(verifyRecord(concat(body, signature))).toBeNull()
    }
    expect(verifyRecord(concat(body, await identity.sign(body)))).toBeNull()
  })

  it('is given in memory of its own', () => {
    const bytes = Uint8Array.from(good)
    const record = verifyRecord(bytes)
    bytes.fill(0)
    expect(record).toEqual(verifyRecord(good))
    expect(record?.key.buffer.byteLength).toBe(32)
  })

  it.each<[string, (now: number) => Partial<PeerRecord>, boolean]>([
    ['expires 1 ms before the latest', (now) => ({ expiresAtMs: now + longestMs - 1 }), true],
    ['expires at the latest', (now) => ({ expiresAtMs: now + longestMs }), true],
    ['expires 1 ms after the latest', (now) => ({ expiresAtMs: now + longestMs + 1 }), false],
    ['has expired 1 ms less than clocks differ', (now) => ({ expiresAtMs: now - skewMs + 1 }), true],
    ['has expired as much as clocks differ', (now) => ({ expiresAtMs: now - skewMs }), true],
    ['has expired 1 ms more than clocks differ', (now) => ({ expiresAtMs: now - skewMs - 1 }), false],
    ['has a sequence 1 ms before the highest', (now) => ({ sequence: now + sequenceAheadMs - 1 }), true],
    ['has the highest sequence', (now) => ({ sequence: now + sequenceAheadMs }), true],
    ['has a sequence 1 ms above', (now) => ({ sequence: now + sequenceAheadMs + 1 }), false],
    ['has the sequence 0', () => ({ sequence: 0 }), true],
  ])('that %s is taken: %s', async (_what, contents, isTaken) => {
    const bytes = await recordOf(keys, { sequence: nowMs, expiresAtMs: nowMs + 1000, ...contents(nowMs) })
    expect(readRecord(bytes, keys.publicKey, nowMs).kind).toBe(isTaken ? 'record' : 'refused')
  })

  it.each<[string, (keys: Keys) => Partial<PeerRecord>, boolean]>([
    ['15 addresses', (own) => ({ addresses: many(own, 15) }), true],
    ['16 addresses', (own) => ({ addresses: many(own, 16) }), true],
    ['17 addresses', (own) => ({ addresses: many(own, 17) }), false],
    ['255 addresses', (own) => ({ addresses: many(own, 255) }), false],
    ['256 addresses', (own) => ({ addresses: many(own, 256) }), false],
    ['4,095 bytes', (own) => ({ addresses: [filling(own, -1)] }), true],
    ['4,096 bytes', (own) => ({ addresses: [filling(own, 0)] }), true],
    ['4,097 bytes', (own) => ({ addresses: [filling(own, 1)] }), false],
    ['an address of 70,000 bytes', (own) => ({ addresses: [filling(own, 66_000)] }), false],
    ['the sequence 2^53 - 1', () => ({ sequence: 2 ** 53 - 1 }), true],
    ['the sequence 2^53', () => ({ sequence: 2 ** 53 }), false],
    ['the sequence -1', () => ({ sequence: -1 }), false],
    ['the sequence 0.5', () => ({ sequence: 0.5 }), false],
    ['the end 2^53 - 1', () => ({ expiresAtMs: 2 ** 53 - 1 }), true],
    ['the end 2^53', () => ({ expiresAtMs: 2 ** 53 }), false],
    ['the end NaN', () => ({ expiresAtMs: Number.NaN }), false],
    ['no address', () => ({ addresses: [] }), true],
    ['an empty address', () => ({ addresses: [''] }), false],
    ['an address without a key', () => ({ addresses: ['net:192.0.2.1:8008'] }), false],
    ['an address that ends in noauth', () => ({ addresses: ['net:192.0.2.1:8008~noauth'] }), false],
    [
      'an address that is only the key',
      (own) => ({ addresses: [`shs:${keyToString(own.publicKey)}`] }),
      false,
    ],
    ['a key that is not the last', (own) => ({ addresses: [`${addressOf(own)}~noauth`] }), false],
    ['two alternatives in one', (own) => ({ addresses: [`${addressOf(own)};${addressOf(own)}`] }), false],
    ['a line break', (own) => ({ addresses: [`net:a\nb:1~shs:${keyToString(own.publicKey)}`] }), false],
    [
      'a transform of a later version',
      (own) => ({ addresses: [`net:a:1~shs9:${keyToString(own.publicKey)}`] }),
      true,
    ],
  ])('with %s can be signed: %s', async (_what, contents, canBeSigned) => {
    const rest = { sequence: nowMs, expiresAtMs: nowMs, listed: false, addresses: [addressOf(keys)] }
    const signing = signRecord(createIdentity(keys), { ...rest, ...contents(keys) })
    if (canBeSigned) expect(verifyRecord(await signing)).not.toBeNull()
    else expect((await failure(signing)).code).toBe('RECORD_INVALID')
  })

  it('is refused when its key names somebody else in one of its addresses', async () => {
    const addresses = [addressOf(keys), addressOf(await keysOf(2))]
    expect((await failure(recordOf(keys, { sequence: nowMs, addresses }))).code).toBe('RECORD_INVALID')
  })

  it.each([
    ['another version', 0, 2],
    ['an unknown flag', 49, 2],
    ['an unknown flag beside a known one', 49, 3],
    ['more addresses than it has', 50, 2],
    ['fewer addresses than it has', 50, 0],
  ])('with %s is refused although it is signed', async (_what, at, byte) => {
    const body = Uint8Array.from(good.subarray(0, -64))
    body[at] = byte
    expect(verifyRecord(await signed(body))).toBeNull()
  })

  it.each([
    ['that is not UTF-8', concat(fromText('net:'), Uint8Array.of(0xff), fromText(':1~shs:'))],
    ['in an overlong form', concat(fromText('net:'), Uint8Array.of(0xc0, 0xaf), fromText(':1~shs:'))],
    ['that begins with a byte order mark', concat(Uint8Array.of(0xef, 0xbb, 0xbf), fromText('net:a:1~shs:'))],
  ])('with a text %s is refused although it is signed', async (_what, start) => {
    const address = concat(start, fromText(keyToString(keys.publicKey)))
    const body = concat(good.subarray(0, 51), lengthPrefixed(address))
    expect(verifyRecord(await signed(body))).toBeNull()
  })

  it('never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000 }), (bytes) => {
        expect(decodeRecord(bytes)).toBeNull()
        expect(verifyRecord(bytes)).toBeNull()
      }),
    )
    // Near ones: some bytes of a good one changed.
    const changes = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(changes, (changed) => {
        const bytes = Uint8Array.from(good)
        for (const [at, byte] of changed) bytes[at] = byte
        const isSame = bytes.every((byte, at) => byte === good[at])
        expect(verifyRecord(bytes) !== null).toBe(isSame)
      }),
    )
  })

  it('has one form: what is decoded is encoded to the same bytes', async () => {
    const number = fc.integer({ min: 0, max: 2 ** 53 - 1 })
    const host = fc.stringMatching(/^[a-z0-9]{1,20}$/)
    const hosts = fc.array(host, { maxLength: 16 })
    await fc.assert(
      fc.asyncProperty(number, number, fc.boolean(), hosts, async (sequence, expiresAtMs, listed, names) => {
        const addresses = names.map((name) => addressOf(keys, name))
        const contents = { sequence, expiresAtMs, listed, addresses }
        const bytes = await signRecord(createIdentity(keys), contents)
        const record = verifyRecord(bytes)
        expect(record).toEqual({ key: keys.publicKey, ...contents })
        expect(
          record?.addresses.map((address) => parseAddress(address).map(formatAlternative).join(';')),
        ).toEqual(addresses)
        expect(await signRecord(createIdentity(keys), contents)).toEqual(bytes)
      }),
      { numRuns: 50 },
    )
  })

  async function signed(body: Uint8Array): Promise<Uint8Array> {
    const message = concat(lengthPrefixed('multiserver/record/1'), lengthPrefixed(body))
    return concat(body, await createIdentity(keys).sign(message))
  }
})

function many(own: Keys, count: number): string[] {
  return Array.from({ length: count }, (_, index) => addressOf(own, `h${index}`))
}

/** An address with which a record has so many bytes more than it may. */
function filling(own: Keys, over: number): string {
  const room = limits.record.bytes - 64 - 51 - 2
  return addressOf(own, 'a'.repeat(room - addressOf(own, '').length + over))
}
