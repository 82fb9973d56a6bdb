import { expect, it } from 'vitest'
import { QueueLook } from '../../../plugs/rtc/queue-look.ts'

const kibibyte = 1024

it('does not look for a few small messages, and looks once for sixteen', () => {
  const { queue, look } = watchQueue()
  for (let message = 0; message < 160; message++) {
    queue.add(64)
    expect(look.queuedBytes).toBe(0)
  }
  expect(queue.looks).toBe(10)
})

it('looks after every large message', () => {
  const { queue, look } = watchQueue()
  for (let message = 1; message <= 5; message++) {
    queue.add(64 * kibibyte)
    queue.waiting = message * 64 * kibibyte
    expect(look.queuedBytes).toBe(queue.waiting)
  }
  expect(queue.looks).toBe(5)
})

it('looks each time while something waits, however little comes, and no more once it has left', () => {
  const { queue, look } = watchQueue()
  queue.add(64 * kibibyte)
  queue.waiting = 20
  for (let times = 0; times < 3; times++) {
    queue.add(1)
    expect(look.queuedBytes).toBe(20)
  }
  queue.waiting = 0
  expect(look.queuedBytes).toBe(0)
  queue.waiting = 1
  queue.add(1)
  expect(look.queuedBytes).toBe(0)
  expect(queue.looks).toBe(4)
})

function watchQueue() {
  const queue = { waiting: 0, looks: 0, add: (bytes: number) => look.add(bytes) }
  const look = new QueueLook(() => {
    queue.looks += 1
    return queue.waiting
  })
  return { queue, look }
}
