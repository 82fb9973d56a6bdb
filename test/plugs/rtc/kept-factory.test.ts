import { readdirSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { MultiServer } from '../../../core/multiserver.ts'
import { generateKeys } from '../../../plugs/keys.ts'
import { KeptFactory } from '../../../plugs/rtc/kept-factory.ts'
import rtc from '../../../plugs/rtc/index.ts'
import shs2 from '../../../plugs/shs2/index.ts'
import { startHub } from '../../../signal-server/index.ts'
import { expectNoLeftovers } from './leftovers.ts'

describe('KeptFactory', () => {
  let spares: { isClosed: boolean }[] = []
  const make = () => {
    const spare = { isClosed: false, close: () => void (spare.isClosed = true) }
    spares.push(spare)
    return spare
  }

  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => {
    vi.useRealTimers()
    spares = []
  })

  it('makes no spare for who only dials, nor before there is a connection', () => {
    const factory = new KeptFactory(make)
    factory.connect()()
    const stop = factory.listen()
    expect(spares).toEqual([])
    stop()
  })

  it('makes one spare for all connections, and keeps it until nobody listens', () => {
    const factory = new KeptFactory(make)
    const stops = [factory.listen(), factory.listen()]
    const close = [factory.connect(), factory.connect()]
    expect(spares).toMatchObject([{ isClosed: false }])
    stops[0]?.()
    stops[0]?.()
    expect(spares).toMatchObject([{ isClosed: false }])
    stops[1]?.()
    expect(spares).toMatchObject([{ isClosed: true }])
    for (const each of close) each()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('gives it up when there was no connection for a minute, and makes another with the next', () => {
    const factory = new KeptFactory(make)
    const stop = factory.listen()
    factory.connect()()
    vi.advanceTimersByTime(59_000)
    const close = factory.connect()
    vi.advanceTimersByTime(120_000)
    expect(spares).toMatchObject([{ isClosed: false }])
    close()
    vi.advanceTimersByTime(60_000)
    expect(spares).toMatchObject([{ isClosed: true }])
    factory.connect()()
    expect(spares).toMatchObject([{ isClosed: true }, { isClosed: false }])
    stop()
    expect(spares).toMatchObject([{ isClosed: true }, { isClosed: true }])
  })
})

describe.skipIf(process.platform !== 'linux')('a peer that is dialed again and again', () => {
  expectNoLeftovers()

  it('has no more threads for it', async () => {
    const hub = await startHub()
    const server = MultiServer([
      [rtc({ hub: hub.url, publish: false }), shs2({ keys: await generateKeys() })],
    ])
    const close = server.server(
      (stream) => stream.end(),
      () => undefined,
    )
    await close.listening
    const client = MultiServer([[rtc({ relay: 'never' }), shs2({ keys: await generateKeys() })]])
    const dial = async () => {
      const stream = await client.client(server.stringify())
      await stream.end()
      while ((await stream.read()) !== null);
      await stream.closed
    }
    const threads = () => readdirSync('/proc/self/task').length
    for (let count = 0; count < 3; count += 1) await dial()
    const before = threads()
    for (let count = 0; count < 10; count += 1) await dial()
    // Each factory has four; two connections may be on their way out.
    expect(threads()).toBeLessThan(before + 10)
    await close()
    await hub.close()
  })
})
