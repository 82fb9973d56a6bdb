import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { MultiserverError } from '../../../core/errors.ts'
import { limits } from '../../../core/limits.ts'
import {
  dataHeaderBytes,
  encodeFrame,
  longestDirection,
  resetCodes,
  type Frame,
} from '../../../plugs/rtc/frames.ts'
import { Session } from '../../../plugs/rtc/session.ts'
import { FakeLink, FakePath, type FakePathOptions } from '../../support/fake-path.ts'
import type { Bytes } from '../../../core/types.ts'

const id = new Uint8Array(16).fill(6)
const { initialLimitBytes, windowBytes, largestWindowBytes, unacknowledgedBytes } = limits.session
const realImmediate = setImmediate

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('a path of a session', () => {
  it('begins with HELLO, which names the session and the window', () => {
    const { path } = start()
    expect(path.take()).toEqual([{ type: 'hello', session: id, received: 0, limit: windowBytes }])
  })

  it('opens the session once both HELLOs are through', async () => {
    const { session, path } = start()
    expect(await isSettled(session.opened)).toBe(false)
    path.deliver(hello())
    await session.opened
    session.abort()
  })

  it('takes a HELLO that came before the session had the path', async () => {
    const path = new FakePath()
    path.deliver(hello())
    const session = new Session({ id, role: 'server', address: 'rtc:test', resumeMs: 0 })
    session.addPath(path)
    await session.opened
    session.abort()
  })

  it('is given up when no HELLO comes within 5 s, and with it a session that has no other', async () => {
    const { session, path } = start()
    await vi.advanceTimersByTimeAsync(4999)
    expect(path.isClosed).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(path.isClosed).toBe(true)
    await expect(session.opened).rejects.toMatchObject({ code: 'PATH_LOST' })
    await session.closed
    expect(vi.getTimerCount()).toBe(0)
  })

  it.each([
    ['the HELLO of another session', encodeFrame(hello({ session: new Uint8Array(16) }))],
    ['DATA', encodeFrame(data(0, 1))],
    ['PING', encodeFrame({ type: 'ping', id: 1 })],
    ['RESET', encodeFrame({ type: 'reset', code: 1, text: '' })],
    ['text', new Uint8Array(0)],
    ['what is no frame', Uint8Array.of(99)],
  ])('is given up, and it alone, when %s comes first', async (_name, message) => {
    const { session, path } = open()
    const other = new FakePath()
    session.addPath(other)
    other.deliver(message)
    expect(other.isClosed).toBe(true)
    expect(path.isClosed).toBe(false)
    path.deliver(data(0, 3))
    expect(await session.read()).toHaveLength(3)
    session.abort()
  })

  it('is given up alone at a second HELLO', async () => {
    const { session, path } = open()
    const other = new FakePath()
    session.addPath(other)
    other.deliver(hello(), hello())
    expect(other.isClosed).toBe(true)
    path.deliver(data(0, 3))
    expect(await session.read()).toHaveLength(3)
    session.abort()
  })

  it('answers PING with PONG', () => {
    const { session, path } = open()
    path.deliver({ type: 'ping', id: 77 })
    expect(path.take()).toContainEqual({ type: 'pong', id: 77 })
    session.abort()
  })

  it('answers only the newest of many PINGs while its queue is full', async () => {
    const { session, path } = open()
    path.take()
    path.queuedBytes = limits.session.queuedBytes
    for (let ping = 1; ping <= 10_000; ping++) path.deliver({ type: 'ping', id: ping })
    expect(path.take()).toEqual([])
    path.queuedBytes = 0
    await vi.advanceTimersByTimeAsync(limits.session.lookAgainMs)
    expect(path.take()).toEqual([{ type: 'pong', id: 10_000 }])
    session.abort()
  })

  it('answers a few PINGs at once, and of a flood the newest', async () => {
    const { answers, answersMs } = limits.session
    const { session, path } = open()
    path.take()
    for (let ping = 1; ping <= 1_000; ping++) path.deliver({ type: 'ping', id: ping })
    expect(path.take()).toEqual(
      Array.from({ length: answers }, (_, index) => ({ type: 'pong', id: index + 1 })),
    )
    await vi.advanceTimersByTimeAsync(answersMs)
    expect(path.take()).toEqual([{ type: 'pong', id: 1_000 }])
    session.abort()
  })

  it('is asked after 5 s of silence, and dead 7 s later without an answer', async () => {
    const { session, path } = open()
    path.take()
    await vi.advanceTimersByTimeAsync(4999)
    expect(path.take()).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(path.take()).toEqual([{ type: 'ping', id: expect.any(Number) }])
    await vi.advanceTimersByTimeAsync(6999)
    expect(path.isClosed).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(path.isClosed).toBe(true)
    await expect(session.read()).rejects.toMatchObject({ code: 'PATH_LOST' })
    await session.closed
    expect(vi.getTimerCount()).toBe(0)
  })

  it('lives as long as it answers, whatever the answer', async () => {
    const { session, path } = open()
    for (let round = 0; round < 20; round++) {
      await vi.advanceTimersByTimeAsync(6000)
      path.deliver({ type: 'ack', received: 0, limit: initialLimitBytes })
    }
    expect(path.isClosed).toBe(false)
    session.abort()
  })

  it('is not asked while something is heard', async () => {
    const { session, path } = open()
    path.take()
    for (let round = 0; round < 20; round++) {
      await vi.advanceTimersByTimeAsync(4000)
      path.deliver({ type: 'ack', received: 0, limit: initialLimitBytes })
    }
    expect(path.take()).toEqual([])
    session.abort()
  })

  it('is asked first, not given up, by a laptop that slept', async () => {
    const { session, path } = open()
    await vi.advanceTimersByTimeAsync(5000)
    path.take()
    sleepFor(3_600_000)
    await vi.advanceTimersByTimeAsync(7000)
    expect(path.isClosed).toBe(false)
    expect(path.take()).toEqual([{ type: 'ping', id: expect.any(Number) }])
    path.deliver({ type: 'pong', id: 2 })
    await vi.advanceTimersByTimeAsync(7000)
    expect(path.isClosed).toBe(false)
    session.abort()
  })

  it('is asked first by a laptop that slept before it had asked', async () => {
    const { session, path } = open()
    path.take()
    sleepFor(3_600_000)
    await vi.advanceTimersByTimeAsync(5000)
    expect(path.isClosed).toBe(false)
    expect(path.take()).toEqual([{ type: 'ping', id: expect.any(Number) }])
    session.abort()
  })

  it('is one of at most four: the oldest goes', () => {
    const { session, path } = open()
    const others = Array.from({ length: 4 }, () => openPath(session))
    expect(path.isClosed).toBe(true)
    expect(others.every((other) => !other.isClosed)).toBe(true)
    session.abort()
  })

  it('gives way to no path on which HELLO has not come, however many those are', () => {
    const { session, path } = open()
    const silent = Array.from({ length: 10 }, () => new FakePath())
    for (const each of silent) session.addPath(each)
    expect(path.isClosed).toBe(false)
    expect(silent.map(({ isClosed }) => isClosed)).toEqual([...Array(6).fill(true), ...Array(4).fill(false)])
    session.abort()
  })

  it('tells its round trip', async () => {
    const { session, path } = open()
    const ping = path.take().find((frame) => frame.type === 'ping')
    await vi.advanceTimersByTimeAsync(120)
    path.deliver({ type: 'pong', id: ping?.id ?? -1 })
    expect(session.info.stats?.()).toMatchObject({ rttMs: 120 })
    session.abort()
  })
})

describe('the bytes of a session', () => {
  it('go out with their offsets, no frame larger than the path takes', async () => {
    const { session, path } = open('client', { maxFrameBytes: 1024 })
    await session.write(new Uint8Array(3000).fill(1))
    const frames = path.take().filter((frame) => frame.type === 'data')
    expect(frames.map(({ offset, bytes }) => [offset, bytes.length])).toEqual([
      [0, 1017],
      [1017, 1017],
      [2034, 966],
    ])
    session.abort()
  })

  it('stop at the limit of the peer and go on above it', async () => {
    const { session, path } = open()
    await session.write(new Uint8Array(100_000))
    expect(lastOffset(path.take())).toBe(initialLimitBytes)
    path.deliver({ type: 'ack', received: 10, limit: 80_000 })
    expect(lastOffset(path.take())).toBe(80_000)
    path.deliver({ type: 'ack', received: 10, limit: 70_000 })
    expect(lastOffset(path.take())).toBeUndefined()
    path.deliver({ type: 'ack', received: 10, limit: 1_000_000 })
    expect(lastOffset(path.take())).toBe(100_000)
    session.abort()
  })

  it('may reach 65,536 whatever smaller limit HELLO names', async () => {
    const { session, path } = open('client', {}, hello({ limit: 0 }))
    await session.write(new Uint8Array(100_000))
    expect(lastOffset(path.take())).toBe(initialLimitBytes)
    session.abort()
  })

  it('are at most 4 MiB while unacknowledged, whatever the limit of the peer: the writer waits', async () => {
    const { session, path } = open('client', {}, hello({ limit: 2 ** 40 }))
    const writing = session.write(new Uint8Array(unacknowledgedBytes + 1))
    expect(await isSettled(writing)).toBe(false)
    expect(session.info.stats?.()).toMatchObject({ unacknowledgedBytes })
    path.deliver({ type: 'ack', received: 1, limit: 2 ** 40 })
    await writing
    expect(session.info.stats?.()).toMatchObject({ unacknowledgedBytes })
    session.abort()
  })

  it('are at most 256 KiB under way, in whole frames, on a path that has not shown to take more', async () => {
    const { session, path } = open('client', {}, hello({ limit: 2 ** 40 }))
    const { acknowledgeAfterBytes, leastFlightBytes } = limits.session
    await session.write(new Uint8Array(1_000_000))
    const frames = path.take()
    expect(frames.filter(({ type }) => type === 'data').length).toBe(16)
    expect(lastOffset(frames)).toBe(leastFlightBytes)
    // Not enough for one more.
    path.deliver({ type: 'ack', received: leastFlightBytes / 16 - 1, limit: 2 ** 40 })
    expect(path.take()).toEqual([])
    // What the far side acknowledges without a timer makes room for as much, in the largest frames now.
    path.deliver({ type: 'ack', received: acknowledgeAfterBytes, limit: 2 ** 40 })
    const more = path.take()
    expect(more.length).toBe(2)
    expect(lastOffset(more)).toBe(leastFlightBytes + acknowledgeAfterBytes)
    session.abort()
  })

  it('come behind the PING that tells how long the round trip is', async () => {
    const { session, path } = start()
    path.take()
    const writing = session.write(new Uint8Array(100_000))
    path.deliver(hello({ limit: 2 ** 40 }))
    await writing
    expect(path.take().map(({ type }) => type)).toEqual(['ping', 'ack', ...Array<string>(7).fill('data')])
    session.abort()
  })

  it('wait, once in ten seconds, until all have arrived, for a PING that nothing is before', async () => {
    const { session, path } = open('client', {}, hello({ limit: 2 ** 40 }))
    const { acknowledgeAfterBytes, leastFlightBytes } = limits.session
    await session.write(new Uint8Array(4 * leastFlightBytes))
    path.take()
    for (let heardMs = 0; heardMs <= limits.session.flightMemoryMs; heardMs += 4000) {
      await vi.advanceTimersByTimeAsync(4000)
      path.deliver({ type: 'pong', id: 0 })
    }
    // The end of a round, which is late, and of the span with it.
    path.deliver({ type: 'ack', received: acknowledgeAfterBytes, limit: 2 ** 40 })
    expect(path.take().filter(({ type }) => type === 'data')).toEqual([])
    path.deliver({ type: 'ack', received: leastFlightBytes, limit: 2 ** 40 })
    const [first, second] = path.take()
    expect(first).toMatchObject({ type: 'ping' })
    expect(second).toMatchObject({ type: 'data', offset: leastFlightBytes })
    session.abort()
  })

  it('go on when all that was under way is acknowledged by the HELLO of another path', async () => {
    const { session, path } = open('client', {}, hello({ limit: 2 ** 40 }))
    const { leastFlightBytes } = limits.session
    await session.write(new Uint8Array(4 * leastFlightBytes))
    path.take()
    const relay = openPath(session, { kind: 'relay' }, hello({ received: leastFlightBytes, limit: 2 ** 40 }))
    expect(path.take()).toContainEqual(expect.objectContaining({ type: 'data', offset: leastFlightBytes }))
    expect(relay.isClosed).toBe(false)
    session.abort()
  })

  it('that another path had taken tell nothing of this one when they are acknowledged', async () => {
    const { session, path } = open('client', { kind: 'relay' }, hello({ limit: 2 ** 40 }))
    const { acknowledgeAfterBytes } = limits.session
    await session.write(new Uint8Array(1_000_000))
    const direct = openPath(session)
    await vi.advanceTimersByTimeAsync(4)
    // As if 131,058 bytes had come in 4 ms.
    path.deliver({ type: 'ack', received: acknowledgeAfterBytes, limit: 2 ** 40 })
    // It goes on as on a path that nobody knows.
    expect(lastOffset(direct.take())).toBe(23 * 16 * 1024)
    session.abort()
  })

  it('are not held back for a whole frame where less is left', async () => {
    const { session, path } = open('client', {}, hello({ limit: 2 ** 40 }))
    const whole = limits.session.frameBytes - dataHeaderBytes
    await session.write(new Uint8Array(2 * whole + 1))
    expect(lastOffset(path.take())).toBe(2 * whole + 1)
    session.abort()
  })

  it('wait while much is queued on the path, and go on when it has drained', async () => {
    const { session, path } = open('client', {}, hello({ limit: 2 ** 40 }))
    path.take()
    path.queuedBytes = limits.session.queuedBytes
    await session.write(new Uint8Array(1000))
    expect(path.take()).toEqual([])
    path.drain()
    expect(lastOffset(path.take())).toBe(1000)
    session.abort()
  })

  it('wait while much is queued on a path that does not tell when it has drained', async () => {
    const { session, path } = open('client', {}, hello({ limit: 2 ** 40 }))
    path.take()
    path.queuedBytes = limits.session.queuedBytes
    await session.write(new Uint8Array(1000))
    await vi.advanceTimersByTimeAsync(1000)
    expect(path.take()).toEqual([])
    path.queuedBytes = 0
    await vi.advanceTimersByTimeAsync(limits.session.lookAgainMs)
    expect(lastOffset(path.take())).toBe(1000)
    session.abort()
  })

  it('never make more than a bounded number of frames wait on a path', async () => {
    const { session, path } = open('client', { maxFrameBytes: 64 }, hello({ limit: 2 ** 40 }))
    let queued = 0
    let most = 0
    path.onSend = (message) => {
      path.queuedBytes += message.length
      queued += 1
      most = Math.max(most, queued)
    }
    await session.write(new Uint8Array(100_000))
    expect(most).toBeLessThanOrEqual(limits.session.queuedFrames + 2)
    session.abort()
  })

  it('are read as they came, what overlaps once', async () => {
    const { session, path } = open()
    path.deliver(data(0, 10), data(0, 10), data(4, 16), data(2, 3))
    expect([...(await readBytes(session, 20))]).toEqual([...pattern(0, 20)])
    session.abort()
  })

  it('keep no more memory than their bytes when most of a message was there before', async () => {
    const { session, path } = open()
    const [step, size] = [1024, 32_768]
    path.deliver(data(0, size))
    for (let end = size + step; end <= 2 * size; end += step) path.deliver(data(end - size, size))
    let held = 0
    for (let left = 2 * size; left > 0;) {
      const chunk = await session.read()
      held += chunk?.buffer.byteLength ?? 0
      left -= chunk?.length ?? left
    }
    expect(held).toBeLessThan(3 * size)
    session.abort()
  })

  it.each([
    ['beyond the limit', () => encodeFrame(data(windowBytes, 1))],
    ['partly beyond the limit', () => encodeFrame(data(windowBytes - 1, 2))],
    ['empty', () => Uint8Array.of(1, 0, 0, 0, 0, 0, 0)],
    ['text instead of a frame', () => new Uint8Array(0)],
    ['of a type that is not known', () => Uint8Array.of(7)],
    ['of a wrong length', () => Uint8Array.of(2, 0, 0)],
  ])('end the session with RESET PROTOCOL when a message is %s', async (_name, message) => {
    const { session, path } = open()
    path.deliver(message())
    await expectProtocolReset(session, path)
  })

  it('end the session with RESET PROTOCOL when the peer acknowledges what was never sent', async () => {
    for (const received of [11, 2 ** 47]) {
      const { session, path } = open()
      await session.write(new Uint8Array(10))
      path.deliver({ type: 'ack', received, limit: 0 })
      await expectProtocolReset(session, path)
    }
  })

  it('count as sent only once they left: acknowledging what waits for credit is RESET PROTOCOL', async () => {
    const { session, path } = open()
    await session.write(new Uint8Array(initialLimitBytes + 10))
    path.deliver({ type: 'ack', received: initialLimitBytes + 1, limit: 0 })
    await expectProtocolReset(session, path)
  })

  it('end the session with RESET PROTOCOL when the first HELLO acknowledges any', async () => {
    const { session, path } = start()
    path.deliver(hello({ received: 1 }))
    await expectProtocolReset(session, path, { wasOpen: false })
  })

  it('show a message that was lost as a gap, which kills the path', async () => {
    const { session, path } = open()
    path.deliver(data(0, 10), data(20, 10))
    expect(path.isClosed).toBe(true)
    expect(path.take().filter(({ type }) => type === 'reset')).toEqual([])
    expect(await session.read()).toHaveLength(10)
    await expect(session.read()).rejects.toMatchObject({ code: 'PATH_LOST' })
  })

  it('go on over another path after a gap, from what the peer has', async () => {
    const { session, path } = open()
    const other = openPath(session, { kind: 'relay' })
    await session.write(pattern(0, 5000))
    path.deliver({ type: 'ack', received: 2000, limit: initialLimitBytes })
    other.take()
    path.deliver(data(0, 10), data(20, 10))
    expect(path.isClosed).toBe(true)
    const [frame] = other.take().filter(({ type }) => type === 'data')
    expect(frame).toEqual({ type: 'data', offset: 2000, bytes: pattern(2000, 3000) })
    other.deliver(data(10, 5))
    expect([...(await readBytes(session, 15))]).toEqual([...pattern(0, 15)])
    session.abort()
  })

  it('are known to the peer after the path was changed, although the HELLO was older', async () => {
    const { session, path } = open()
    const other = openPath(session, { kind: 'relay' })
    path.deliver(data(0, 10))
    other.take()
    path.close()
    expect(other.take()).toContainEqual(expect.objectContaining({ type: 'ack', received: 10 }))
    session.abort()
  })

  it('give credit again on a path whose HELLO was older than what was read', async () => {
    const { session, path } = open()
    const other = new FakePath({ kind: 'relay' })
    session.addPath(other)
    path.deliver(...pieces(0, windowBytes))
    await vi.advanceTimersByTimeAsync(limits.session.acknowledgeAfterMs)
    path.close()
    await readBytes(session, windowBytes)
    other.deliver(hello())
    await vi.advanceTimersByTimeAsync(limits.session.acknowledgeAfterMs)
    const acks = other.take().filter((frame) => frame.type === 'ack')
    expect(acks.at(-1)?.limit).toBeGreaterThan(windowBytes)
    session.abort()
  })

  it('acknowledged on a path that is not the one in use are not sent again, and break nothing', async () => {
    const { session, path } = open('client', {}, hello({ limit: 2 ** 40 }))
    await session.write(pattern(0, 100_000))
    const other = new FakePath()
    session.addPath(other)
    other.queuedBytes = limits.session.queuedBytes
    other.deliver(hello())
    // The old path is slow: its frames arrive, and are acknowledged, when the new one is in use already.
    path.deliver({ type: 'ack', received: 99_000, limit: 2 ** 40 })
    other.take()
    other.drain()
    expect(other.take().filter(({ type }) => type === 'data')).toEqual([
      { type: 'data', offset: 99_000, bytes: pattern(99_000, 1000) },
    ])
    session.abort()
  })

  it('cost no more as a flood of single bytes than as large frames', async () => {
    const { session, path } = open()
    for (let offset = 0; offset < windowBytes; offset++) path.deliver(data(offset, 1))
    let chunks = 0
    for (let read = 0; read < windowBytes; chunks++) read += (await session.read())?.length ?? NaN
    expect(chunks).toBeLessThanOrEqual(windowBytes / 16_384 + 1)
    expect(path.take().filter(({ type }) => type === 'ack').length).toBeLessThan(20)
    session.abort()
  })

  it('are at most 2^48 - 2 in a direction', () => {
    expect(longestDirection).toBe(2 ** 48 - 2)
  })
})

describe('the window of a session', () => {
  it('gives no more than 128 KiB to a reader that does not read', async () => {
    const { session, path } = open()
    path.deliver(...pieces(0, windowBytes))
    await vi.advanceTimersByTimeAsync(4000)
    expect(
      path
        .take()
        .filter((frame) => frame.type === 'ack')
        .at(-1),
    ).toEqual({
      type: 'ack',
      received: windowBytes,
      limit: windowBytes,
    })
    path.deliver(data(windowBytes, 1))
    await expectProtocolReset(session, path)
  })

  it('grows to 4 MiB, and no further, for a reader that is quick', async () => {
    const { session, path } = open()
    const { offset, limit } = await readAsItComes(session, path, 40_000_000, 0)
    expect(limit - offset).toBe(largestWindowBytes)
    session.abort()
  })

  it('stays as it is for a reader that takes its time', async () => {
    const { session, path } = open()
    const { offset, limit } = await readAsItComes(session, path, 2_000_000, 300)
    expect(limit - offset).toBeLessThanOrEqual(windowBytes)
    session.abort()
  })
})

describe('acknowledgements', () => {
  it('come 50 ms after bytes did', async () => {
    const { session, path } = open()
    path.take()
    path.deliver(data(0, 10))
    await vi.advanceTimersByTimeAsync(20)
    path.deliver(data(10, 10))
    await vi.advanceTimersByTimeAsync(29)
    expect(path.take()).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(path.take()).toEqual([{ type: 'ack', received: 20, limit: windowBytes }])
    await vi.advanceTimersByTimeAsync(1000)
    expect(path.take()).toEqual([])
    session.abort()
  })

  it('come at once when half a window has arrived', () => {
    const { session, path } = open()
    path.take()
    path.deliver(...pieces(0, windowBytes / 2))
    expect(path.take()).toContainEqual({ type: 'ack', received: windowBytes / 2, limit: windowBytes })
    session.abort()
  })

  it('come at once when half a window was freed', async () => {
    const { session, path } = open()
    path.deliver(...pieces(0, windowBytes))
    await vi.advanceTimersByTimeAsync(60)
    path.take()
    await readBytes(session, windowBytes / 2)
    const acks = path.take().filter((frame) => frame.type === 'ack')
    expect(acks.at(-1)?.limit).toBeGreaterThanOrEqual(windowBytes * 1.5)
    session.abort()
  })

  it('come at once for END', () => {
    const { session, path } = open()
    path.take()
    path.deliver(data(0, 5), { type: 'end', offset: 5 })
    expect(path.take()).toContainEqual(expect.objectContaining({ type: 'ack', received: 6 }))
    session.abort()
  })

  it('leave although the queue of the path is full', async () => {
    const { session, path } = open()
    path.take()
    path.queuedBytes = limits.session.queuedBytes
    await session.write(new Uint8Array(1000))
    path.deliver(data(0, 10), { type: 'end', offset: 10 })
    expect(path.take()).toEqual([{ type: 'ack', received: 11, limit: expect.any(Number) }])
    session.abort()
  })

  it('that are lower than the last change nothing', async () => {
    const { session, path } = open()
    await session.write(new Uint8Array(100))
    path.deliver({ type: 'ack', received: 80, limit: 90_000 }, { type: 'ack', received: 10, limit: 10 })
    expect(session.info.stats?.()).toMatchObject({ unacknowledgedBytes: 20 })
    session.abort()
  })
})

describe('the end of a direction', () => {
  it('takes one offset: T bytes end with END T, and T + 1 acknowledges it', async () => {
    const { session, path } = open()
    await session.write(new Uint8Array(3))
    const ending = session.end()
    expect(path.take()).toContainEqual({ type: 'end', offset: 3 })
    path.deliver({ type: 'ack', received: 3, limit: initialLimitBytes })
    expect(await isSettled(ending)).toBe(false)
    path.deliver({ type: 'ack', received: 4, limit: initialLimitBytes })
    await ending
    session.abort()
  })

  it('of an empty direction is END 0', () => {
    const { session, path } = open()
    void session.end().catch(() => undefined)
    expect(path.take()).toContainEqual({ type: 'end', offset: 0 })
    session.abort()
  })

  it('needs no credit, but comes after every byte', async () => {
    const { session, path } = open()
    await session.write(new Uint8Array(initialLimitBytes + 1))
    const ending = session.end()
    ending.catch(() => undefined)
    expect(path.take()).not.toContainEqual(expect.objectContaining({ type: 'end' }))
    path.deliver({ type: 'ack', received: 0, limit: initialLimitBytes + 1 })
    expect(path.take().slice(-1)).toEqual([{ type: 'end', offset: initialLimitBytes + 1 }])
    session.abort()
  })

  it('is repeated, the same, on each new path', async () => {
    const { session, path } = open()
    await session.write(new Uint8Array(3))
    session.end().catch(() => undefined)
    path.take()
    const other = openPath(session)
    expect(other.take().filter(({ type }) => type === 'end')).toEqual([{ type: 'end', offset: 3 }])
    session.abort()
  })

  it('cannot be acknowledged before it was sent', async () => {
    const { session, path } = open()
    await session.write(new Uint8Array(3))
    path.deliver({ type: 'ack', received: 4, limit: 0 })
    await expectProtocolReset(session, path)
  })

  it('is read as null, also when it comes twice', async () => {
    const { session, path } = open()
    path.deliver(data(0, 4), { type: 'end', offset: 4 }, { type: 'end', offset: 4 })
    expect(await session.read()).toHaveLength(4)
    expect(await session.read()).toBeNull()
    expect(await session.read()).toBeNull()
    session.abort()
  })

  it('is acknowledged on every path: the one in use may have died unnoticed', () => {
    const { session, path } = open()
    const other = openPath(session, { kind: 'relay' })
    other.take()
    path.deliver({ type: 'end', offset: 0 })
    expect(path.take().at(-1)).toMatchObject({ type: 'ack', received: 1 })
    expect(other.take()).toEqual([{ type: 'ack', received: 1, limit: windowBytes }])
    session.abort()
  })

  it('that repeats itself is acknowledged again, but a flood of it is not answered one by one', async () => {
    const { session, path } = open()
    path.deliver({ type: 'end', offset: 0 })
    path.take()
    path.deliver({ type: 'end', offset: 0 })
    await vi.advanceTimersByTimeAsync(limits.session.acknowledgeAfterMs)
    expect(path.take()).toEqual([{ type: 'ack', received: 1, limit: windowBytes }])
    for (let count = 0; count < 10_000; count++) path.deliver({ type: 'end', offset: 0 })
    await vi.advanceTimersByTimeAsync(limits.session.acknowledgeAfterMs)
    expect(path.take().length).toBeLessThan(100)
    session.abort()
  })

  it.each([
    ['before what was sent', [data(0, 4), { type: 'end', offset: 3 }]],
    [
      'at another place than before',
      [
        { type: 'end', offset: 0 },
        { type: 'end', offset: 1 },
      ],
    ],
    ['and is followed by DATA', [data(0, 4), { type: 'end', offset: 4 }, data(4, 1)]],
  ] as [string, Frame[]][])('that comes %s is RESET PROTOCOL', async (_name, frames) => {
    const { session, path } = open()
    path.deliver(...frames)
    await expectProtocolReset(session, path)
  })

  it('may be followed by DATA from before it, which another path brings late', () => {
    const { session, path } = open()
    path.deliver(data(0, 4), { type: 'end', offset: 4 }, data(1, 3))
    expect(path.isClosed).toBe(false)
    session.abort()
  })

  it('beyond what has come is a gap', () => {
    const { path } = open()
    path.deliver(data(0, 4), { type: 'end', offset: 5 })
    expect(path.isClosed).toBe(true)
  })

  it('lets nothing be written after it', async () => {
    const { session } = open()
    session.end().catch(() => undefined)
    await expect(session.write(new Uint8Array(1))).rejects.toMatchObject({ code: 'CLOSED' })
    session.abort()
  })
})

describe('closing a session that is done', () => {
  it('is for the client: it sends ACK and PING and closes at the PONG', async () => {
    const { session, path } = open('client')
    const ending = session.end()
    path.deliver({ type: 'end', offset: 0 })
    path.take()
    path.deliver({ type: 'ack', received: 1, limit: initialLimitBytes })
    await ending
    const ping = path.take().find((frame) => frame.type === 'ping')
    expect(ping).toBeDefined()
    path.deliver({ type: 'pong', id: (ping?.id ?? 0) - 1 })
    expect(path.isClosed).toBe(false)
    path.deliver({ type: 'pong', id: ping?.id ?? -1 })
    expect(path.isClosed).toBe(true)
    await session.closed
    expect(vi.getTimerCount()).toBe(0)
  })

  it('sends the ACK of the END before the PING, when the END is the last to come', () => {
    const { session, path } = open('client')
    session.end().catch(() => undefined)
    path.deliver({ type: 'ack', received: 1, limit: initialLimitBytes })
    path.take()
    path.deliver({ type: 'end', offset: 0 })
    expect(path.take().map(({ type }) => type)).toEqual(['ack', 'ping'])
    session.abort()
  })

  it('asks again on the path that is left when the one that was asked dies', async () => {
    const { session, path } = open('client')
    const other = openPath(session, { kind: 'relay' })
    session.end().catch(() => undefined)
    path.deliver({ type: 'end', offset: 0 }, { type: 'ack', received: 1, limit: initialLimitBytes })
    other.take()
    path.close()
    const frames = other.take()
    const ping = frames.find((frame) => frame.type === 'ping')
    expect(frames.map(({ type }) => type)).toContain('ack')
    expect(ping).toBeDefined()
    other.deliver({ type: 'pong', id: ping?.id ?? -1 })
    await session.closed
  })

  it('does not take the PONG of another path for that of the last PING', () => {
    const { session, path } = open('client')
    const other = openPath(session, { kind: 'relay' })
    session.end().catch(() => undefined)
    path.deliver({ type: 'end', offset: 0 }, { type: 'ack', received: 1, limit: initialLimitBytes })
    other.deliver({ type: 'pong', id: 1_000_000 })
    expect(path.isClosed).toBe(false)
    session.abort()
  })

  it('is left to the client by the server for 2 s', async () => {
    const { session, path } = open('server')
    const ending = session.end()
    path.deliver({ type: 'end', offset: 0 }, { type: 'ack', received: 1, limit: initialLimitBytes })
    await ending
    await vi.advanceTimersByTimeAsync(1999)
    expect(path.isClosed).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(path.isClosed).toBe(true)
    await session.closed
    expect(vi.getTimerCount()).toBe(0)
  })

  it.each(['client', 'server'] as const)('is clean for the %s when the last path is lost', async (role) => {
    const { session, path } = open(role)
    const ending = session.end()
    path.deliver(data(0, 4), { type: 'end', offset: 4 })
    path.deliver({ type: 'ack', received: 1, limit: initialLimitBytes })
    path.close()
    await ending
    await session.closed
    expect(await session.read()).toHaveLength(4)
    expect(await session.read()).toBeNull()
  })

  it('happens on both sides in a few round trips', async () => {
    const { client, server } = connect(20)
    await run(client.opened)
    const ends = Promise.all([client.end(), server.end(), client.closed, server.closed])
    const started = performance.now()
    await run(ends)
    expect(performance.now() - started).toBeLessThan(200)
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('a session that loses its last path', () => {
  it.each([
    ['in the middle', []],
    ['when only the end of the peer has come', [{ type: 'end', offset: 0 }]],
    ['when only its own end is acknowledged', [{ type: 'ack', received: 1, limit: 0 }]],
  ] as [string, Frame[]][])('%s fails with PATH_LOST', async (_name, frames) => {
    const { session, path } = open()
    const ending = session.end()
    ending.catch(() => undefined)
    path.deliver(...frames)
    path.close()
    if (frames[0]?.type !== 'end') await expect(session.read()).rejects.toMatchObject({ code: 'PATH_LOST' })
    if (frames[0]?.type !== 'ack') await expect(ending).rejects.toMatchObject({ code: 'PATH_LOST' })
    await expect(session.write(new Uint8Array(1))).rejects.toBeInstanceOf(MultiserverError)
    await session.closed
    expect(vi.getTimerCount()).toBe(0)
  })

  it('lets go a writer that waits', async () => {
    const { session, path } = open()
    const writing = session.write(new Uint8Array(unacknowledgedBytes + 1))
    expect(await isSettled(writing)).toBe(false)
    path.close()
    await expect(writing).rejects.toMatchObject({ code: 'PATH_LOST' })
  })

  it('fails with the error that it is given when no path could be had', async () => {
    const session = new Session({ id, role: 'client', address: 'rtc:test', resumeMs: 0 })
    session.fail(new MultiserverError('CONNECT_FAILED'))
    await expect(session.opened).rejects.toMatchObject({ code: 'CONNECT_FAILED' })
    await session.closed
  })
})

describe('RESET', () => {
  it('ends both directions of its receiver, after the bytes that came before', async () => {
    const { session, path } = open()
    path.deliver(data(0, 7), { type: 'reset', code: resetCodes.aborted, text: '' })
    expect(path.isClosed).toBe(true)
    expect(await session.read()).toHaveLength(7)
    await expect(session.read()).rejects.toMatchObject({ code: 'PEER_RESET' })
    await expect(session.write(new Uint8Array(1))).rejects.toMatchObject({ code: 'PEER_RESET' })
    await expect(session.end()).rejects.toMatchObject({ code: 'PEER_RESET' })
    await session.closed
    expect(vi.getTimerCount()).toBe(0)
  })

  it('has its text in the error, as far as it can be printed', async () => {
    const { session, path } = open()
    path.deliver({ type: 'reset', code: 5, text: 'no\u001b[31m room' })
    await expect(session.read()).rejects.toThrow(/\(5\): no\?\[31m room$/)
  })

  it('is sent by abort, whose paths close after 2 s', async () => {
    const { session, path } = open()
    path.deliver(data(0, 7))
    session.abort(new MultiserverError('TIMEOUT'))
    expect(path.take().at(-1)).toEqual({ type: 'reset', code: resetCodes.aborted, text: '' })
    await expect(session.read()).rejects.toMatchObject({ code: 'TIMEOUT' })
    await expect(session.write(new Uint8Array(1))).rejects.toMatchObject({ code: 'TIMEOUT' })
    await vi.advanceTimersByTimeAsync(1999)
    expect(path.isClosed).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(path.isClosed).toBe(true)
    await session.closed
    expect(vi.getTimerCount()).toBe(0)
  })

  it('goes out on every path behind its HELLO, and closes those that are not open at once', () => {
    const { session, path } = open()
    const other = openPath(session, { kind: 'relay' })
    const third = new FakePath()
    session.addPath(third)
    session.abort()
    for (const each of [path, other]) expect(each.take().at(-1)).toMatchObject({ type: 'reset' })
    expect(third.isClosed).toBe(true)
    expect(third.take().map(({ type }) => type)).toEqual(['hello', 'reset'])
  })

  it('that crosses a RESET closes at once', async () => {
    const { session, path } = open()
    session.abort()
    path.deliver({ type: 'reset', code: resetCodes.aborted, text: '' })
    expect(path.isClosed).toBe(true)
    await session.closed
    expect(vi.getTimerCount()).toBe(0)
  })

  it('after everything is done is a clean end', async () => {
    const { session, path } = open()
    const ending = session.end()
    path.deliver({ type: 'end', offset: 0 }, { type: 'ack', received: 1, limit: 0 })
    path.deliver({ type: 'reset', code: resetCodes.aborted, text: '' })
    await ending
    expect(await session.read()).toBeNull()
    await session.closed
  })

  it('is not sent twice, nor is anything after it', () => {
    const { session, path } = open()
    session.abort()
    path.take()
    session.abort()
    path.deliver(data(0, 4), data(99, 1), { type: 'end', offset: 7 }, { type: 'ack', received: 9, limit: 9 })
    expect(path.take()).toEqual([])
  })

  it('leaves no timer when the server aborts while it waits for the client to close', async () => {
    const { session, path } = open('server')
    session.end().catch(() => undefined)
    path.deliver({ type: 'end', offset: 0 }, { type: 'ack', received: 1, limit: 0 })
    await vi.advanceTimersByTimeAsync(1000)
    session.abort()
    path.close()
    await session.closed
    expect(vi.getTimerCount()).toBe(0)
  })

  it('of a session without an open path closes it at once', async () => {
    const { session, path } = start()
    session.abort()
    expect(path.isClosed).toBe(true)
    await expect(session.opened).rejects.toMatchObject({ code: 'ABORTED' })
    await session.closed
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('the path in use', () => {
  it('is none that went ahead of others and came after them: the far side has left it', async () => {
    const { session, path } = open('client', { kind: 'relay' })
    const late = new FakePath({ kind: 'relay', isAhead: true })
    session.addPath(late)
    late.deliver(hello())
    expect(late.isClosed).toBe(true)
    path.take()
    await session.write(new Uint8Array(1))
    expect(lastOffset(path.take())).toBe(1)
    session.abort()
  })

  it('is the best, the newest among equals, and listeners hear of each other kind', async () => {
    const { session, path } = open('client', { kind: 'relay' })
    const heard: string[] = []
    session.info.onPath?.((kind) => heard.push(kind))
    const turn = openPath(session, { kind: 'turn' })
    const direct = openPath(session, { kind: 'direct' })
    const relay = openPath(session, { kind: 'relay' })
    const newest = openPath(session, { kind: 'direct' })
    expect(path.isClosed).toBe(true)
    for (const each of [turn, direct, relay, newest]) each.take()
    await session.write(new Uint8Array(1))
    expect(lastOffset(newest.take())).toBe(1)
    expect([turn, direct, relay].flatMap((each) => each.take())).toEqual([])
    newest.close()
    expect(lastOffset(direct.take())).toBe(1)
    expect(heard).toEqual(['turn', 'direct'])
    session.abort()
  })

  it('that asks is told first what has come, on whichever path it asks', async () => {
    const { path: circuit } = open('server', { kind: 'relay' })
    const { session, path: direct } = open('server')
    const other = openPath(session, { kind: 'relay' })
    direct.deliver({ type: 'data', offset: 0, bytes: new Uint8Array(3) })
    await vi.advanceTimersByTimeAsync(limits.session.acknowledgeAfterMs)
    for (const each of [direct, other, circuit]) each.take()
    direct.deliver({ type: 'ping', id: 1 })
    expect(direct.take()).toEqual([{ type: 'pong', id: 1 }])
    other.deliver({ type: 'ping', id: 2 })
    expect(other.take()).toMatchObject([
      { type: 'ack', received: 3 },
      { type: 'pong', id: 2 },
    ])
    // What is known already is acknowledged as well: the far side asks for it.
    direct.deliver({ type: 'data', offset: 0, bytes: new Uint8Array(3) }, { type: 'ping', id: 3 })
    expect(direct.take()).toMatchObject([
      { type: 'ack', received: 3 },
      { type: 'pong', id: 3 },
    ])
    session.abort()
  })

  it('is asked when the far side brings a worse one, which it may have done because it hears nothing', async () => {
    const { session, path: direct } = open('server')
    await vi.advanceTimersByTimeAsync(1_000)
    direct.take()
    const circuit = openPath(session, { kind: 'relay' })
    expect(direct.take()).toMatchObject([{ type: 'ping' }])
    circuit.take()
    await vi.advanceTimersByTimeAsync(limits.session.doubtAfterMs)
    await session.write(new Uint8Array(1))
    expect(lastOffset(circuit.take())).toBe(1)
    session.abort()
  })
})

interface Started {
  session: Session
  path: FakePath
}

/** A session with one path; the HELLO of the peer has not come. */
function start(role: 'client' | 'server' = 'client', options?: FakePathOptions): Started {
  const session = new Session({ id, role, address: 'rtc:test', resumeMs: 0 })
  const path = new FakePath(options)
  session.addPath(path)
  return { session, path }
}

function open(role: 'client' | 'server' = 'client', options?: FakePathOptions, first = hello()): Started {
  const started = start(role, options)
  started.path.deliver(first)
  return started
}

function openPath(session: Session, options?: FakePathOptions, first = hello()): FakePath {
  const path = new FakePath(options)
  session.addPath(path)
  path.deliver(first)
  return path
}

/** Two sessions over one path. */
function connect(delayMs: number): { client: Session; server: Session; link: FakeLink } {
  const link = new FakeLink({ delayMs })
  const client = new Session({ id, role: 'client', address: 'rtc:server', resumeMs: 0 })
  const server = new Session({ id, role: 'server', address: 'rtc:client', resumeMs: 0 })
  client.addPath(link.ends[0])
  server.addPath(link.ends[1])
  return { client, server, link }
}

function hello(changes: Partial<Extract<Frame, { type: 'hello' }>> = {}): Extract<Frame, { type: 'hello' }> {
  return { type: 'hello', session: id, received: 0, limit: 0, ...changes }
}

function data(offset: number, length: number): Frame {
  return { type: 'data', offset, bytes: pattern(offset, length) }
}

/** DATA as large as it may be, from `from` up to `to`. */
function pieces(from: number, to: number): Frame[] {
  const frames: Frame[] = []
  for (let at = from; at < to; at += 32_768) frames.push(data(at, Math.min(32_768, to - at)))
  return frames
}

function pattern(offset: number, length: number): Bytes {
  return Uint8Array.from({ length }, (_, index) => (offset + index) % 251)
}

function lastOffset(frames: Frame[]): number | undefined {
  const last = frames.filter((frame) => frame.type === 'data').at(-1)
  return last === undefined ? undefined : last.offset + last.bytes.length
}

/** The machine sleeps: its clock goes on and no timer runs. */
function sleepFor(ms: number): void {
  const now = performance.now.bind(performance)
  vi.spyOn(performance, 'now').mockImplementation(() => now() + ms)
}

async function expectProtocolReset(session: Session, path: FakePath, { wasOpen = true } = {}): Promise<void> {
  if (wasOpen) {
    expect(path.take().at(-1)).toMatchObject({ type: 'reset', code: resetCodes.protocol })
    await vi.advanceTimersByTimeAsync(limits.session.resetCloseMs)
  }
  for (;;) {
    const chunk = await session.read().catch((error: unknown) => error)
    if (chunk instanceof Uint8Array) continue
    // The end, too, had come in order.
    if (chunk === null) break
    expect(chunk).toMatchObject({ code: 'PROTOCOL' })
    break
  }
  await expect(session.write(new Uint8Array(1))).rejects.toMatchObject({ code: 'PROTOCOL' })
  await vi.advanceTimersByTimeAsync(limits.session.resetCloseMs)
  expect(path.isClosed).toBe(true)
  await session.closed
  expect(vi.getTimerCount()).toBe(0)
}

async function readBytes(session: Session, length: number): Promise<Bytes> {
  const bytes = new Uint8Array(length)
  for (let filled = 0; filled < length;) {
    const chunk = await session.read()
    if (chunk === null) throw new Error('the session ended early')
    bytes.set(chunk, filled)
    filled += chunk.length
  }
  return bytes
}

/** Sends what the window allows, again and again, to a reader that waits `pauseMs` before each window. */
async function readAsItComes(
  session: Session,
  path: FakePath,
  total: number,
  pauseMs: number,
): Promise<{ offset: number; limit: number }> {
  let offset = 0
  let limit: number = windowBytes
  while (offset < total) {
    path.deliver(...pieces(offset, limit))
    vi.advanceTimersByTime(pauseMs)
    await readBytes(session, limit - offset)
    offset = limit
    vi.advanceTimersByTime(limits.session.acknowledgeAfterMs)
    for (const frame of path.take()) if (frame.type === 'ack') limit = Math.max(limit, frame.limit)
    if (limit === offset) throw new Error('the window stays closed')
  }
  return { offset, limit }
}

function turns(): Promise<void> {
  return new Promise((resolve) => realImmediate(resolve))
}

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false
  const note = () => (settled = true)
  promise.then(note, note)
  await turns()
  return settled
}

/** Lets the clock run until `promise` has settled. */
async function run<T>(promise: Promise<T>): Promise<T> {
  while (!(await isSettled(promise)) && vi.getTimerCount() > 0) vi.advanceTimersToNextTimer()
  return promise
}
