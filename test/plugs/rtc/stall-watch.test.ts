import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { StallWatch } from '../../../plugs/rtc/stall-watch.ts'
import { ignored, linkPair } from './link-pair.ts'

describe('StallWatch', () => {
  let now = 0

  beforeEach(() => {
    now = 0
    vi.useFakeTimers()
  })
  afterEach(() => void vi.useRealTimers())

  /** Timers fire as they should. */
  function pass(ms: number): void {
    for (let left = ms; left > 0; left -= 100) {
      now += 100
      vi.advanceTimersByTime(100)
    }
  }

  it('says nothing of a process that is at work', () => {
    const watch = new StallWatch(() => now)
    const stop = watch.watch()
    pass(10_000)
    now += 400
    expect(watch.settlesInMs).toBe(0)
    stop()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('has others catch up for a while after a stall, whoever notices it first', () => {
    const watch = new StallWatch(() => now)
    const stops = [watch.watch(), watch.watch()]
    pass(1_000)
    now += 2_000
    expect(watch.settlesInMs).toBe(300)
    pass(200)
    expect(watch.settlesInMs).toBe(100)
    pass(100)
    expect(watch.settlesInMs).toBe(0)
    stops[0]?.()
    stops[0]?.()
    now += 2_000
    vi.advanceTimersByTime(200)
    expect(watch.settlesInMs).toBe(300)
    for (const stop of stops) stop()
  })

  it('knows nothing of the time in which nobody asked it to look', () => {
    const watch = new StallWatch(() => now)
    watch.watch()()
    now += 60_000
    const stop = watch.watch()
    expect(watch.settlesInMs).toBe(0)
    stop()
  })
})

describe('a link of a process that stood still', () => {
  it('holds what it is given until others have caught up, in order', async () => {
    const { near, far } = await linkPair()
    const heard: number[] = []
    let heardAt = Infinity
    const all = new Promise<void>((resolve) => {
      const onMessage = (message: Uint8Array) => {
        heard.push(message[0] ?? -1)
        heardAt = Math.min(heardAt, performance.now())
        if (heard.length === 3) resolve()
      }
      far.path.start({ ...ignored, onMessage })
    })
    for (const until = performance.now() + 600; performance.now() < until;);
    const handedAt = performance.now()
    const frame = Uint8Array.of(1)
    near.path.send(frame)
    // Its memory is the caller's again.
    frame[0] = 9
    near.path.send(Uint8Array.of(2))
    await new Promise((resolve) => setTimeout(resolve))
    near.path.send(Uint8Array.of(3))
    await all
    expect(heardAt - handedAt).toBeGreaterThan(290)
    expect(heard).toEqual([1, 2, 3])
    near.link.close()
    await Promise.all([near.link.closed, far.link.closed])
  })
})
