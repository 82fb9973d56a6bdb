import { expect, it } from 'vitest'
import { hubCloseCodes } from '../../../core/hub-protocol.ts'
import type { RunningHub } from '../../../signal-server/index.ts'
import { newId } from '../hub-client.ts'
import { connectTo, join, start } from './started.ts'

/** Nothing else may stop those who feed the slow. */
const rates = {
  messagesPerSecond: 1e6,
  messagesBurst: 1e6,
  bytesPerSecond: 1e9,
  bytesBurst: 1e9,
  signalsPerSide: 1e6,
}

it('a peer that does not read is dropped, and who spoke with it is told', async () => {
  const started = await start({ limits: rates })
  const { slow, feed, isDropped } = await slowReader(started)
  while (!isDropped()) await feed(16)
  slow.socket.resume()
  // The closing frame stands behind what the socket did not read, and may be lost with it.
  expect([hubCloseCodes.slow, 1006]).toContain((await slow.closed).code)
  expect((await join(started)).answer).toBe('registered')
})

it('of all that do not read, the one with the longest queue goes first', async () => {
  const started = await start({ limits: { ...rates, queueBytes: 1e9, queueBytesInAll: 8 * 2 ** 20 } })
  const short = await slowReader(started)
  const long = await slowReader(started)
  // What the system does not take of it is well below half of that.
  await short.feed(160)
  while (!long.isDropped()) await long.feed(16)
  expect(short.isDropped()).toBe(false)
})

async function slowReader(started: RunningHub) {
  const { client: slow, keys } = await join(started)
  slow.socket.pause()
  const client = connectTo(started)
  await client.next('welcome')
  const id = newId()
  client.send({ type: 'introduce', id, to: keys.key })
  await client.next('introduced')
  const dropped = new AbortController()
  const closed = client.next('closed').then((message) => {
    expect(message).toEqual({ type: 'closed', id, reason: 'gone' })
    dropped.abort()
  })
  closed.catch(() => undefined)
  const data = 'x'.repeat(16_384)
  return {
    slow,
    isDropped: () => dropped.signal.aborted,
    /** So many of the longest signals, as soon as the client's own socket has taken them. */
    feed: async (signals: number) => {
      for (let sent = 0; sent < signals && !dropped.signal.aborted; sent += 1) {
        client.send({ type: 'signal', id, data })
      }
      await new Promise<void>((resolve) => client.socket.ping(undefined, undefined, () => resolve()))
    },
  }
}
