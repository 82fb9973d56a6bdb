import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startHub, type RunningHub } from '../../signal-server/index.ts'
import { flatResidentBytes, MemoryGrowth, offeredBytes } from '../support/memory-growth.ts'
import { startDesktop, untilOn } from './driver.ts'

/** How long the reader pauses, and whether it reads all of it afterwards: `PAUSE_S=60` is the long form. */
const pauseMs = Number(process.env['PAUSE_S'] ?? 1) * 1000
const isLong = process.env['PAUSE_S'] !== undefined

const mebibyte = 1024 * 1024
/** What both ends, the sockets and the relay hold at most, and as much again. */
const heldBytes = 32 * mebibyte

describe('1 GiB for a reader that pauses', () => {
  let hub: RunningHub
  beforeAll(async () => {
    // All of it is to pass, and soon.
    const limits = {
      relayBytes: 2 * offeredBytes,
      relayBytesPerSecond: offeredBytes,
      relayBytesPerSecondPerPeer: offeredBytes,
    }
    hub = await startHub({ port: 0, exemptLoopback: true, limits })
  })
  afterAll(() => hub.close())

  it.each([
    ['direct', 'direct'],
    ['relay', 'relayed'],
  ] as const)(
    'waits at the writer, with the memory of all flat: %s',
    async (path, way) => {
      const [writer, reader] = [startDesktop({ hub: hub.url, way }), startDesktop({ hub: hub.url, way })]
      const address = await reader.listen()
      const [near, far] = await Promise.all([writer.dial(address.split(';')[1] ?? ''), reader.accepted()])
      await untilOn(path, writer, near)
      await writer.offer(near, offeredBytes)
      // Buffers and windows grow to their size with the first of it.
      let read = await reader.readSome(far, 8 * mebibyte)
      await untilItStands(() => writer.offered(near))
      const growths = await Promise.all(
        [writer, reader].map(async (end) => ({ end, growth: new MemoryGrowth(await end.memory()) })),
      )
      // The hub is in this process, which can't be made to collect.
      const hubBytes = process.memoryUsage.rss()
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
      expect(await writer.offered(near)).toBeLessThan(read + heldBytes)
      read += await reader.readSome(far, isLong ? offeredBytes - read : 8 * mebibyte)
      expect(process.memoryUsage.rss() - hubBytes).toBeLessThan(flatResidentBytes)
      for (const { end, growth } of growths) {
        growth.note(await end.memory())
        growth.expectFlat()
      }
      await writer.abort(near)
      await Promise.all([writer.stop(), reader.stop()])
    },
    isLong ? 600_000 : 60_000,
  )
})

/** Resolves once the value has been the same for a quarter of a second. */
async function untilItStands(look: () => Promise<number>): Promise<void> {
  for (let before = -1, now = await look(); now !== before; now = await look()) {
    before = now
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
}
