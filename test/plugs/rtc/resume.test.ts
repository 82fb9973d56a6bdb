import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startHub, type RunningHub } from '../../../signal-server/index.ts'
import { areClosed, resources, until, untilOnly } from './leftovers.ts'
import { connectPair, exchange, type Pair } from './rtc-pair.ts'
import type { DialStage, Path } from '../../../core/types.ts'

const mebibyte = 1024 * 1024
const stages: readonly DialStage[] = [
  'hub',
  'introduced',
  'answered',
  'ice',
  'dtls',
  'path',
  'transport',
  'secured',
]

let before: string[] = []
let hub: RunningHub
beforeEach(async () => {
  before = resources()
  hub = await startHub({ port: 0, exemptLoopback: true })
})
afterEach(async () => {
  await hub.close()
  await untilOnly(before)
})

describe('an rtc connection', () => {
  it('goes on while its hub is killed and comes back, and is dialed anew through it', async () => {
    const pair = await connectPair(hub.url)
    const both = exchange(pair, 8 * mebibyte, async () => {
      const port = Number(new URL(hub.url).port)
      await hub.close()
      await until(() => !pair.isRegistered(), 'the server has noticed', 20_000)
      hub = await startHub({ port, exemptLoopback: true })
    })
    await both
    expect(pair.client.stats()).toMatchObject({ resumes: 0, pathChanges: 1 })
    await until(() => pair.isRegistered(), 'the server is registered again', 20_000)
    const again = await pair.dial()
    again.abort()
    await pair.close()
  })

  it.each<[string, (pair: Pair) => void]>([
    ['the client', ({ clientChannels }) => clientChannels.at(-1)?.close()],
    ['the server', ({ serverChannels }) => serverChannels.at(-1)?.close()],
    ['both at once', ({ clientChannels, serverChannels }) => closeLast(clientChannels, serverChannels)],
  ])('loses and repeats nothing when %s lost its path three times in 32 MiB each way', async (_who, lose) => {
    const pair = await connectPair(hub.url)
    const changes: Path[] = []
    pair.client.on('path', (path) => changes.push(path))
    await exchange(pair, 32 * mebibyte, async (read) => {
      for (const at of [4, 12, 20]) {
        await until(() => read() > at * mebibyte, `${at} MiB have come`, 50_000)
        const links = pair.clientLinks.length
        lose(pair)
        await until(() => pair.clientLinks.length > links, 'the client has dialed again', 20_000)
        await until(() => pair.client.path === 'direct', 'it has a path again', 20_000)
      }
    })
    expect(changes).toEqual(['direct', 'direct', 'direct'])
    expect(pair.client.stats()).toMatchObject({ resumes: 3, pathChanges: 4, isSuspended: false })
    expect(pair.client.error).toBeUndefined()
    expect(pair.server.error).toBeUndefined()
    await pair.close()
    expect(pair.clientLinks).toHaveLength(4)
  })

  it('comes back when the path and the hub were lost together', async () => {
    const pair = await connectPair(hub.url)
    await exchange(pair, 8 * mebibyte, async (read) => {
      await until(() => read() > 2 * mebibyte, 'something has come', 20_000)
      const { port } = new URL(hub.url)
      await hub.close()
      closeLast(pair.serverChannels)
      await until(() => pair.client.stats()['isSuspended'] === true, 'the client has noticed', 20_000)
      await until(() => pair.server.stats()['isSuspended'] === true, 'the server has noticed', 20_000)
      hub = await startHub({ port: Number(port), exemptLoopback: true })
    })
    expect(pair.client.stats()).toMatchObject({ resumes: 1 })
    await pair.close()
  })

  it('that may not be resumed ends with PATH_LOST on both sides', async () => {
    const pair = await connectPair(hub.url, { resumeMs: 0 })
    // On a busy machine the dial may have given itself company.
    const links = pair.clientLinks.length
    closeLast(pair.clientChannels)
    await expect(pair.client.read()).rejects.toMatchObject({ code: 'PATH_LOST' })
    await expect(pair.server.read()).rejects.toMatchObject({ code: 'PATH_LOST' })
    await pair.close()
    expect(pair.clientLinks).toHaveLength(links)
  })

  it('ends at once with PATH_LOST when the server has given it up', async () => {
    const pair = await connectPair(hub.url)
    pair.server.abort()
    // The RESET is lost with the path.
    closeLast(pair.clientChannels)
    const started = performance.now()
    await expect(pair.client.read()).rejects.toMatchObject({
      code: expect.stringMatching(/^PATH_LOST|PEER_RESET$/),
    })
    expect(performance.now() - started).toBeLessThan(10_000)
    await pair.close()
  })

  it('that is aborted while it is dialed again leaves nothing', async () => {
    const pair = await connectPair(hub.url)
    const links = pair.clientLinks.length
    closeLast(pair.serverChannels)
    await until(() => pair.clientLinks.length > links, 'the client has dialed again', 20_000)
    pair.client.abort()
    await pair.client.closed
    expect(areClosed(pair.clientLinks)).toBe(true)
    await pair.close()
  })

  it('tells how it came to be, and how it goes', async () => {
    const pair = await connectPair(hub.url)
    await pair.client.write(new Uint8Array(1000))
    await pair.server.read()
    const stats = pair.client.stats()
    expect(stats).toMatchObject({
      path: 'direct',
      candidates: {
        local: expect.stringMatching(/^(host|prflx)$/),
        remote: expect.stringMatching(/^(host|prflx)$/),
      },
      openPaths: 1,
      pathChanges: 1,
      resumes: 0,
      resentBytes: 0,
      pathMs: { ice: expect.any(Number), dtls: expect.any(Number) },
      stageMs: Object.fromEntries(stages.map((stage) => [stage, expect.any(Number)])),
    })
    expect(Object.keys(Object(stats['stageMs']))).toEqual(stages)
    expect(pair.server.stats()).not.toHaveProperty('stageMs')
    expect(pair.server.stats()).toMatchObject({
      pathMs: { ice: expect.any(Number), dtls: expect.any(Number) },
      receivedBytes: expect.any(Number),
      unreadBytes: 0,
    })
    await until(() => Number(pair.client.stats()['rttMs']) > 0, 'a round trip was measured')
    await pair.close()
  })
})

/**
 * Takes a path away. The channel and not the connection, which wrtc does not survive while it sends: it forgets a channel
 * that the far side tears down in one thread while it uses it in another.
 */
function closeLast(...sides: (readonly RTCDataChannel[])[]): void {
  for (const channels of sides) channels.findLast(({ readyState }) => readyState === 'open')?.close()
}
