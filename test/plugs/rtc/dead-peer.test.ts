import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startHub, type RunningHub } from '../../../signal-server/index.ts'
import { startDesktop } from '../../e2e/driver.ts'
import { resources, until, untilOnly } from './leftovers.ts'
import { listenAt, transfer } from './rtc-pair.ts'
import type { Connection } from '../../../core/connection.ts'

const mebibyte = 1024 * 1024

let before: string[] = []
let hub: RunningHub
beforeAll(async () => {
  before = resources()
  hub = await startHub({ port: 0, exemptLoopback: true })
})
afterAll(async () => {
  await hub.close()
  await untilOnly(before)
})

// All at once: they wait most of the time, for a silence that has its length.
describe.concurrent('the peer of a process', () => {
  it('that is killed gets an error in bounded time, whichever side it is', async () => {
    const own = await listenAt(hub.url, { resumeMs: 1000 })
    const desktops = [startDesktop({ hub: hub.url }), startDesktop({ hub: hub.url })] as const
    const dialed = await own.ms.client(await desktops[0].listen())
    await desktops[1].dial(own.address)
    await until(() => own.accepted.length === 1, 'it is accepted', 20_000)
    const killed = performance.now()
    const times = [dialed, ...own.accepted].map(async (connection) => {
      await expect(connection.read()).rejects.toMatchObject({ code: 'PATH_LOST' })
      return performance.now() - killed
    })
    for (const desktop of desktops) desktop.kill('SIGKILL')
    const [client = Infinity, server = Infinity] = await Promise.all(times)
    // Silent for 5 s, asked for 7 s, and then the second to resume; the server waits 15 s more.
    expect(client).toBeGreaterThan(1000)
    expect(client).toBeLessThan(20_000)
    expect(server).toBeLessThan(35_000)
    await own.close()
    await Promise.all(desktops.map((desktop) => desktop.stop()))
  })

  it.each([true, false])(
    'that is stopped and goes on later has lost nothing (it is the server: %s)',
    async (isServer) => {
      const own = await listenAt(hub.url)
      const desktop = startDesktop({ hub: hub.url })
      const [mine, theirs] = await connectTo(desktop, own, isServer)
      let read = 0
      const here = transfer(mine, 64 * mebibyte, (count) => (read = count))
      const there = desktop.exchange(theirs, { bytes: mebibyte, endsFirst: true })
      await until(() => read === mebibyte, 'all that it says has come', 20_000)
      desktop.kill('SIGSTOP')
      await until(() => mine.stats()['isSuspended'] === true, 'its silence is noticed', 30_000)
      desktop.kill('SIGCONT')
      const [ours, their] = await Promise.all([here, there])
      expect([ours.receivedSha256, ours.sentSha256]).toEqual([their.sentSha256, their.receivedSha256])
      expect(mine.stats()).toMatchObject({ resumes: 1 })
      await desktop.stop()
      await own.close()
    },
  )
})

async function connectTo(
  desktop: ReturnType<typeof startDesktop>,
  own: Awaited<ReturnType<typeof listenAt>>,
  isServer: boolean,
): Promise<[Connection, number]> {
  if (isServer) {
    const address = await desktop.listen()
    return Promise.all([own.ms.client(address), desktop.accepted()])
  }
  const theirs = await desktop.dial(own.address)
  await until(() => own.accepted.length === 1, 'it is accepted', 20_000)
  const [mine] = own.accepted
  if (mine === undefined) throw new Error('nobody was accepted')
  return [mine, theirs]
}
