import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { DueTimer } from '../../signal-server/due-timer.ts'

const dayMs = 24 * 60 * 60_000

it('waits for what is due later than a timer of Node can be set to', async () => {
  let calls = 0
  const timer = new DueTimer(() => (calls += 1))
  timer.set(performance.now() + 25 * dayMs)
  // Node makes a millisecond of what is too long for it.
  await sleep(20)
  expect(calls).toBe(0)
  timer.clear()
})

it('is for what is due first', async () => {
  let onDue = () => {}
  const due = new Promise<void>((resolve) => (onDue = resolve))
  const timer = new DueTimer(onDue)
  timer.set(performance.now() + 25 * dayMs)
  timer.set(performance.now())
  timer.set(undefined)
  await due
})
