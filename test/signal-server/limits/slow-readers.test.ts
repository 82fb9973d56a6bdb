import { expect, it } from 'vitest'
import { hubCloseCodes, type HubMessage } from '../../../core/hub-protocol.ts'
import type { Bytes } from '../../../core/types.ts'
import type { RunningHub } from '../../../signal-server/index.ts'
import { type HubClient, newId } from '../hub-client.ts'
import { connectTo, join, start } from './started.ts'

const from = (address: string) => ({ headers: { 'x-forwarded-for': address } })

/** Who is not read has no pong for the hub, and a busy machine takes its time. */
const patience = { pingMs: 600_000, registerMs: 60_000 }

/** Nothing else may stop those who feed the slow. */
const rates = {
  ...patience,
  messagesPerSecond: 1e6,
  messagesBurst: 1e6,
  bytesPerSecond: 1e9,
  bytesBurst: 1e9,
  signalsPerSide: 1e6,
}

it('strangers who send a peer more than it reads lose their introductions, and the peer nothing', async () => {
  const started = await start({ trustProxy: ['127.0.0.1'], limits: patience })
  const { client: victim, keys } = await join(started, from('203.0.113.1'))
  victim.socket.pause()
  const lost: string[] = []
  // As much as an address may at once. What the system takes of it is a part of what sixteen addresses send.
  for (let stranger = 0; stranger < 64; stranger += 1) {
    const address = `192.0.2.${Math.floor(stranger / 4)}`
    const { id, end } = await flood(started, { address, to: keys.key })
    if (end !== undefined) {
      expect(end).toBe('lost')
      lost.push(id)
    }
  }
  expect(lost.length).toBeGreaterThan(0)
  // What is small becomes much as well, if it never ends. The peer is not told of these.
  for (let stranger = 0; stranger < 20; stranger += 1) {
    await nag(started, { address: `198.51.100.${stranger}`, to: keys.key })
  }
  victim.socket.resume()
  const heard = await heardSoFar(victim)
  const incoming = heard.flatMap((message) => (message.type === 'incoming' ? [message.id] : []))
  const ended = heard.filter((message) => message.type === 'closed' && message.reason === 'lost')
  // It is told the end of what it has heard of, behind what was sent before.
  expect(ended).toEqual(
    lost.filter((id) => incoming.includes(id)).map((id) => ({ type: 'closed', id, reason: 'lost' })),
  )
  const friend = connectTo(started, from('203.0.113.2'))
  await friend.next('welcome')
  const id = newId()
  friend.send({ type: 'introduce', id, to: keys.key })
  await friend.next('introduced')
  expect((await victim.next('incoming')).id).toBe(id)
  friend.send({ type: 'signal', id, data: 'x'.repeat(16_384) })
  expect((await victim.next('signal')).id).toBe(id)
  victim.send({ type: 'signal', id, data: 'y' })
  expect((await friend.next('signal')).data).toBe('y')
})

it('a peer that does not read what it asked for is dropped, and who spoke with it is told', async () => {
  const started = await start({ limits: rates })
  const { slow, isDropped } = await slowReader(started)
  while (!isDropped()) await ask(slow, 1_000)
  slow.socket.resume()
  // The closing frame stands behind what the socket did not read, and may be lost with it.
  expect([hubCloseCodes.slow, 1006]).toContain((await slow.closed).code)
  expect((await join(started)).answer).toBe('registered')
})

it('of all that do not read, the one with the longest queue goes first', async () => {
  const started = await start({ limits: { ...rates, queueBytes: 1e9, queueBytesInAll: 8 * 2 ** 20 } })
  const short = await slowReader(started)
  const long = await slowReader(started)
  // What the system does not take of it is well below half of that.
  await short.feed(160)
  while (!long.isDropped()) await long.feed(16)
  expect(short.isDropped()).toBe(false)
})

it('what waits is counted with what it costs beside its bytes, and is nothing once it was read', async () => {
  const started = await start({ limits: { ...rates, queueBytes: 1e9, queueBytesInAll: 1e9 }, metrics: true })
  const { client: slow } = await join(started)
  slow.ignoreMessages()
  slow.socket.pause()
  while ((await queueOf(started)).queuedBytes < 2 ** 20) await ask(slow, 1_000)
  // The systems take no more: all that is sent now waits in the hub, errors of a hundred bytes.
  const before = await queueOf(started)
  await ask(slow, 10_000)
  let [queuedBytes, sentBytes] = [0, 0]
  while (sentBytes < 5e5) {
    const now = await queueOf(started)
    queuedBytes = now.queuedBytes - before.queuedBytes
    sentBytes = now.sentBytes - before.sentBytes
  }
  expect(queuedBytes).toBeGreaterThan(3 * sentBytes)
  slow.socket.resume()
  while ((await queueOf(started)).queuedBytes > 0) await ask(slow, 1)
})

it('a peer that does not read the answers to its pings is dropped before they fill much', async () => {
  const started = await start({ limits: { ...rates, queueBytes: 1e9 } })
  const { slow, feed, isDropped } = await slowReader(started)
  // More than the system takes.
  await feed(1_024)
  // ws answers them by itself, and keeps at most 60 answers.
  for (let pings = 0; pings < 100; pings += 1) slow.socket.ping()
  await expect.poll(isDropped, { timeout: 20_000 }).toBe(true)
})

/** A client that sends all it may in one breath; `end` is why its introduction was over then. */
async function flood(started: RunningHub, { address, to }: { address: string; to: Bytes }) {
  const client = connectTo(started, from(address))
  await client.next('welcome')
  const id = newId()
  client.send({ type: 'introduce', id, to })
  await client.next('introduced')
  for (let sent = 0; sent < 15; sent += 1) client.send({ type: 'signal', id, data: 'x'.repeat(16_384) })
  const heard = await heardSoFar(client)
  const end = heard.find((message) => message.type === 'closed')
  return { id, end: end?.reason }
}

/** A client that dials as often as it may in one breath, and never stays. */
async function nag(started: RunningHub, { address, to }: { address: string; to: Bytes }): Promise<void> {
  const client = connectTo(started, from(address))
  await client.next('welcome')
  for (let dialed = 0; dialed < 20; dialed += 1) {
    const id = newId()
    client.send({ type: 'introduce', id, to })
    client.send({ type: 'close', id, reason: 'never mind' })
  }
  const introduced = (await heardSoFar(client)).filter(({ type }) => type === 'introduced')
  expect(introduced.length).toBe(20)
}

/** What came until all that was sent had been obeyed. */
async function heardSoFar(client: HubClient): Promise<HubMessage[]> {
  client.socket.send('{"type":"x"}')
  const heard: HubMessage[] = []
  for (;;) {
    const message = await client.nextOfAny()
    if (message.type === 'error' && message.code === 'UNKNOWN_MESSAGE') return heard
    heard.push(message)
  }
}

/** So many messages that are answered, as soon as the socket has taken them. */
async function ask({ socket }: HubClient, messages: number): Promise<void> {
  for (let sent = 0; sent < messages; sent += 1) socket.send('{"type":"x"}')
  await new Promise<void>((resolve) => socket.ping(undefined, undefined, () => resolve()))
}

async function slowReader(started: RunningHub) {
  const { client: slow, keys } = await join(started)
  slow.socket.pause()
  const client = connectTo(started)
  await client.next('welcome')
  const id = newId()
  client.send({ type: 'introduce', id, to: keys.key })
  await client.next('introduced')
  const dropped = new AbortController()
  const closed = client.next('closed').then((message) => {
    expect(message).toEqual({ type: 'closed', id, reason: 'gone' })
    dropped.abort()
  })
  closed.catch(() => undefined)
  const data = 'x'.repeat(16_384)
  return {
    slow,
    isDropped: () => dropped.signal.aborted,
    /** So many of the longest signals, as soon as the client's own socket has taken them. */
    feed: async (signals: number) => {
      for (let sent = 0; sent < signals && !dropped.signal.aborted; sent += 1) {
        client.send({ type: 'signal', id, data })
      }
      await new Promise<void>((resolve) => client.socket.ping(undefined, undefined, () => resolve()))
    },
  }
}

async function queueOf({ url }: RunningHub): Promise<{ queuedBytes: number; sentBytes: number }> {
  const text = await (await fetch(`${url.replace('ws', 'http')}/metrics`)).text()
  const valueOf = (name: string) => Number(new RegExp(`^multiserver_hub_${name} (.*)$`, 'm').exec(text)?.[1])
  return { queuedBytes: valueOf('queued_bytes'), sentBytes: valueOf('sent_bytes_total') }
}
