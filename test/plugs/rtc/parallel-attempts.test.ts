import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { MultiserverError } from '../../../core/errors.ts'
import { limits } from '../../../core/limits.ts'
import { MultiServer } from '../../../core/multiserver.ts'
import { generateKeys } from '../../../plugs/keys.ts'
import rtc from '../../../plugs/rtc/index.ts'
import { dialInParallel, type Attempt } from '../../../plugs/rtc/parallel-attempts.ts'
import shs from '../../../plugs/shs/index.ts'
import { startHub } from '../../../signal-server/index.ts'
import { areClosed, countingWebRtc, expectNoLeftovers, until } from './leftovers.ts'
import { listenAt } from './rtc-pair.ts'
import type { DialStage } from '../../../core/types.ts'

const { attempts, lostAfterMs, returnMs, stallMs, stallPathMs, unrelayedMs } = limits.attempts

/** Attempts that do as the test says. */
function begin() {
  const made: (Attempt & { resolve: (value: number) => void; reject: (error: Error) => void })[] = []
  const stages: DialStage[] = []
  const released: number[] = []
  const stop = new AbortController()
  const dialed = dialInParallel<number>({
    begin: (attempt) =>
      new Promise((resolve, reject) => {
        made.push({ ...attempt, resolve, reject })
        attempt.signal.addEventListener('abort', () => reject(attempt.signal.reason as Error))
      }),
    signal: stop.signal,
    onProgress: (stage) => stages.push(stage),
    release: (late) => released.push(late),
  })
  dialed.catch(() => undefined)
  return { made, stages, released, stop, dialed }
}

describe('the attempts of a dial', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  })
  afterEach(() => {
    expect(vi.getTimerCount()).toBe(0)
    vi.useRealTimers()
  })

  it('are one, while it goes on', async () => {
    const { made, stages, dialed } = begin()
    for (const stage of ['hub', 'introduced', 'answered'] as const) {
      await vi.advanceTimersByTimeAsync(stallMs - 1)
      made[0]?.onProgress(stage)
    }
    await vi.advanceTimersByTimeAsync(stallPathMs - 1)
    made[0]?.resolve(0)
    expect(await dialed).toBe(0)
    expect(stages).toEqual(['hub', 'introduced', 'answered'])
    expect(made.map(({ isAnother }) => isAnother)).toEqual([false])
  })

  it('are more and more seldom given company when they stall, and the first to succeed aborts the others', async () => {
    const { made, released, dialed } = begin()
    for (let count = 1; count < attempts; count += 1) {
      await vi.advanceTimersByTimeAsync(stallMs * 2 ** (count - 1) - 1)
      expect(made).toHaveLength(count)
      await vi.advanceTimersByTimeAsync(1)
      expect(made).toHaveLength(count + 1)
    }
    await vi.advanceTimersByTimeAsync(1_000_000)
    expect(made).toHaveLength(attempts)
    expect(made.map(({ isAnother }) => isAnother)).toEqual(made.map((_each, index) => index > 0))
    made[1]?.resolve(1)
    expect(await dialed).toBe(1)
    expect(made.map(({ signal }) => signal.aborted)).toEqual(made.map((_each, index) => index !== 1))
    expect(released).toEqual([])
  })

  it('are given company sooner where no relay carries what looks for a direct path alone', async () => {
    const { made, stop, dialed } = begin()
    const [first] = made
    first?.onProgress('answered')
    await vi.advanceTimersByTimeAsync(100)
    first?.onUnrelayed()
    await vi.advanceTimersByTimeAsync(unrelayedMs - 1)
    expect(made).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(made).toHaveLength(2)
    // Only the newest decides on the next.
    first?.onUnrelayed()
    await vi.advanceTimersByTimeAsync(2 * stallMs - 1)
    expect(made).toHaveLength(2)
    await vi.advanceTimersByTimeAsync(1)
    expect(made).toHaveLength(3)
    stop.abort()
    await expect(dialed).rejects.toMatchObject({ code: 'ABORTED' })
    first?.onUnrelayed()
  })

  it('tell each stage once, and the newest of them decides on the next', async () => {
    const { made, stages, dialed } = begin()
    await vi.advanceTimersByTimeAsync(stallMs)
    made[0]?.onProgress('hub')
    made[1]?.onProgress('hub')
    await vi.advanceTimersByTimeAsync(2 * stallMs - 1)
    made[0]?.onProgress('introduced')
    await vi.advanceTimersByTimeAsync(1)
    expect(made).toHaveLength(3)
    expect(stages).toEqual(['hub', 'introduced'])
    made[2]?.resolve(2)
    expect(await dialed).toBe(2)
  })

  it('tell of paths as they come, of none once one is there, and give them no more time for it', async () => {
    const { made, stages, dialed } = begin()
    for (const stage of ['hub', 'introduced', 'answered'] as const) made[0]?.onProgress(stage)
    await vi.advanceTimersByTimeAsync(stallPathMs - 1)
    made[0]?.onProgress('ice')
    made[0]?.onProgress('relay')
    await vi.advanceTimersByTimeAsync(1)
    expect(made).toHaveLength(2)
    for (const stage of ['hub', 'introduced', 'answered', 'ice', 'dtls', 'path'] as const) {
      made[1]?.onProgress(stage)
    }
    made[0]?.onProgress('dtls')
    made[0]?.onProgress('path')
    made[1]?.onProgress('relay')
    expect(stages).toEqual(['hub', 'introduced', 'answered', 'ice', 'relay', 'dtls', 'path'])
    made[1]?.resolve(1)
    expect(await dialed).toBe(1)
  })

  it('are begun again for a peer that was there a moment ago, until it is back', async () => {
    const { made, dialed } = begin()
    made[0]?.onProgress('introduced')
    for (let count = 1; count < attempts; count += 1) {
      made[count - 1]?.reject(new MultiserverError('PEER_NOT_FOUND'))
      await vi.advanceTimersByTimeAsync(returnMs - 1)
      expect(made).toHaveLength(count)
      await vi.advanceTimersByTimeAsync(1)
      expect(made).toHaveLength(count + 1)
    }
    made.at(-1)?.resolve(7)
    expect(await dialed).toBe(7)
  })

  it('fail with a peer that does not come back, or as the dial is aborted meanwhile', async () => {
    const gone = begin()
    gone.made[0]?.onProgress('introduced')
    for (let count = 1; count <= attempts; count += 1) {
      gone.made[count - 1]?.reject(new MultiserverError('PEER_NOT_FOUND'))
      if (count < attempts) await vi.advanceTimersByTimeAsync(returnMs)
    }
    await expect(gone.dialed).rejects.toMatchObject({ code: 'PEER_NOT_FOUND' })
    const aborted = begin()
    aborted.made[0]?.onProgress('introduced')
    aborted.made[0]?.reject(new MultiserverError('PEER_NOT_FOUND'))
    await vi.advanceTimersByTimeAsync(0)
    aborted.stop.abort()
    await expect(aborted.dialed).rejects.toMatchObject({ code: 'ABORTED' })
    expect(vi.getTimerCount()).toBe(0)
  })

  it('fail at once where the peer was never there', async () => {
    const { made, dialed } = begin()
    made[0]?.onProgress('hub')
    made[0]?.reject(new MultiserverError('PEER_NOT_FOUND'))
    await expect(dialed).rejects.toMatchObject({ code: 'PEER_NOT_FOUND' })
  })

  it('take what fails at once for an answer', async () => {
    const { made, dialed } = begin()
    await vi.advanceTimersByTimeAsync(lostAfterMs - 1)
    made[0]?.reject(new MultiserverError('HUB_LOST'))
    await expect(dialed).rejects.toMatchObject({ code: 'HUB_LOST' })
    expect(made).toHaveLength(1)
  })

  it('begin again at once when the hub was lost late, as often as they may', async () => {
    const { made, dialed } = begin()
    for (let count = 1; count <= attempts; count += 1) {
      await vi.advanceTimersByTimeAsync(lostAfterMs)
      expect(made).toHaveLength(count)
      made[count - 1]?.reject(new MultiserverError('HUB_LOST'))
      await vi.advanceTimersByTimeAsync(0)
    }
    await expect(dialed).rejects.toMatchObject({ code: 'HUB_LOST' })
    expect(made).toHaveLength(attempts)
  })

  it('outlive one that fails', async () => {
    const { made, dialed } = begin()
    await vi.advanceTimersByTimeAsync(stallMs)
    made[1]?.reject(new MultiserverError('BUSY'))
    await vi.advanceTimersByTimeAsync(0)
    made[0]?.resolve(0)
    expect(await dialed).toBe(0)
  })

  it('end with the dial, as that says', async () => {
    const { made, stop, dialed } = begin()
    await vi.advanceTimersByTimeAsync(stallMs)
    stop.abort(new MultiserverError('TIMEOUT'))
    await expect(dialed).rejects.toMatchObject({ code: 'TIMEOUT' })
    expect(made.every(({ signal }) => signal.aborted)).toBe(true)
  })
})

describe('a dial whose first socket to the hub gets no answer', () => {
  expectNoLeftovers()

  it('opens through a second one', async () => {
    const hub = await startHub({ port: 0, exemptLoopback: true })
    const { port } = new URL(hub.url)
    const held: Socket[] = []
    let taken = 0
    // The first is taken and nothing of it passed on: as when its packets are lost.
    const proxy = createServer((socket) => {
      held.push(socket)
      taken += 1
      if (taken === 1) return
      const onward = connect(Number(port), '127.0.0.1')
      held.push(onward)
      socket.pipe(onward).pipe(socket)
      for (const end of [socket, onward]) end.on('error', () => undefined)
    }).listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    const listening = await listenAt(hub.url)
    const { webRtc, connections } = countingWebRtc()
    const ms = MultiServer([[rtc({ wrtc: webRtc, relay: 'never' }), shs({ keys: await generateKeys() })]])
    const address = listening.address.replace(port, String((proxy.address() as AddressInfo).port))
    const client = await ms.client(address)
    expect(taken).toBe(2)
    client.abort()
    await client.closed
    await listening.close()
    await until(() => areClosed(connections), 'every WebRTC connection is closed')
    for (const socket of held) socket.destroy()
    proxy.close()
    await hub.close()
  })
})
