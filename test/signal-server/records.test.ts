import * as fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { toBase64Url } from '../../core/bytes.ts'
import { ready } from '../../core/ed25519.ts'
import { limits } from '../../core/limits.ts'
import type { PeerRecord } from '../../core/record.ts'
import type { Bytes } from '../../core/types.ts'
import type { Keys } from '../../plugs/keys.ts'
import { Records } from '../../signal-server/records.ts'
import { addressOf, forge, keysOf, recordOf } from '../support/records.ts'
import { rigEpochMs as now, HubRig } from './hub-rig.ts'

let keys: Keys
let other: Keys
beforeAll(async () => {
  await ready()
  keys = await keysOf(1)
  other = await keysOf(2)
})

/** A hub, and a socket that is registered there with `keys`. */
function registered(rig = new HubRig()) {
  const socket = rig.registered(keys.publicKey)
  const publish = (record: Bytes, from = socket) => {
    rig.send(from, { type: 'record', record })
    return rig.take(from)
  }
  const find = ({ publicKey }: Keys = keys) => rig.hub.records.find(toBase64Url(publicKey), now + rig.nowMs)
  return { rig, socket, publish, find }
}

describe('publishing', () => {
  it('keeps the record that comes with a registration, as its bytes', async () => {
    const { rig, find } = registered()
    const record = await recordOf(other, { sequence: now })
    const socket = rig.connect()
    rig.send(socket, { ...rig.proof(socket, other.publicKey), record } as never)
    expect(rig.take(socket)).toEqual([{ type: 'registered', iceServers: [] }])
    expect(find(other)).toEqual(record)
  })

  it('keeps the registration when it refuses the record with it', () => {
    const rig = new HubRig()
    const socket = rig.connect()
    rig.send(socket, { ...rig.proof(socket, keys.publicKey), record: Uint8Array.of(1) } as never)
    expect(rig.take(socket)).toMatchObject([
      { type: 'registered' },
      { type: 'error', code: 'RECORD_INVALID' },
    ])
    expect(rig.hub.counts().registered).toBe(1)
  })

  it('says nothing when it takes a record, the same bytes again among them', async () => {
    const { publish, find } = registered()
    const record = await recordOf(keys, { sequence: now })
    expect([publish(record), publish(record)]).toEqual([[], []])
    expect(find()).toEqual(record)
  })

  it('shows a stale one what is kept, and keeps that', async () => {
    const { publish, find } = registered()
    const kept = await recordOf(keys, { sequence: now + 5 })
    publish(kept)
    for (const sequence of [now + 5, now + 4, 0]) {
      const stale = await recordOf(keys, { sequence, expiresAtMs: now + 1000, listed: true })
      expect(publish(stale)).toMatchObject([{ type: 'error', code: 'RECORD_STALE', record: kept }])
    }
    expect(find()).toEqual(kept)
    const newer = await recordOf(keys, { sequence: now + 6 })
    expect(publish(newer)).toEqual([])
    expect(find()).toEqual(newer)
  })

  it.each<[string, () => Promise<Bytes>]>([
    ['of another key', () => recordOf(other, { sequence: now })],
    [
      'that has expired',
      () => recordOf(keys, { sequence: now, expiresAtMs: now - limits.record.skewMs - 1 }),
    ],
    ['that lasts too long', () => recordOf(keys, { sequence: now, expiresAtMs: now + 25 * 3_600_000 })],
    ['from the future', () => recordOf(keys, { sequence: now + 25 * 3_600_000, expiresAtMs: now })],
    ['that is forged', async () => forge(await recordOf(keys, { sequence: now }))],
    ['that is nothing of the kind', () => Promise.resolve(Uint8Array.of(1, 2, 3))],
  ])('refuses one %s', async (_what, make) => {
    const { publish, find } = registered()
    expect(publish(await make())).toMatchObject([{ type: 'error', code: 'RECORD_INVALID' }])
    expect(find()).toBeUndefined()
  })

  it('refuses one from a socket that has not registered, an introduced one included', async () => {
    const { rig, publish, find } = registered()
    const record = await recordOf(keys, { sequence: now })
    const stranger = rig.connect()
    expect(publish(record, stranger)).toMatchObject([{ code: 'RECORD_INVALID' }])
    expect(find()).toBeUndefined()
  })

  it('refuses one from a socket that was replaced, which is gone', async () => {
    const { rig, socket, publish, find } = registered()
    rig.registered(keys.publicKey)
    rig.take(socket)
    expect(publish(await recordOf(keys, { sequence: now }), socket)).toEqual([])
    expect(find()).toBeUndefined()
  })

  it('is not undone by leaving: a record lives until it expires', async () => {
    const { rig, socket, publish, find } = registered(new HubRig({ pingMs: 1e9 }))
    const record = await recordOf(keys, { sequence: now, expiresAtMs: now + 1000 })
    publish(record)
    rig.leave(socket)
    rig.advance(999)
    expect(find()).toEqual(record)
    rig.advance(1)
    expect(find()).toBeUndefined()
  })

  it('shows nothing of a withdrawn record, and does not take the old one back', async () => {
    const { publish, find } = registered()
    const record = await recordOf(keys, { sequence: now })
    publish(record)
    const withdrawn = await recordOf(keys, { sequence: now + 1, addresses: [] })
    expect(publish(withdrawn)).toEqual([])
    expect(find()).toBeUndefined()
    expect(publish(record)).toMatchObject([{ code: 'RECORD_STALE', record: withdrawn }])
    expect(find()).toBeUndefined()
  })

  it.each([-1, 0, 1])('is refused over the rate of a peer, which recovers (%i over)', async (over) => {
    const { rig, publish, find } = registered()
    const { recordsBurst: burst, recordsPerSecond } = rig.limits
    const records = await Promise.all(
      Array.from({ length: burst + over }, (_, index) => recordOf(keys, { sequence: now + index })),
    )
    const refused = records.flatMap((record) => publish(record))
    const rate = { type: 'error', code: 'RATE', retryAfterMs: 1000 / recordsPerSecond }
    expect(refused).toMatchObject(over > 0 ? [rate] : [])
    rig.advance(1000 / recordsPerSecond)
    const last = records.at(-1) ?? new Uint8Array()
    expect(publish(last)).toEqual([])
    expect(find()).toEqual(last)
  })

  it.each([-1, 0, 1])('makes room with the record of who is not here (%i over)', async (over) => {
    const rig = new HubRig({ recordKeys: 4 })
    const present = registered(rig)
    present.publish(await recordOf(keys, { sequence: now }))
    for (let number = 2; number <= 4 + over; number += 1) {
      const own = await keysOf(number)
      const socket = rig.registered(own.publicKey)
      expect(present.publish(await recordOf(own, { sequence: now }), socket)).toEqual([])
      rig.leave(socket)
    }
    expect(present.find()).toBeDefined()
    expect(present.find(await keysOf(2)) === undefined).toBe(over > 0)
  })
})

describe('the list', () => {
  const store = () => new Records({ keys: 1000, isHere: () => false })
  const put = async (records: Records, number: number, contents: Partial<PeerRecord> = {}) => {
    const own = await keysOf(number)
    const bytes = await recordOf(own, { sequence: now, listed: true, ...contents })
    const record = {
      key: own.publicKey,
      sequence: now,
      expiresAtMs: now + 3_600_000,
      listed: true,
      addresses: [addressOf(own)],
      ...contents,
    }
    records.put(toBase64Url(own.publicKey), bytes, record, now)
    return { key: toBase64Url(own.publicKey), bytes }
  }

  it('has those with the flag, in force, in the order of their keys', async () => {
    const records = store()
    const listed = [await put(records, 1), await put(records, 2), await put(records, 3)]
    await put(records, 4, { listed: false })
    await put(records, 5, { addresses: [] })
    await put(records, 6, { expiresAtMs: now })
    const sorted = listed.toSorted((a, b) => (a.key < b.key ? -1 : 1))
    expect(records.list('', now)).toEqual(sorted.map(({ bytes }) => bytes))
    expect(records.list(sorted[0]?.key ?? '', now)).toEqual(sorted.slice(1).map(({ bytes }) => bytes))
    expect(records.list(sorted[2]?.key ?? '', now)).toEqual([])
  })

  it('goes on when its place is gone, and has what came meanwhile', async () => {
    const records = store()
    const listed = [await put(records, 1), await put(records, 2)]
    expect(records.list('', now)).toHaveLength(2)
    listed.push(await put(records, 3))
    const sorted = listed.toSorted((a, b) => (a.key < b.key ? -1 : 1))
    expect(records.list('', now)).toEqual(sorted.map(({ bytes }) => bytes))
    expect(records.list(`${sorted[0]?.key}0`, now)).toHaveLength(2)
  })

  it.each([99, 100, 101, 201])('has a hundred a page of %i', async (count) => {
    const records = store()
    const all = []
    for (let number = 0; number < count; number += 1) all.push(await put(records, number))
    const sorted = all.map(({ key }) => key).toSorted()
    const pages: number[] = []
    for (let after = '', got = 0; ; after = sorted[got - 1] ?? '') {
      const page = records.list(after, now)
      pages.push(page.length)
      got += page.length
      if (page.length < 100) break
    }
    expect(pages.every((length, index) => length === Math.min(100, count - 100 * index))).toBe(true)
  })
})

describe('the directory as a whole', () => {
  interface Offer {
    peer: number
    sequence: number
    lifeMs: number
    withdrawn: boolean
  }

  // Published, delivered late, twice and out of order, taken back, expired, and the hub restarted.
  const event = fc.oneof(
    fc.record({
      kind: fc.constant('publish'),
      peer: fc.nat(2),
      step: fc.integer({ min: 1, max: 3 }),
      lifeMs: fc.constantFrom(1_000, 60_000),
      withdrawn: fc.boolean(),
    }),
    fc.record({ kind: fc.constant('deliver'), index: fc.nat(30) }),
    fc.record({ kind: fc.constant('pass'), ms: fc.constantFrom(0, 1_000, limits.record.skewMs) }),
    fc.record({ kind: fc.constant('restart') }),
  )

  it('always shows the highest valid sequence that it was given', async () => {
    const everyone = await Promise.all([1, 2, 3].map(keysOf))
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 60 }), async (events) => {
        let rig = new HubRig({ pingMs: 1e12, recordsBurst: 100 })
        let sockets = everyone.map(({ publicKey }) => rig.registered(publicKey))
        let passedMs = 0
        const signed: { offer: Offer; bytes: Bytes; expiresAtMs: number }[] = []
        const last = [now, now, now]
        /** What the hub has taken since it began, by peer. */
        let taken: (typeof signed)[] = [[], [], []]
        for (const happened of events) {
          if (happened.kind === 'publish' && 'peer' in happened) {
            const { peer, step, lifeMs, withdrawn } = happened
            const sequence = (last[peer] ?? 0) + step
            last[peer] = sequence
            const own = everyone[peer]
            if (own === undefined) continue
            const expiresAtMs = now + passedMs + lifeMs
            const addresses = withdrawn ? [] : [addressOf(own)]
            const bytes = await recordOf(own, { sequence, expiresAtMs, addresses })
            signed.push({ offer: { peer, sequence, lifeMs, withdrawn }, bytes, expiresAtMs })
          } else if (happened.kind === 'deliver' && 'index' in happened) {
            const delivered = signed[happened.index]
            if (delivered === undefined) continue
            const { peer, sequence } = delivered.offer
            const nowMs = now + passedMs
            const remembered = live(taken[peer] ?? [], nowMs)
            if (remembered.length === 0) taken[peer] = []
            const highest = Math.max(-1, ...remembered.map(({ offer }) => offer.sequence))
            const isValid = delivered.expiresAtMs >= nowMs - limits.record.skewMs
            rig.send(sockets[peer] ?? 0, { type: 'record', record: delivered.bytes })
            const codes = rig
              .take(sockets[peer] ?? 0)
              .map((answer) => (answer.type === 'error' ? answer.code : answer.type))
            const expected = !isValid ? ['RECORD_INVALID'] : sequence < highest ? ['RECORD_STALE'] : []
            expect(codes).toEqual(expected)
            if (expected.length === 0) taken[peer]?.push(delivered)
          } else if (happened.kind === 'pass' && 'ms' in happened) {
            passedMs += happened.ms
            rig.advance(happened.ms)
          } else if (happened.kind === 'restart') {
            rig = new HubRig({ pingMs: 1e12, recordsBurst: 100 })
            rig.advance(passedMs)
            sockets = everyone.map(({ publicKey }) => rig.registered(publicKey))
            taken = [[], [], []]
          }
          for (const [peer, own] of everyone.entries()) {
            const nowMs = now + passedMs
            const [newest] = live(taken[peer] ?? [], nowMs).toSorted(
              (a, b) => b.offer.sequence - a.offer.sequence,
            )
            const isShown = newest !== undefined && !newest.offer.withdrawn && newest.expiresAtMs > nowMs
            expect(rig.hub.records.find(toBase64Url(own.publicKey), nowMs)).toEqual(
              isShown ? newest.bytes : undefined,
            )
          }
        }

        /** All, as long as one of them could be taken back. */
        function live(records: typeof signed, nowMs: number): typeof signed {
          return records.some(({ expiresAtMs }) => expiresAtMs + limits.record.skewMs >= nowMs) ? records : []
        }
      }),
      { numRuns: 60 },
    )
  }, 60_000)
})
