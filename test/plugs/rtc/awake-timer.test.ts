import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { startAwakeTimer } from '../../../plugs/rtc/awake-timer.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.restoreAllMocks()
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

  it('tells what is left, of which a sleep takes a tick at most', () => {
    const timer = startAwakeTimer(60_000, () => expect.fail())
    vi.advanceTimersByTime(11_000)
    expect(timer.leftMs).toBe(49_000)
    // The clock goes on, and nothing is called.
    const wakesAt = performance.now() + 3_600_000
    vi.spyOn(performance, 'now').mockReturnValue(wakesAt)
    expect(timer.leftMs).toBe(45_000)
    timer.stop()
  })

  it('can be stopped, and never calls back then', () => {
    const onElapsed = vi.fn()
    const timer = startAwakeTimer(60_000, onElapsed)
    vi.advanceTimersByTime(30_000)
    timer.stop()
    expect(vi.getTimerCount()).toBe(0)
    vi.advanceTimersByTime(60_000)
    expect(onElapsed).not.toHaveBeenCalled()
  })

  it('never ends when there is no end', () => {
    const timer = startAwakeTimer(Infinity, () => expect.fail())
    vi.advanceTimersByTime(100_000_000)
    expect(timer.leftMs).toBe(Infinity)
    timer.stop()
  })
})
