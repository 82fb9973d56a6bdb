import { afterEach, describe, expect, it, vi } from 'vitest'
import { EndTogether } from '../../compat/end-together.ts'
import { toOldStream } from '../../compat/stream.ts'
import { fromText } from '../../core/bytes.ts'
import { createPair } from '../../core/pair.ts'
import { collect, pull } from '../streams/pull-streams.ts'

afterEach(() => {
  vi.useRealTimers()
})

describe('a stream whose peer has ended', () => {
  it('is over a second after it has said what it had to say', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const [near, far] = createPair()
    const stream = toOldStream(near)
    const feeder = vi.fn()
    stream.sink(feeder)
    await far.end()
    expect(await collect(stream.source)).toHaveLength(0)
    await vi.advanceTimersByTimeAsync(999)
    const [[, give]] = feeder.mock.calls as [[null, (end: null, chunk: Buffer) => void]]
    give(null, Buffer.from('last words'))
    await vi.advanceTimersByTimeAsync(999)
    expect(Buffer.from((await far.read()) ?? []).toString()).toBe('last words')
    expect(feeder.mock.calls.map(([abort]) => abort as unknown)).toEqual([null, null])
    await vi.advanceTimersByTimeAsync(1)
    expect(feeder.mock.calls.map(([abort]) => abort as unknown)).toEqual([null, null, true])
    await expect(far.read()).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
  })

  it('is over also where nobody reads', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const [near, far] = createPair()
    const feeder = vi.fn()
    toOldStream(near).sink(feeder)
    await far.end()
    await vi.advanceTimersByTimeAsync(1000)
    expect(feeder.mock.calls.map(([abort]) => abort as unknown)).toEqual([null, true])
  })

  it('is not cut while it still writes', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const [near, far] = createPair({ highWaterBytes: 1 })
    const stream = toOldStream(near)
    const feeder = vi.fn()
    stream.sink(feeder)
    await far.end()
    const [[, give]] = feeder.mock.calls as [[null, (end: null, chunk: Buffer) => void]]
    give(null, Buffer.from('a long answer'))
    await vi.advanceTimersByTimeAsync(60_000)
    expect(Buffer.from((await far.read()) ?? []).toString()).toBe('a long answer')
    near.abort()
  })

  it('leaves no timer when both have ended', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const [near, far] = createPair()
    const stream = toOldStream(near)
    pull(pull.values(['all']), stream.sink)
    await far.end()
    await collect(stream.source)
    await near.closed
    await vi.advanceTimersByTimeAsync(0)
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('a stream that has ended, and whose peer has not', () => {
  it('ends the layer below after a second of silence, and still reads', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const [near, far] = createPair()
    const [below] = createPair()
    const end = vi.spyOn(below, 'end')
    const stream = new EndTogether(near, below)
    await stream.end()
    await vi.advanceTimersByTimeAsync(999)
    await far.write(fromText('not yet'))
    expect(await stream.read()).toEqual(fromText('not yet'))
    await vi.advanceTimersByTimeAsync(999)
    expect(end).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    expect(end).toHaveBeenCalledTimes(1)
    await far.write(fromText('late'))
    expect(await stream.read()).toEqual(fromText('late'))
    stream.abort()
    below.abort()
    await stream.closed
    expect(vi.getTimerCount()).toBe(0)
  })

  it('drops what was read ahead when it is aborted', async () => {
    const [near, far] = createPair()
    await far.write(fromText('ahead'))
    const stream = new EndTogether(near)
    const reason = new Error('enough')
    stream.abort(reason)
    await expect(stream.read()).rejects.toBe(reason)
  })
})
