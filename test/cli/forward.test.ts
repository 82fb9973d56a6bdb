import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { limits } from '../../cli/services/limits.ts'
import { startHub, type RunningHub } from '../../signal-server/index.ts'
import { deferred } from '../support/deferred.ts'
import { canRun, titleOf } from '../support/can-run.ts'
import { freePort } from '../support/fixed-port.ts'
import { run, start } from './command.ts'
import {
  connectTcp,
  curl,
  fateOf,
  forwardService,
  portOf,
  randomStream,
  serveHttp,
  serveTcp,
} from './services.ts'

/** 1024 for a gibibyte, which takes too long for every run. */
const mebibytes = Number(process.env['MULTISERVER_TRANSFER_MIB'] ?? 64)

let hub: RunningHub
beforeAll(async () => {
  hub = await startHub({ exemptLoopback: true })
})
afterAll(() => hub.close())

describe.skipIf(!canRun('curl')).each(['net', 'rtc'])(`${titleOf('curl')}, over %s`, (transport) => {
  const forward = (port: number) => forwardService(port, transport === 'rtc' ? hub.url : undefined)

  test('gets a hundred answers at once, and many bytes both ways', { timeout: 600_000 }, async () => {
    const service = await serveHttp()
    const { port } = await forward(service.port)
    const atOnce = ['--parallel', '--parallel-immediate', '--parallel-max', '100']
    const { text } = await curl([...atOnce, `http://127.0.0.1:${port}/[1-100]`])
    const expected = Array.from({ length: 100 }, (_, index) => `you asked for /${index + 1}`)
    expect(text.trim().split('\n').toSorted()).toEqual(expected.toSorted())

    const bytes = mebibytes * 1024 * 1024
    const got = await curl([`http://127.0.0.1:${port}/random/${bytes}`])
    expect(got.checksum).toBe(service.checksum())
    const hash = createHash('sha256')
    const source = randomStream(bytes).on('data', (chunk: Buffer) => hash.update(chunk))
    await curl(['--upload-file', '-', `http://127.0.0.1:${port}/`], source)
    expect(service.checksum()).toBe(hash.digest('hex'))
  })

  test('is answered when the exposing side was killed and started again', { timeout: 120_000 }, async () => {
    const service = await serveHttp()
    const forwarded = await forward(service.port)
    const { port, exposing, forwarding } = forwarded
    await curl([`http://127.0.0.1:${port}/before`])
    exposing.child.kill('SIGKILL')
    await exposing.ended
    // Asked before anybody can know that it is gone, and while it is.
    const asked = curl([`http://127.0.0.1:${port}/after`])
    await forwarded.expose()
    expect((await asked).text).toBe('you asked for /after\n')
    expect(forwarding.child.exitCode).toBe(null)
  })
})

describe('of two processes one is killed and started again', () => {
  test('the forwarding one: what went through it is reset at the service, and what comes next is carried', async () => {
    const { accepted, port: servicePort } = await serveHello()
    const { port, exposing, forwarding, forward } = await forwardService(servicePort)
    const { here, there } = await connectThrough(port, accepted)
    const fates = [fateOf(here), fateOf(there)]
    forwarding.child.kill('SIGKILL')
    await forwarding.ended
    // The system ends the sockets of a process that was killed; a reset it makes only of what had bytes unread.
    expect(await Promise.all(fates)).toEqual([expect.stringMatching(/^(?:ended|reset)$/), 'reset'])
    await exposing.said(/Gone: /)
    await forward()
    await connectThrough(port, accepted)
    expect(exposing.child.exitCode).toBe(null)
  })

  test('the exposing one: what went through it is reset at the port, and what comes next is carried', async () => {
    const { accepted, port: servicePort } = await serveHello()
    const { port, exposing, forwarding, expose } = await forwardService(servicePort)
    const { here, there } = await connectThrough(port, accepted)
    const fates = [fateOf(here), fateOf(there)]
    exposing.child.kill('SIGKILL')
    await exposing.ended
    expect(await Promise.all(fates)).toEqual(['reset', expect.stringMatching(/^(?:ended|reset)$/)])
    await expose()
    await connectThrough(port, accepted)
    expect(forwarding.child.exitCode).toBe(null)
  })

  test('the forwarding one, over WebRTC: what comes next does not wait for what is lost', async () => {
    const { accepted, port: servicePort } = await serveHello()
    const { port, exposing, forwarding, forward } = await forwardService(servicePort, hub.url)
    const { here } = await connectThrough(port, accepted)
    const fate = fateOf(here)
    forwarding.child.kill('SIGKILL')
    await forwarding.ended
    await fate
    await forward()
    await connectThrough(port, accepted)
    expect(exposing.child.exitCode).toBe(null)
  })
})

test('ends and resets are passed on as they are', async () => {
  const { accepted, port: servicePort } = await serveHello()
  const { port } = await forwardService(servicePort)
  const connectBoth = () => connectThrough(port, accepted)
  // One direction ends, and the other goes on.
  const talk = await connectBoth()
  talk.here.end('6 times 7?')
  expect(await readAll(talk.there)).toBe('6 times 7?')
  talk.there.end('42')
  expect(await readAll(talk.here)).toBe('42')

  const fromHere = await connectBoth()
  fromHere.here.resetAndDestroy()
  expect(await fateOf(fromHere.there)).toBe('reset')

  const fromThere = await connectBoth()
  fromThere.there.resetAndDestroy()
  expect(await fateOf(fromThere.here)).toBe('reset')

  // Not taken for an end by who has ended already.
  const afterEnd = await connectBoth()
  afterEnd.here.end('question')
  expect(await readAll(afterEnd.there)).toBe('question')
  afterEnd.there.resetAndDestroy()
  expect(await fateOf(afterEnd.here)).toBe('reset')
})

test.each(['net', 'rtc'])(
  'over %s stdin reaches a slow service whole that has ended first',
  async (transport) => {
    const bytes = 8 * 1024 * 1024
    let received = 0
    const isDone = deferred<void>()
    const service = await serveTcp((socket) => {
      socket.end('hello')
      readSlowly(socket, (part) => (received += part.length)).then(isDone.resolve, isDone.reject)
    })
    const { address, key } = await forwardService(service, transport === 'rtc' ? hub.url : undefined)
    const proxy = start(['forward', '-', address, '--key', key])
    await proxy.printed(/hello/)
    proxy.child.stdin?.end(Buffer.alloc(bytes))
    expect((await proxy.ended).code).toBe(0)
    await isDone.promise
    expect(received).toBe(bytes)
  },
)

test('one that reads nothing holds back its own service, and nobody else', async () => {
  const chunk = Buffer.alloc(1024 * 1024)
  const accepted: Socket[] = []
  const port = await serveTcp((socket) => {
    accepted.push(socket)
    // More than all windows and buffers between hold.
    for (let count = 0; count < 64; count += 1) socket.write(chunk)
    socket.end()
  })
  const forwarded = await forwardService(port)
  const lazy = await connectTcp(forwarded.port)
  lazy.pause()
  await vi.waitUntil(() => accepted.length === 1)
  const eager = await connectTcp(forwarded.port)
  let received = 0
  eager.on('data', (part: Buffer) => (received += part.length))
  await once(eager, 'end')
  eager.end()
  expect(received).toBe(64 * chunk.length)
  expect(accepted[0]?.writableLength).toBeGreaterThan(32 * chunk.length)
})

test('where the service is down a connection is reset, and both sides go on', async () => {
  const { port, exposing, forwarding } = await forwardService(await freePort())
  expect(await fateOf(await connectTcp(port))).toBe('reset')
  expect([exposing.child.exitCode, forwarding.child.exitCode]).toEqual([null, null])
})

test('no more connections at once than are allowed', async () => {
  const { port } = await forwardService(await serveTcp((socket) => socket.write('hello')))
  const sockets = await Promise.all(Array.from({ length: limits.streamsPerPeer }, () => connectTcp(port)))
  await Promise.all(sockets.map((socket) => once(socket, 'data')))
  const surplus = await connectTcp(port)
  await fateOf(surplus)
  expect(surplus.bytesRead).toBe(0)
})

test('who is not allowed is refused, and told so', async () => {
  const { address, exposing } = await forwardService(await serveTcp(() => undefined))
  const { code, stderr } = await run(['forward', '0', address])
  expect([code, stderr]).toEqual([4, expect.stringContaining('--allow KEY')])
  await exposing.said(/Refused: .{44}, which no --allow names/)
})

test('nothing is exposed to nobody in particular', async () => {
  const { code, stderr } = await run(['expose', '22', '--net', '0'])
  expect([code, stderr]).toEqual([2, expect.stringContaining('--allow KEY')])
})

test('both end in peace when they are told to', async () => {
  const { exposing, forwarding } = await forwardService(await serveTcp(() => undefined))
  expect((await forwarding.stop()).code).toBe(0)
  await exposing.said(/Gone: .*, after/)
  expect((await exposing.stop()).code).toBe(0)
})

test('who waits for a peer that is away is refused in time', async () => {
  const { address, exposing, key } = await forwardService(await serveTcp(() => undefined))
  await exposing.stop()
  const forwarding = start(['forward', '0', address, '--key', key, '--wait', '1'])
  await forwarding.said(/Not connected: CONNECT_FAILED: .*trying again/)
  expect(await fateOf(await connectTcp(await portOf(forwarding)))).toBe('reset')
  expect(forwarding.child.exitCode).toBe(null)
})

/** A service that greets, and whom it has accepted. */
async function serveHello(): Promise<{ accepted: Socket[]; port: number }> {
  const accepted: Socket[] = []
  const port = await serveTcp((socket) => {
    accepted.push(socket)
    socket.write('hello')
  })
  return { accepted, port }
}

/** Both ends of a connection to the service through `port`, once it has greeted. */
async function connectThrough(port: number, accepted: readonly Socket[]) {
  const here = await connectTcp(port)
  await once(here, 'data')
  here.pause()
  const there = accepted.at(-1)
  if (there === undefined) throw new Error('the service has said hello')
  return { here, there }
}

/** As what has more to do than to read. */
async function readSlowly(socket: Socket, onPart: (part: Buffer) => void): Promise<void> {
  for await (const part of socket as AsyncIterable<Buffer>) {
    onPart(part)
    await sleep(1)
  }
}

/** To the end, after which the socket can still be written to. */
function readAll(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    socket.on('data', (part: Buffer) => (text += part.toString()))
    socket.once('end', () => resolve(text))
    socket.resume()
  })
}
