import { createHash, randomBytes } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { hubSubprotocol } from '../../core/hub-protocol.ts'
import { relayCloseCodes, relayFrameBytes, relaySubprotocol } from '../../core/relay-protocol.ts'
import { type RunningHub, startHub, type StartHubOptions } from '../../signal-server/index.ts'
import { HubClient, refusedStatus } from './hub-client.ts'
import {
  askForRelay,
  introduce,
  type Introduced,
  joinRelay,
  openCircuit,
  RelayClient,
} from './relay-client.ts'

const running: RunningHub[] = []
const sockets: { terminate(): void }[] = []
const MiB = 1024 * 1024

async function start(options: StartHubOptions = {}): Promise<RunningHub> {
  const started = await startHub(options)
  running.push(started)
  return started
}

async function introducedAt(started: RunningHub): Promise<Introduced> {
  const introduced = await introduce(started)
  sockets.push(introduced.client.socket, introduced.server.socket)
  return introduced
}

async function circuitAt(started: RunningHub): Promise<[RelayClient, RelayClient]> {
  const ends = await openCircuit(await askForRelay(await introducedAt(started)))
  sockets.push(...ends.map(({ socket }) => socket))
  return ends
}

/** A socket to the relay that says nothing. */
async function silentAt({ url }: RunningHub): Promise<RelayClient> {
  const end = await new RelayClient(`${url}/relay`).opened()
  sockets.push(end.socket)
  return end
}

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate()
  await Promise.all(running.splice(0).map((started) => started.close()))
})

describe('asking for a relay', () => {
  it('gives both where it is, under the name that each dialed, and a token of its own', async () => {
    const started = await start()
    const { port } = new URL(started.url)
    const introduced = await introducedAt(started)
    const [ofClient, ofServer] = await askForRelay(introduced)
    expect(ofClient.url).toBe(`${started.url}/relay`)
    expect(ofClient.token).not.toEqual(ofServer.token)
    expect(ofClient.limits).toMatchObject({
      bytes: 1024 ** 3,
      bytesPerSecond: 256 * 1024,
      frameBytes: 65_552,
    })
    const elsewhere = await introduce({ ...started, url: `ws://localhost:${port}` })
    sockets.push(elsewhere.client.socket, elsewhere.server.socket)
    expect((await askForRelay(elsewhere))[0].url).toBe(`ws://localhost:${port}/relay`)
  })

  it('is for the dialed peer alone, and once an introduction', async () => {
    const introduced = await introducedAt(await start())
    const { id, client, server } = introduced
    client.send({ type: 'relay', id })
    expect((await client.next('error')).code).toBe('INVALID')
    await askForRelay(introduced)
    server.send({ type: 'relay', id })
    expect((await server.next('error')).code).toBe('INVALID')
  })

  it('is refused, and welcome says so, where the hub does not relay', async () => {
    const started = await start({ relay: false })
    const { id, server } = await introducedAt(started)
    server.send({ type: 'relay', id })
    expect((await server.next('error')).code).toBe('RELAY_OFF')
    const other = new HubClient(started.url)
    sockets.push(other.socket)
    expect((await other.next('welcome')).relay).toBe(false)
    expect(await refusedStatus(`${started.url}/relay`, relaySubprotocol, {})).toBe(404)
  })

  it('is refused with QUOTA when a peer has as many circuits as it may', async () => {
    const started = await start({ limits: { relayCircuitsPerPeer: 1 } })
    await askForRelay(await introducedAt(started))
    const { id, server } = await introducedAt(started)
    server.send({ type: 'relay', id })
    expect((await server.next('error')).code).toBe('QUOTA')
  })
})

describe('a circuit', () => {
  it('passes bytes of any size on as they are, in order, both ways', async () => {
    const [one, other] = await circuitAt(await start({ limits: { relayBytesPerSecond: 64 * MiB } }))
    const sizes = [1, 65_536, 17, relayFrameBytes, 0, 5_000, 65_535]
    const frames = sizes.map((size) => randomBytes(size))
    for (const frame of frames) {
      one.socket.send(frame)
      other.socket.send(frame)
    }
    await Promise.all([one, other].map((end) => end.until(() => end.frames.length === frames.length)))
    expect(one.frames.map(digest)).toEqual(frames.map(digest))
    expect(other.frames.map(digest)).toEqual(frames.map(digest))
  })

  it('outlives the introduction that it came from', async () => {
    const introduced = await introducedAt(await start())
    const [one, other] = await openCircuit(await askForRelay(introduced))
    sockets.push(one.socket, other.socket)
    introduced.server.socket.terminate()
    await introduced.client.next('closed')
    one.socket.send(Buffer.from([1]))
    await other.until(() => other.frames.length === 1)
  })

  it('ends with a frame that is too long', async () => {
    const [one, other] = await circuitAt(await start())
    one.socket.send(Buffer.alloc(relayFrameBytes + 1))
    expect(await one.closed).toBe(1009)
    expect(await other.closed).toBe(relayCloseCodes.gone)
  })

  it.each([
    ['too many bytes', { relayBytes: 1_000 }, relayCloseCodes.quota],
    ['a life that is over', { relayMs: 100 }, relayCloseCodes.quota],
    ['silence', { relayIdleMs: 100 }, relayCloseCodes.idle],
  ])('ends after %s', async (_what, limits, code) => {
    const [one, other] = await circuitAt(await start({ limits }))
    one.socket.send(Buffer.alloc(1_001))
    expect([await one.closed, await other.closed]).toEqual([code, code])
  })

  it('ends with the hub, with a code of its own', async () => {
    const started = await start()
    const [one, other] = await circuitAt(started)
    const silent = await silentAt(started)
    await started.close()
    const codes = await Promise.all([one, other, silent].map(({ closed }) => closed))
    expect(codes).toEqual(Array(3).fill(relayCloseCodes.draining))
  })

  it('goes on at its rate after a burst', async () => {
    const [one, other] = await circuitAt(await start({ limits: { relayBytesPerSecond: 100_000 } }))
    const begunAt = performance.now()
    for (let index = 0; index < 30; index += 1) one.socket.send(Buffer.alloc(10_000))
    await other.until(() => other.frames.length === 30)
    // 300,000 bytes, of which 100,000 come at once and a read of the socket goes over.
    expect(performance.now() - begunAt).toBeGreaterThan(1_000)
  })

  it('holds who floods it with pings', async () => {
    const [one, other] = await circuitAt(await start())
    let pongs = 0
    one.socket.on('pong', () => (pongs += 1))
    for (let index = 0; index < 20_000; index += 1) one.socket.ping()
    one.socket.send(Buffer.from([1]))
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    // A second's worth, and what a read of the socket was ahead: the rest is not even read.
    expect(pongs).toBeLessThan(15_000)
    expect(other.frames).toEqual([])
  })

  it('does not read a sender while the other end does not read, and loses nothing', async () => {
    const metrics = true
    const started = await start({
      metrics,
      limits: { relayBytesPerSecond: 1024 * MiB, relayBytesPerSecondPerPeer: 1024 * MiB },
    })
    const [one, other] = await circuitAt(started)
    other.socket.pause()
    const frame = randomBytes(64 * 1024)
    const sent = createHash('sha256')
    for (let index = 0; index < 1_024; index += 1) {
      one.socket.send(frame)
      sent.update(frame)
    }
    let before = -1
    while (before !== one.socket.bufferedAmount) {
      before = one.socket.bufferedAmount
      await new Promise((resolve) => setTimeout(resolve, 300))
    }
    // It is the sender that keeps what the hub does not take: what the kernels hold is not in any process.
    expect(before).toBeGreaterThan(16 * MiB)
    expect(await queuedAt(started)).toBeLessThan(256 * 1024 + 2 * relayFrameBytes)
    other.socket.resume()
    await other.until(() => other.frames.length === 1_024)
    const received = createHash('sha256')
    for (const each of other.frames) received.update(each)
    expect(received.digest('hex')).toBe(sent.digest('hex'))
    expect(await queuedAt(started)).toBe(0)
  })
})

describe('an end that takes nothing', () => {
  const anyRate = { relayBytesPerSecond: 1e9, relayBytesPerSecondPerPeer: 1e9 }

  it('is gone after a while, and with it a circuit whose sender had left and could not be heard', async () => {
    const started = await start({ metrics: true, limits: { ...anyRate, relayStuckMs: 500 } })
    const [sender, receiver] = await circuitAt(started)
    receiver.socket.pause()
    // More than the network holds: the sender is not read any more.
    for (let sent = 0; sent < 1_024; sent += 1) sender.socket.send(Buffer.alloc(16_384))
    sender.socket.close()
    await expect
      .poll(() => metricAt(started, 'relay_circuits_ended_total{outcome="closed"}'), { timeout: 20_000 })
      .toBe(1)
  })
})

describe('frames of one byte', () => {
  const limits = { relayBytesPerSecond: 1024 * MiB, relayBytesPerSecondPerPeer: 1024 * MiB }

  it('are not read on when few of them wait, and none is lost', async () => {
    const started = await start({ metrics: true, limits })
    const [one, other] = await circuitAt(started)
    other.socket.pause()
    const filling = await fillNetwork(started, one)
    const count = 100_000
    for (let index = 0; index < count; index += 1) one.socket.send(Buffer.of(index & 0xff))
    const passed = await settled(async () => {
      const bytes = await metricAt(started, 'relay_bytes_total')
      return bytes - filling * fillingBytes
    })
    // Some 500 may wait; two reads of a socket were ahead, each of 64 KiB at most and seven bytes a frame.
    expect(passed).toBeLessThan(20_000)
    // In hardly more memory than they came in.
    expect(await queuedAt(started)).toBeLessThan(256 * 1024 + 2 * 64 * 1024)
    other.socket.resume()
    await other.until(() => other.frames.length === filling + count)
    expect(other.frames.slice(filling).every((frame, index) => frame[0] === (index & 0xff))).toBe(true)
    expect(await queuedAt(started)).toBe(0)
  })

  it('go to the far end before the close, when their sender leaves', async () => {
    const started = await start({ metrics: true, limits })
    const [one, other] = await circuitAt(started)
    other.socket.pause()
    const filling = await fillNetwork(started, one)
    // More than wait at once: some of them are kept.
    const values = Array.from({ length: 500 }, (_, index) => index & 0xff)
    for (const value of values) one.socket.send(Buffer.of(value))
    one.socket.close()
    await one.closed
    other.socket.resume()
    expect(await other.closed).toBe(relayCloseCodes.gone)
    expect(other.frames.slice(filling).map((frame) => frame[0])).toEqual(values)
  })
})

describe('sockets without a circuit', () => {
  it('are gone in time when they say nothing', async () => {
    const silent = await silentAt(await start({ limits: { registerMs: 300 } }))
    expect(await silent.closed).toBe(relayCloseCodes.token)
  })

  it('have one try', async () => {
    const started = await start()
    const guessing = await silentAt(started)
    guessing.socket.send('A'.repeat(43))
    expect(await guessing.closed).toBe(relayCloseCodes.token)
    const [told] = await askForRelay(await introducedAt(started))
    const good = await joinRelay(told)
    const again = await joinRelay(told)
    sockets.push(good.socket, again.socket)
    expect(await again.closed).toBe(relayCloseCodes.token)
  })

  it('count like those of the hub until they have shown a token', async () => {
    const started = await start({ limits: { unregisteredSocketsPerAddress: 2 } })
    const told = await askForRelay(await introducedAt(started))
    const silent = [await silentAt(started), await silentAt(started)]
    const full = [
      refusedStatus(started.url, hubSubprotocol, {}),
      refusedStatus(`${started.url}/relay`, relaySubprotocol, {}),
    ]
    expect(await Promise.all(full)).toEqual([503, 503])
    for (const { socket, closed } of silent) {
      socket.close()
      await closed
    }
    const ends = await openCircuit(told)
    sockets.push(...ends.map(({ socket }) => socket))
    for (const end of [await silentAt(started), await silentAt(started)])
      expect(end.socket.readyState).toBe(1)
  })

  it('count with all sockets of their address', async () => {
    const started = await start({ limits: { socketsPerAddress: 4 } })
    const [one] = await circuitAt(started)
    expect(await refusedStatus(started.url, hubSubprotocol, {})).toBe(503)
    one.socket.close()
    await one.closed
    expect((await silentAt(started)).socket.readyState).toBe(1)
  })

  it('are not taken when they do not speak as a relay does', async () => {
    const { url } = await start()
    for (const protocol of ['', hubSubprotocol, 'other']) {
      expect(await refusedStatus(`${url}/relay`, protocol, {})).toBe(400)
    }
    expect(await refusedStatus(url, relaySubprotocol, {})).toBe(400)
    expect((await fetch(`${url.replace('ws', 'http')}/relay`)).status).toBe(426)
  })

  it('are not taken from pages that may not use the hub', async () => {
    const { url } = await start({ origins: ['https://example.com'] })
    const options = { origin: 'https://evil.example.com' }
    expect(await refusedStatus(`${url}/relay`, relaySubprotocol, options)).toBe(403)
  })
})

it('is counted', async () => {
  const started = await start({ metrics: true })
  const [one, other] = await circuitAt(started)
  one.socket.send(Buffer.alloc(1_000))
  await other.until(() => other.frames.length === 1)
  expect(await metricAt(started, 'relay_circuits{stage="open"}')).toBe(1)
  one.socket.close()
  await other.closed
  expect(await metricAt(started, 'relay_bytes_total')).toBe(1_000)
  expect(await metricAt(started, 'relay_circuits_opened_total')).toBe(1)
  expect(await metricAt(started, 'relay_circuits_ended_total{outcome="closed"}')).toBe(1)
  expect(await metricAt(started, 'relay_circuits{stage="open"}')).toBe(0)
})

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

const fillingBytes = 64 * 1024

/** Sends until two frames wait in the hub, which the network has no room for then; how many that took. */
async function fillNetwork(started: RunningHub, { socket }: RelayClient): Promise<number> {
  for (let frames = 1; ; frames += 1) {
    socket.send(Buffer.alloc(fillingBytes))
    while ((await metricAt(started, 'relay_bytes_total')) < frames * fillingBytes);
    if ((await queuedAt(started)) > 2 * fillingBytes) return frames
  }
}

/** The figure once it stays as it is. */
async function settled(figure: () => Promise<number>): Promise<number> {
  for (let before = await figure(); ;) {
    await new Promise((resolve) => setTimeout(resolve, 300))
    const now = await figure()
    if (now === before) return now
    before = now
  }
}

function queuedAt(started: RunningHub): Promise<number> {
  return metricAt(started, 'relay_queued_bytes')
}

async function metricAt({ url }: RunningHub, name: string): Promise<number> {
  const text = await (await fetch(`${url.replace('ws', 'http')}/metrics`)).text()
  const line = text.split('\n').find((each) => each.startsWith(`multiserver_hub_${name} `))
  return Number(line?.split(' ').at(-1))
}
