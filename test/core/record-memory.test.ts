import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { limits } from '../../core/limits.ts'
import { RecordMemory, type KnownRecord } from '../../core/record-memory.ts'

const { skewMs, keys: defaultKeys } = limits.record

/** Memory compares bytes and numbers: that a record is signed was seen before. */
function known(sequence: number, expiresAtMs: number, variant = 0): KnownRecord {
  const record = { key: new Uint8Array(32), sequence, expiresAtMs, listed: false, addresses: [] }
  return { bytes: Uint8Array.of(sequence, expiresAtMs, variant), record }
}

describe('the memory of records', () => {
  it('takes newer ones and the same bytes again, and nothing else', () => {
    const memory = new RecordMemory()
    expect(memory.take('a', known(5, 100), 0)).toBe(true)
    expect(memory.take('a', known(5, 100), 0)).toBe(true)
    expect(memory.take('a', known(5, 100, 1), 0)).toBe(false)
    expect(memory.take('a', known(4, 100), 0)).toBe(false)
    expect(memory.get('a', 0)).toMatchObject(known(5, 100))
    expect(memory.take('a', known(6, 100), 0)).toBe(true)
    expect(memory.take('b', known(1, 100), 0)).toBe(true)
    expect(memory.get('a', 0)).toMatchObject(known(6, 100))
  })

  it.each([
    [-1, false],
    [0, false],
    [1, true],
  ])('takes an older one %i ms after it could be shown again: %s', (ms, isTaken) => {
    const memory = new RecordMemory()
    memory.take('a', known(5, 100), 0)
    expect(memory.take('a', known(4, 200), 100 + skewMs + ms)).toBe(isTaken)
  })

  it('remembers as long as any record of the key is good, not only the newest', () => {
    const memory = new RecordMemory()
    memory.take('a', known(4, 1000), 0)
    memory.take('a', known(5, 100), 0)
    expect(memory.take('a', known(4, 1000), 1000 + skewMs)).toBe(false)
    expect(memory.get('a', 1000 + skewMs + 1)).toBeUndefined()
  })

  it('keeps a copy', () => {
    const memory = new RecordMemory()
    const given = known(5, 100)
    memory.take('a', given, 0)
    given.bytes.fill(0)
    expect(memory.get('a', 0)?.bytes).toEqual(known(5, 100).bytes)
  })

  it.each([-1, 0, 1])('forgets the one that came longest ago when there are too many (%i)', (over) => {
    const memory = new RecordMemory()
    const count = defaultKeys + over
    for (let key = 0; key < count; key += 1) memory.take(`${key}`, known(5, 100), 0)
    expect(memory.size).toBe(Math.min(count, defaultKeys))
    expect(memory.get('0', 0) === undefined).toBe(over > 0)
    expect(memory.get('1', 0)).toBeDefined()
  })

  it('makes room with what has expired before it forgets what has not', () => {
    const memory = new RecordMemory({ keys: 2 })
    memory.take('old', known(5, 1_000_000), 0)
    memory.take('expired', known(5, 0), 0)
    memory.take('new', known(5, 1_000_000), skewMs + 1)
    expect([...memory.names()]).toEqual(['old', 'new'])
  })

  it('makes room in a full memory about as fast in a large one as in a small one', () => {
    const replaceMs = (keys: number) => {
      const memory = new RecordMemory({ keys })
      const take = (from: number, to: number) => {
        for (let key = from; key < to; key += 1) memory.take(`${key}`, known(5, 1_000_000), 0)
      }
      take(0, keys + 100)
      const startedAtMs = performance.now()
      take(keys + 100, keys + 2_100)
      return performance.now() - startedAtMs
    }
    // Whatever else the machine does can only add to it.
    const quickestMs = (keys: number) => Math.min(...Array.from({ length: 5 }, () => replaceMs(keys)))
    quickestMs(10)
    // A look at all of them for each is a factor of hundreds.
    expect(quickestMs(defaultKeys)).toBeLessThan(30 * quickestMs(10))
  })

  it('does not forget what is in use for what is not', () => {
    const inUse = new Set(['a', 'b'])
    const memory = new RecordMemory({ keys: 3, isInUse: (name) => inUse.has(name) })
    for (const name of ['a', 'b', 'c', 'd', 'e']) memory.take(name, known(5, 100), 0)
    expect([...memory.names()]).toEqual(['a', 'b', 'e'])
    inUse.add('e').add('f')
    memory.take('f', known(5, 100), 0)
    expect(memory.size).toBe(3)
    expect(memory.get('f', 0)).toBeDefined()
  })
})

describe('whatever comes in whatever order', () => {
  const time = fc.nat(4 * skewMs)
  const event = fc.record({
    name: fc.constantFrom('a', 'b', 'c'),
    sequence: fc.nat(5),
    lifeMs: time,
    variant: fc.nat(1),
    passMs: fc.nat(skewMs),
  })

  it('the view is the highest sequence that was valid when it came, as long as one could be taken back', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const memory = new RecordMemory()
        /** All that was taken, and never forgotten. */
        const taken: { name: string; known: KnownRecord }[] = []
        let nowMs = 0
        for (const { name, sequence, lifeMs, variant, passMs } of events) {
          nowMs += passMs
          const offered = known(sequence, nowMs + lifeMs, variant)
          const mine = taken.filter((each) => each.name === name)
          const isLive = mine.some(({ known: { record } }) => record.expiresAtMs + skewMs >= nowMs)
          const highest = isLive ? Math.max(...mine.map(({ known: { record } }) => record.sequence)) : -1
          if (!isLive) for (const each of mine) taken.splice(taken.indexOf(each), 1)
          const isSame = mine.some(
            ({ known: { record, bytes } }) =>
              isLive && record.sequence === highest && bytes.every((byte, at) => byte === offered.bytes[at]),
          )
          expect(memory.take(name, offered, nowMs)).toBe(sequence > highest || isSame)
          if (sequence > highest) taken.push({ name, known: offered })
          const view = memory.get(name, nowMs)
          const expected = taken
            .filter((each) => each.name === name)
            .toSorted((a, b) => b.known.record.sequence - a.known.record.sequence)[0]
          expect(view?.record).toEqual(expected?.known.record)
        }
      }),
    )
  })
})
