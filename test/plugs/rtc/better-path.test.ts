import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { limits } from '../../../core/limits.ts'
import { seekBetterPath } from '../../../plugs/rtc/better-path.ts'
import type { Path } from '../../../core/types.ts'

const { lookAgainMs } = limits.relay
const [firstMs, secondMs] = lookAgainMs

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

/** A session that is on the path of the test's choice, and looks that come to nothing, or last as long as it says. */
function seek(first: Path, over = new AbortController()) {
  const held: Promise<void>[] = []
  let path: Path = first
  let listener: ((path: Path) => void) | undefined
  let looks = 0
  let look = () => Promise.resolve()
  const session = {
    info: {
      get path() {
        return path
      },
      onPath(added: (path: Path) => void) {
        listener = added
        return () => (listener = undefined)
      },
    },
    over: over.signal,
    hold: (work: Promise<void>) => held.push(work),
  }
  seekBetterPath(session, () => {
    looks += 1
    return look()
  })
  return {
    over,
    held,
    looks: () => looks,
    isListening: () => listener !== undefined,
    answer: (how: typeof look) => (look = how),
    move: (to: Path) => {
      path = to
      listener?.(to)
    },
  }
}

it('looks more and more seldom while there is only the relay, until the session is over', async () => {
  const { over, looks, isListening } = seek('relay')
  const last = lookAgainMs.at(-1) ?? 0
  for (const [index, ms] of [...lookAgainMs, last, last].entries()) {
    await vi.advanceTimersByTimeAsync(ms - 1)
    expect(looks()).toBe(index)
    await vi.advanceTimersByTimeAsync(1)
    expect(looks()).toBe(index + 1)
  }
  over.abort()
  expect(isListening()).toBe(false)
})

it('has nothing to look for on a better path, and begins anew on the relay', async () => {
  const { over, looks, move } = seek('direct')
  await vi.advanceTimersByTimeAsync(10 * firstMs)
  move('turn')
  await vi.advanceTimersByTimeAsync(10 * firstMs)
  expect(looks()).toBe(0)
  move('relay')
  await vi.advanceTimersByTimeAsync(firstMs)
  expect(looks()).toBe(1)
  move('direct')
  move('relay')
  await vi.advanceTimersByTimeAsync(firstMs)
  expect(looks()).toBe(2)
  over.abort()
})

it('does not begin for a session that is over already', () => {
  const over = new AbortController()
  over.abort()
  expect(seek('relay', over).isListening()).toBe(false)
})

it('looks once at a time, whatever comes of it, and the session waits for it', async () => {
  const { over, looks, move, answer, held } = seek('relay')
  let fail: (error: Error) => void = () => undefined
  answer(() => new Promise((_resolve, reject) => (fail = reject)))
  await vi.advanceTimersByTimeAsync(firstMs)
  move('relay')
  await vi.advanceTimersByTimeAsync(10 * secondMs)
  expect(looks()).toBe(1)
  fail(new Error('nobody is there'))
  await Promise.all(held)
  await vi.advanceTimersByTimeAsync(secondMs)
  expect(looks()).toBe(2)
  over.abort()
  fail(new Error('over'))
  await Promise.all(held)
})
