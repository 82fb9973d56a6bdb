import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Health } from '../../signal-server/index.ts'
import { limitsWith } from '../../signal-server/limits.ts'
import type { StatusAnswer, StatusColumn } from '../../signal-server/status-data.ts'
import { decodeAnswer } from '../../signal-server/status/answer.ts'
import { formatBytes, formatDuration, formatMs, formatNumber } from '../../signal-server/status/format.ts'
import { History } from '../../signal-server/status/history.ts'
import { scaleTo } from '../../signal-server/status/scale.ts'
import { findWorries } from '../../signal-server/status/worries.ts'
import { HubStatus } from '../../signal-server/status.ts'

/** What a hub that is alone and idle answers. */
function quietAnswer(): StatusAnswer {
  const counts = {
    sockets: 0,
    unregistered: 0,
    anonymous: 0,
    registered: 0,
    introductions: 0,
    targets: 0,
    addresses: 0,
    sites: 0,
  }
  const status = new HubStatus({
    counts: () => counts,
    records: () => 0,
    queuedBytes: () => 0,
    limits: limitsWith(),
    health: new Health(),
    turn: false,
  })
  status.close()
  return status.answer()
}

/** An answer with these columns; of the others each value is 0, and a sample took two seconds. */
function answerWith(
  columns: Partial<Record<StatusColumn, (number | null)[]>>,
  changes: Partial<StatusAnswer> = {},
): StatusAnswer {
  const quiet = quietAnswer()
  const length = Math.max(0, ...Object.values(columns).map((column) => column.length))
  const zeros = Object.keys(quiet.columns).map((name) => [name, Array<number>(length).fill(0)])
  const base = Object.fromEntries(zeros) as StatusAnswer['columns']
  return {
    ...quiet,
    run: 'run',
    last: length,
    columns: { ...base, lastedMs: Array<number>(length).fill(2000), ...columns },
    ...changes,
  }
}

function historyOf(...answers: StatusAnswer[]): History {
  const history = new History()
  for (const answer of answers) history.take(answer)
  return history
}

describe('the history of the page', () => {
  it('puts answers together, and forgets what the hub has forgotten', () => {
    const history = historyOf(
      answerWith({ registered: [1, 2, 3] }, { keptSamples: 4 }),
      answerWith({ registered: [4, 5] }, { keptSamples: 4 }),
    )
    expect(history.column('registered')).toEqual([2, 3, 4, 5])
    expect(history.secondsAgo()).toEqual([6, 4, 2, 0])
  })

  it('begins anew with a hub that began anew', () => {
    const history = historyOf(
      answerWith({ registered: [1, 2] }),
      answerWith({ registered: [9] }, { run: 'next' }),
    )
    expect(history.column('registered')).toEqual([9])
    expect(history.isMixed).toBe(false)
  })

  it('notices that several hubs answer by turns', () => {
    const [one, other] = [answerWith({ registered: [1] }), answerWith({ registered: [2] }, { run: 'other' })]
    const history = historyOf(one, other, one)
    expect(history.isMixed).toBe(true)
    expect(findWorries(one, history)).toEqual([expect.stringContaining('Several hubs answer here by turns')])
  })

  it('divides counts by the time that they took', () => {
    const history = historyOf(answerWith({ lastedMs: [2000, 10_000], started: [4, 5], 'ended.open': [1, 0] }))
    expect(history.perSecond('started')).toEqual([2, 0.75])
    expect(history.perSecond('started', 'ended.open')[0]).toBe(2.5)
    expect(history.rate(600, 'started')).toBe(0.75)
    expect(history.total(5, 'started')).toBe(5)
    expect(historyOf(answerWith({})).rate(10, 'started')).toBe(0)
  })
})

describe('the worries of the page', () => {
  const worriesOf = (columns: Parameters<typeof answerWith>[0], changes: Partial<StatusAnswer> = {}) => {
    const answer = answerWith(columns, changes)
    return findWorries(answer, historyOf(answer))
  }
  const often = (value: number): number[] => Array<number>(30).fill(value)

  it('are none when all is well', () => {
    expect(worriesOf({ registered: often(7_999), latencyP99Ms: often(149), busy: often(0.5) })).toEqual([])
  })

  it.each<[string, Parameters<typeof answerWith>[0], Partial<StatusAnswer>]>([
    [
      'Registered peers: 8,000 of 10,000. More hubs, or a higher registeredPeers.',
      { registered: [8_000] },
      {},
    ],
    ['New sockets: 1,000 of 1,024.', { unregistered: [1_000] }, {}],
    ['Records: 9,000 of 10,000.', { records: [9_000] }, {}],
    [
      'one in a hundred takes 400 ms',
      { latencyP99Ms: [...often(0), 200, 400, 300].slice(-5), busy: often(0).slice(-5) },
      {},
    ],
    ['busy for 90 % of the last minute', { busy: often(0.9) }, {}],
    ['70 MB wait to be sent', { queuedBytes: [7e7] }, {}],
    ['25 sockets a second are refused', { 'notTaken.RATE': often(50) }, {}],
    ['WRONG_HUB means that HUB_NAMES lacks a name', { 'refused.WRONG_HUB': often(4) }, {}],
    ['Only 10 % of the introductions', { 'ended.open': [10], 'ended.expired': [90] }, {}],
    ['“tls” does not work', {}, { degraded: ['tls'] }],
    ['about to end', {}, { ready: false }],
  ])('say: %s', (words, columns, changes) => {
    expect(worriesOf(columns, changes)).toEqual([expect.stringContaining(words)])
  })

  it('do not come from one late moment, or a handful of introductions', () => {
    expect(worriesOf({ latencyP99Ms: [...often(1), 900] })).toEqual([])
    expect(worriesOf({ 'ended.gone': [19] })).toEqual([])
  })
})

describe('the scale of a chart', () => {
  it('ends at a round number above everything, in few steps that differ', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e12, noNaN: true }), (highest) => {
        const { top, ticks } = scaleTo(highest, String)
        expect(top).toBeGreaterThan(0)
        expect(top).toBeGreaterThanOrEqual(highest * (1 - 1e-6))
        expect(ticks.length).toBeGreaterThanOrEqual(3)
        expect(ticks.length).toBeLessThanOrEqual(6)
      }),
    )
  })

  it('has no halves of what is counted in ones', () => {
    expect(scaleTo(1, formatNumber, 1).ticks.map(({ label }) => label)).toEqual(['0', '1', '2'])
    expect(scaleTo(1, formatNumber).ticks.map(({ label }) => label)).toEqual([
      '0',
      '0.25',
      '0.5',
      '0.75',
      '1',
    ])
    expect(scaleTo(98, formatNumber).ticks.map(({ label }) => label)).toEqual(['0', '25', '50', '75', '100'])
  })
})

describe('what the hub answers', () => {
  it('is taken as it is', () => {
    const answer = quietAnswer()
    expect(decodeAnswer(JSON.parse(JSON.stringify(answer)))).toEqual(answer)
  })

  it('is refused when it is of another shape', () => {
    const good = answerWith({ registered: [1] })
    const bad = [
      null,
      [],
      'text',
      {},
      { ...good, run: 1 },
      { ...good, degraded: 'tls' },
      { ...good, columns: {} },
      { ...good, columns: { ...good.columns, registered: [1, 2] } },
      { ...good, columns: { ...good.columns, registered: ['1'] } },
    ]
    expect(bad.map(decodeAnswer)).toEqual(bad.map(() => undefined))
    fc.assert(fc.property(fc.anything(), (value) => decodeAnswer(value) === undefined))
  })
})

describe('numbers as people read them', () => {
  it('are short', () => {
    expect([0, 0.034, 3.14, 10.4, 9_800].map(formatNumber)).toEqual(['0', '0.034', '3.1', '10', '9,800'])
    expect([0.025, 0.7, 12.3, 2_500].map(formatMs)).toEqual(['0.03 ms', '0.7 ms', '12 ms', '2.5 s'])
    expect([0, 999, 98_304_000, 2e12].map(formatBytes)).toEqual(['0 bytes', '999 bytes', '98 MB', '2,000 GB'])
    expect([0, 61, 7_200, 90_000].map(formatDuration)).toEqual(['0 s', '1 min 1 s', '2 h', '1 d 1 h'])
  })
})
