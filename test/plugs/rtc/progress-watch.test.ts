import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { limits } from '../../../core/limits.ts'
import { ProgressWatch } from '../../../plugs/rtc/progress-watch.ts'

const { stalledAfterMs } = limits.session

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

/** Of a peer that owes as many acknowledgements as were sent. */
function watch() {
  let owed = 0
  let stalls = 0
  const progress = new ProgressWatch({ isOwed: () => owed > 0, onStall: () => (stalls += 1) })
  return {
    progress,
    stalls: () => stalls,
    send: () => {
      owed += 1
      progress.begin()
    },
    acknowledge: () => {
      owed -= 1
      progress.progress()
    },
  }
}

it('tells of a stall once, until there is progress', () => {
  const { send, acknowledge, stalls } = watch()
  send()
  vi.advanceTimersByTime(stalledAfterMs - 1)
  expect(stalls()).toBe(0)
  vi.advanceTimersByTime(1)
  send()
  vi.advanceTimersByTime(10 * stalledAfterMs)
  expect(stalls()).toBe(1)
  acknowledge()
  // What took eleven times as long may take three times that again.
  vi.advanceTimersByTime(33 * stalledAfterMs)
  expect(stalls()).toBe(2)
  acknowledge()
})

it('counts from the last progress, and has no timer while nothing is owed', () => {
  const { send, acknowledge, stalls } = watch()
  send()
  send()
  vi.advanceTimersByTime(stalledAfterMs - 1)
  acknowledge()
  vi.advanceTimersByTime(stalledAfterMs - 1)
  expect(stalls()).toBe(0)
  acknowledge()
  expect(vi.getTimerCount()).toBe(0)
  vi.advanceTimersByTime(stalledAfterMs)
  send()
  vi.advanceTimersByTime(stalledAfterMs - 1)
  expect(stalls()).toBe(0)
  acknowledge()
})

it('has no timer once it is stopped', () => {
  const { send, progress, stalls } = watch()
  send()
  progress.stop()
  vi.advanceTimersByTime(stalledAfterMs)
  expect(stalls()).toBe(0)
})

it('gives a slow path three times as long as it takes', () => {
  const { send, acknowledge, stalls } = watch()
  const slowMs = 2 * stalledAfterMs
  send()
  vi.advanceTimersByTime(slowMs)
  expect(stalls()).toBe(1)
  acknowledge()
  send()
  vi.advanceTimersByTime(3 * slowMs - 1)
  expect(stalls()).toBe(1)
  vi.advanceTimersByTime(1)
  expect(stalls()).toBe(2)
  acknowledge()
})

it('knows nothing of another path yet', () => {
  const { send, acknowledge, progress, stalls } = watch()
  send()
  vi.advanceTimersByTime(2 * stalledAfterMs)
  acknowledge()
  progress.restart()
  send()
  vi.advanceTimersByTime(stalledAfterMs)
  expect(stalls()).toBe(2)
  acknowledge()
})
