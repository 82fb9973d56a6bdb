import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { HubPace } from '../../../plugs/rtc/hub-pace.ts'
import { HubSocket, randomId } from '../../../plugs/rtc/hub-socket.ts'
import { startHub } from '../../../signal-server/index.ts'

describe('what is said to a hub', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  })
  afterEach(() => {
    expect(vi.getTimerCount()).toBe(0)
    vi.useRealTimers()
  })

  function play() {
    const pace = new HubPace()
    const said: number[] = []
    const say = (bytes: number, count: number) => {
      for (let index = 0; index < count; index++) pace.take(bytes, () => said.push(performance.now()))
    }
    return { pace, said, say }
  }

  it('is said at once until the hub has told its rates, and where it tells none', () => {
    const { pace, said, say } = play()
    say(100_000, 50)
    pace.keepTo({ relayMs: 5 })
    say(100_000, 50)
    pace.keepTo({ messagesPerSecond: 0, messagesBurst: -1, bytesPerSecond: 0, bytesBurst: 0 })
    say(100_000, 50)
    expect(said).toHaveLength(150)
  })

  it.each([
    ['messages', { messagesPerSecond: 10, messagesBurst: 20 }, 1],
    ['bytes', { bytesPerSecond: 1_000, bytesBurst: 2_000 }, 100],
  ])('keeps nine tenths of the rate and of the burst of %s, in order', async (_what, told, bytes) => {
    const { pace, said, say } = play()
    pace.keepTo(told)
    say(bytes, 27)
    expect(said).toHaveLength(18)
    await vi.advanceTimersByTimeAsync(999)
    expect(said).toHaveLength(26)
    await vi.advanceTimersByTimeAsync(1)
    expect(said).toHaveLength(27)
    expect(said).toEqual(said.toSorted((a, b) => a - b))
  })

  it('that is larger than a whole burst is said once all of that is there', async () => {
    const { pace, said, say } = play()
    pace.keepTo({ bytesPerSecond: 1_000, bytesBurst: 2_000 })
    say(1, 1)
    say(10_000, 1)
    expect(said).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(10)
    expect(said).toHaveLength(2)
  })

  it('is said before the end, all of it', () => {
    const { pace, said, say } = play()
    pace.keepTo({ messagesPerSecond: 10, messagesBurst: 10 })
    say(1, 100)
    pace.end()
    expect(said).toHaveLength(100)
  })
})

describe('a hub', () => {
  it('that takes less than is to be said costs an introduction, and not the socket', async () => {
    const hub = await startHub({ limits: { bytesPerSecond: 1_000, bytesBurst: 1_000, floodMs: 60_000 } })
    const socket = new HubSocket(hub.url)
    await socket.welcome
    const [crowded, other] = [socket.openChannel(randomId()), socket.openChannel(randomId())]
    const data = 'x'.repeat(16_384)
    for (let count = 0; count < 80; count++) crowded.sendSignal(data)
    await expect(crowded.nextSignal()).rejects.toMatchObject({ code: 'BUSY' })
    expect(socket.isOver).toBe(false)
    other.close('done')
    socket.close()
    await socket.closed
    await hub.close()
  })

  it('does not close who says more than it takes, for that waits its turn', async () => {
    const hub = await startHub({ limits: { messagesPerSecond: 50, messagesBurst: 20, floodMs: 500 } })
    const socket = new HubSocket(hub.url)
    await socket.welcome
    for (let count = 0; count < 100; count++) socket.send({ type: 'close', id: randomId(), reason: 'none' })
    expect(await socket.answered()).toBe(true)
    socket.close()
    await socket.closed
    await hub.close()
  })
})
