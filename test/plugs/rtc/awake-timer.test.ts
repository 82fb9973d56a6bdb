import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { startAwakeTimer } from '../../../plugs/rtc/awake-timer.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('a timer that counts the time awake', () => {
  it.each([1, 4999, 5000, 5001, 60_000])('calls back after %i ms', (ms) => {
    const onElapsed = vi.fn()
    startAwakeTimer(ms, onElapsed)
    vi.advanceTimersByTime(ms - 1)
    expect(onElapsed).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(onElapsed).toHaveBeenCalledOnce()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('can be stopped, and never calls back then', () => {
    const onElapsed = vi.fn()
    const stop = startAwakeTimer(60_000, onElapsed)
    vi.advanceTimersByTime(30_000)
    stop()
    expect(vi.getTimerCount()).toBe(0)
    vi.advanceTimersByTime(60_000)
    expect(onElapsed).not.toHaveBeenCalled()
  })

  it('never ends when there is no end', () => {
    const stop = startAwakeTimer(Infinity, () => expect.fail())
    vi.advanceTimersByTime(100_000_000)
    stop()
  })
})
