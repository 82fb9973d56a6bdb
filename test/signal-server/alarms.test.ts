import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type Alarm, Alarms } from '../../signal-server/alarms.ts'

it('rings what was not cancelled, in order of time and then of setting', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('set' as const), inMs: fc.nat(20) }),
    fc.record({ do: fc.constant('cancel' as const), which: fc.nat() }),
    fc.record({ do: fc.constant('wait' as const), ms: fc.nat(10) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300, size: 'max' }), (steps) => {
      const alarms = new Alarms()
      const set: Alarm[] = []
      const rung: number[] = []
      let expected: { atMs: number; number: number }[] = []
      let nowMs = 0
      for (const now of steps) {
        if (now.do === 'set') {
          const number = set.length
          set.push(alarms.set(nowMs + now.inMs, () => rung.push(number)))
          expected.push({ atMs: nowMs + now.inMs, number })
        } else if (now.do === 'cancel') {
          const number = now.which % Math.max(1, set.length)
          set[number]?.cancel()
          expected = expected.filter((alarm) => alarm.number !== number)
        } else {
          nowMs += now.ms
          const due = expected
            .filter(({ atMs }) => atMs <= nowMs)
            .toSorted((a, b) => a.atMs - b.atMs || a.number - b.number)
          expected = expected.filter(({ atMs }) => atMs > nowMs)
          alarms.ring(nowMs)
          expect(rung.splice(0)).toEqual(due.map(({ number }) => number))
        }
        const times = expected.map(({ atMs }) => atMs)
        expect(alarms.nextAtMs).toBe(times.length === 0 ? undefined : Math.min(...times))
      }
    }),
    { numRuns: 500 },
  )
})

it('rings what a rung one sets for the same moment, and not what it cancels', () => {
  const alarms = new Alarms()
  const rung: string[] = []
  alarms.set(1, () => {
    rung.push('first')
    second.cancel()
    alarms.set(1, () => rung.push('third'))
  })
  const second = alarms.set(1, () => rung.push('second'))
  alarms.ring(1)
  expect(rung).toEqual(['first', 'third'])
})

it('does not keep what was cancelled', () => {
  const alarms = new Alarms()
  for (let index = 0; index < 10_000; index += 1) alarms.set(index, () => {}).cancel()
  expect(alarms.size).toBeLessThan(200)
})
