import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { MultiServer } from '../../core/multiserver.ts'
import { failure } from '../support/failure.ts'
import { keyText, settle, stagedTransform, stagedTransport, type Proof } from './staged.ts'

const key = keyText(1)
const address = ['net:a:1', 'net:b:1', 'net:c:1'].map((section) => `${section}~shs:${key}`).join(';')

beforeEach(() => void vi.useFakeTimers())
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

describe('racing equal alternatives', () => {
  it('starts them in the order of the address, 250 ms apart', async () => {
    const { server, dials, sections } = createServer()
    const dialing = server.client(address)
    await settle()
    expect(sections()).toEqual(['net:a:1'])
    await vi.advanceTimersByTimeAsync(249)
    expect(sections()).toEqual(['net:a:1'])
    await vi.advanceTimersByTimeAsync(1)
    expect(sections()).toEqual(['net:a:1', 'net:b:1'])
    await vi.advanceTimersByTimeAsync(250)
    expect(sections()).toEqual(['net:a:1', 'net:b:1', 'net:c:1'])
    dials[1]?.connect()
    expect((await dialing).address).toBe(`net:b:1~shs:${key}`)
  })

  it('starts the next at once when one fails, and the one after 250 ms later', async () => {
    const { server, dials, sections } = createServer()
    const dialing = server.client(address)
    await vi.advanceTimersByTimeAsync(100)
    dials[0]?.fail(new Error('refused'))
    await settle()
    expect(sections()).toEqual(['net:a:1', 'net:b:1'])
    await vi.advanceTimersByTimeAsync(249)
    expect(dials).toHaveLength(2)
    await vi.advanceTimersByTimeAsync(1)
    expect(dials).toHaveLength(3)
    dials[2]?.connect()
    await dialing
  })

  it('waits for those under way when the last has failed', async () => {
    const { server, dials } = createServer()
    const dialing = server.client(address)
    await vi.advanceTimersByTimeAsync(500)
    dials[2]?.fail(new Error('refused'))
    dials[1]?.fail(new Error('refused'))
    await vi.advanceTimersByTimeAsync(5000)
    dials[0]?.connect()
    expect((await dialing).address).toBe(`net:a:1~shs:${key}`)
  })

  it('is won by the first that finishes its transforms, not by the first to connect', async () => {
    const proofs: Proof[] = ['silence', 'right key']
    const { server, dials } = createServer(() => proofs.shift() ?? 'failure')
    const dialing = server.client(address)
    const far = dials[0]?.connect()
    await vi.advanceTimersByTimeAsync(250)
    dials[1]?.connect()
    expect((await dialing).address).toBe(`net:b:1~shs:${key}`)
    await expect(far?.read()).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
  })

  it('aborts the losers before it resolves', async () => {
    const { server, dials } = createServer()
    const dialing = server.client(address)
    await vi.advanceTimersByTimeAsync(250)
    let aborted: boolean | undefined
    const checking = dialing.then(() => (aborted = dials[0]?.context.signal.aborted))
    dials[1]?.connect()
    await checking
    expect(aborted).toBe(true)
    expect(dials[0]?.context.signal.reason).toMatchObject({ code: 'ABORTED' })
  })

  it('never aborts the signal of the winner, which may listen to it for longer', async () => {
    const { server, dials } = createServer()
    const controller = new AbortController()
    const dialing = server.client(address, { signal: controller.signal })
    dials[0]?.connect()
    const connection = await dialing
    controller.abort()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(dials[0]?.context.signal.aborted).toBe(false)
    expect(connection.error).toBeUndefined()
    expect(dials).toHaveLength(1)
  })

  it('closes a loser that connects although it was aborted', async () => {
    const { server, dials } = createServer()
    const dialing = server.client(address)
    await vi.advanceTimersByTimeAsync(250)
    dials[1]?.connect()
    await dialing
    const far = dials[0]?.connect()
    await expect(far?.read()).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
  })

  it('leaves one connection when two connect in the same moment', async () => {
    const { server, dials } = createServer()
    const dialing = server.client(address)
    await vi.advanceTimersByTimeAsync(250)
    const fars = [dials[0]?.connect(), dials[1]?.connect()]
    const connection = await dialing
    await settle()
    expect(connection.address).toBe(`net:a:1~shs:${key}`)
    await expect(fars[1]?.read()).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    expect(server.status().connections).toHaveLength(1)
  })
})

describe('the deadline of a dial', () => {
  it.each([
    ['30 s', undefined, 30_000],
    ['timeoutMs', 700, 700],
  ])('is %s over everything', async (_what, timeoutMs, expectedMs) => {
    const { server, dials } = createServer()
    const dialing = failure(server.client(address, { timeoutMs }))
    let settled = false
    void dialing.then(() => (settled = true))
    await vi.advanceTimersByTimeAsync(expectedMs - 1)
    expect(settled).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(await dialing).toMatchObject({ code: 'TIMEOUT', address })
    for (const dial of dials) expect(dial.context.signal.aborted).toBe(true)
  })

  it('covers the transforms too', async () => {
    const { server, dials } = createServer(() => 'silence')
    const dialing = failure(server.client(`net:a:1~shs:${key}`))
    const far = dials[0]?.connect()
    await vi.advanceTimersByTimeAsync(30_000)
    expect(await dialing).toMatchObject({ code: 'TIMEOUT' })
    await expect(far?.read()).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
  })

  it('is one for the weaker alternatives that come after', async () => {
    const net = stagedTransport('net')
    const server = MultiServer([
      [net, stagedTransform('shs2', 2)],
      [net, stagedTransform('shs', 1)],
    ])
    const weaker = `net:a:1~shs2:${key};net:b:1~shs:${key}`
    const dialing = failure(server.client(weaker, { allowDowngrade: true, timeoutMs: 1000 }))
    await vi.advanceTimersByTimeAsync(600)
    net.dials[0]?.fail(new Error('refused'))
    await vi.advanceTimersByTimeAsync(399)
    expect(net.dials.map((dial) => dial.section)).toEqual(['net:a:1', 'net:b:1'])
    await vi.advanceTimersByTimeAsync(1)
    expect(await dialing).toMatchObject({ code: 'TIMEOUT' })
  })

  it.each([Infinity, 2 ** 31])('of %d ms does not pass at once', async (timeoutMs) => {
    const { server, dials } = createServer()
    const dialing = server.client(`net:a:1~shs:${key}`, { timeoutMs })
    await vi.advanceTimersByTimeAsync(100_000)
    dials[0]?.connect()
    await dialing
  })
})

describe('the signal of a dial', () => {
  const why = new Error('changed my mind')

  it('aborts before anything is dialed', async () => {
    const { server, dials } = createServer()
    const error = await failure(server.client(address, { signal: AbortSignal.abort(why) }))
    expect(error).toMatchObject({ code: 'ABORTED', cause: why })
    expect(dials).toHaveLength(0)
  })

  it.each([
    ['while the first connects', 0],
    ['while two connect', 250],
    ['while all connect', 500],
  ])('aborts %s', async (_when, ms) => {
    const { server, dials } = createServer()
    const controller = new AbortController()
    const dialing = failure(server.client(address, { signal: controller.signal }))
    await vi.advanceTimersByTimeAsync(ms)
    controller.abort(why)
    expect(await dialing).toMatchObject({ code: 'ABORTED', cause: why })
    const begun = dials.length
    expect(dials.every((dial) => dial.context.signal.aborted)).toBe(true)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(dials).toHaveLength(begun)
  })

  it('aborts in the middle of a transform, and releases the transport', async () => {
    const { server, dials } = createServer(() => 'silence')
    const controller = new AbortController()
    const dialing = failure(server.client(address, { signal: controller.signal }))
    const far = dials[0]?.connect()
    await settle()
    controller.abort(why)
    expect(await dialing).toMatchObject({ code: 'ABORTED' })
    await expect(far?.read()).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
  })

  it('aborts between two groups', async () => {
    const net = stagedTransport('net')
    const server = MultiServer([
      [net, stagedTransform('shs2', 2)],
      [net, stagedTransform('shs', 1)],
    ])
    const controller = new AbortController()
    const weaker = `net:a:1~shs2:${key};net:b:1~shs:${key}`
    const dialing = failure(server.client(weaker, { allowDowngrade: true, signal: controller.signal }))
    net.dials[0]?.fail(new Error('refused'))
    controller.abort(why)
    expect(await dialing).toMatchObject({ code: 'ABORTED' })
    expect(net.dials).toHaveLength(1)
  })

  it('does nothing once there is a connection', async () => {
    const { server, dials } = createServer()
    const controller = new AbortController()
    const dialing = server.client(address, { signal: controller.signal })
    const far = dials[0]?.connect()
    const connection = await dialing
    controller.abort(why)
    await connection.write(Uint8Array.of(1))
    expect(await far?.read()).toEqual(Uint8Array.of(1))
  })
})

function createServer(proofOf?: () => Proof) {
  const net = stagedTransport('net')
  return {
    server: MultiServer([[net, stagedTransform('shs', 1, proofOf)]]),
    dials: net.dials,
    sections: () => net.dials.map((dial) => dial.section),
  }
}
