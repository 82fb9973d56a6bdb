import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { limits } from '../../../core/limits.ts'
import { RelayUsage } from '../../../plugs/rtc/relay-usage.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

/** A circuit that has just opened, and what is said of its limits. */
function begin(told: Record<string, number>) {
  const said: [message: string, isOver: boolean][] = []
  const grant = { url: 'wss://hub.example.com/relay', token: new Uint8Array(32), limits: told }
  const usage = new RelayUsage(grant, ({ code, message }, isOver) =>
    said.push([`${code} ${message}`, isOver]),
  )
  usage.begin()
  return { usage, said }
}

describe('what a relay grants', () => {
  it.each([
    [799, 0],
    [800, 1],
    [801, 1],
  ])('of 1,000 bytes %i are worth %i warnings', (bytes, warnings) => {
    const { usage, said } = begin({ bytes: 1_000 })
    usage.add(bytes - 1)
    usage.add(1)
    expect(said).toHaveLength(warnings)
    expect(usage.figures()).toMatchObject({ bytes, limitBytes: 1_000, isNearLimit: warnings > 0 })
    usage.end({ isLimit: false })
  })

  it.each([
    [799, 0],
    [800, 1],
    [801, 1],
  ])('of a second %i ms are worth %i warnings', (ms, warnings) => {
    const { usage, said } = begin({ lifeMs: 1_000 })
    vi.advanceTimersByTime(ms)
    expect(said).toHaveLength(warnings)
    expect(usage.figures()).toMatchObject({ ageMs: ms, limitMs: 1_000 })
    usage.end({ isLimit: false })
  })

  it('is warned of once, and again when it is over', () => {
    const { usage, said } = begin({ bytes: 10, lifeMs: 10 })
    usage.add(9)
    usage.add(1)
    vi.advanceTimersByTime(10)
    usage.end({ isLimit: true })
    expect(said).toEqual([
      [expect.stringMatching(/^RELAY_LIMIT .*80 % of the bytes/), false],
      [expect.stringMatching(/^RELAY_LIMIT .*all it may have/), true],
    ])
  })

  it('is counted over the circuits of a session that draw from one account', () => {
    const first = begin({ bytes: 1_000 })
    first.usage.add(500)
    const second = begin({ bytes: 500 })
    second.usage.follow(first.usage)
    second.usage.add(299)
    expect(second.said).toEqual([])
    second.usage.add(1)
    expect(second.said).toHaveLength(1)
    const third = begin({ bytes: 200 })
    third.usage.follow(second.usage)
    third.usage.add(200)
    expect(third.said).toEqual([])
    for (const { usage } of [first, second, third]) usage.end({ isLimit: false })
  })

  it('is warned of at once by a circuit that begins near the end', () => {
    const first = begin({ bytes: 1_000 })
    first.usage.add(790)
    const second = begin({ bytes: 190 })
    second.usage.follow(first.usage)
    expect(second.said).toHaveLength(1)
    for (const { usage } of [first, second]) usage.end({ isLimit: false })
  })

  it('is counted anew for a circuit that is granted as much as the one before', () => {
    const first = begin({ bytes: 1_000 })
    first.usage.add(790)
    const second = begin({ bytes: 1_000 })
    second.usage.follow(first.usage)
    second.usage.add(799)
    expect([...first.said, ...second.said]).toEqual([])
    for (const { usage } of [first, second]) usage.end({ isLimit: false })
  })

  it.each([{}, { bytes: 0, lifeMs: 0 }, { bytes: -1, lifeMs: -1 }, { lifeMs: 2 * limits.timer.longestMs }])(
    'is not warned of when the hub says %j',
    (told) => {
      const { usage, said } = begin(told)
      usage.add(2 ** 40)
      vi.advanceTimersByTime(limits.timer.longestMs)
      usage.end({ isLimit: false })
      expect(said).toEqual([])
    },
  )
})
