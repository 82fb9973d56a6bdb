import { once } from 'node:events'
import { type AddressInfo, connect, type NetConnectOpts, type Socket } from 'node:net'
import { promisify } from 'node:util'
import fastifyWebsocket from '@fastify/websocket'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import type { ClientOptions } from 'ws'
import { relayCloseCodes, relayFrameBytes } from '../../../core/relay-protocol.ts'
import hub, { type RunningHub } from '../../../signal-server/index.ts'
import { defaultLimits } from '../../../signal-server/limits.ts'
import { metricsPrefix } from '../../../signal-server/process-metrics.ts'
import { HubClient, newId, testKeys } from '../hub-client.ts'
import { askForRelay, introduce, joinRelay } from '../relay-client.ts'
import { start } from './started.ts'

/** Nothing else may stop those who feed the deaf, or close these. */
const limits = {
  messagesPerSecond: 1e6,
  messagesBurst: 1e6,
  bytesPerSecond: 1e9,
  bytesBurst: 1e9,
  signalsPerSide: 1e6,
  queueBytes: 1e9,
  closeMs: 500,
}

/** Long enough that only what does not wait for it ends in a test. */
const never = 600_000

const deaf: Socket[] = []
afterEach(() => {
  for (const raw of deaf.splice(0)) raw.destroy()
})

/** A client on a TCP connection that can be left unread and half-closed. */
function withRawSocket(): { raw: () => Socket; options: ClientOptions } {
  let made: Socket | undefined
  const createConnection: NonNullable<ClientOptions['createConnection']> = (options) => {
    made = connect(options as NetConnectOpts)
    deaf.push(made)
    return made
  }
  return {
    raw() {
      if (made === undefined) throw new Error('nothing has connected yet')
      return made
    },
    options: { createConnection },
  }
}

/** Stops to read, and says that it will send no more once `fill` has sent it more than the system takes. */
async function endUnread(raw: Socket, fill: () => Promise<void>): Promise<void> {
  raw.pause()
  await fill()
  raw.end()
  await once(raw, 'finish')
}

/** A peer for whom much waits at the hub, and which has ended. */
async function deafPeer({ url, hubName }: Pick<RunningHub, 'url' | 'hubName'>): Promise<HubClient> {
  const { raw, options } = withRawSocket()
  const peer = new HubClient(url, options)
  const keys = testKeys()
  await peer.register(keys, hubName)
  const client = new HubClient(url)
  await client.next('welcome')
  const id = newId()
  client.send({ type: 'introduce', id, to: keys.key })
  await client.next('introduced')
  await endUnread(raw(), async () => {
    for (let sent = 0; sent < 1_024; sent += 1) {
      client.send({ type: 'signal', id, data: 'x'.repeat(16_384) })
    }
    await expectAnswer(client)
  })
  return client
}

function connectionsOf(app: FastifyInstance): Promise<number> {
  return promisify(app.server.getConnections.bind(app.server))()
}

describe('a peer that has ended and does not read what waits for it', () => {
  it('is gone when the closing timeout is over', async () => {
    const started = await start({ limits })
    const client = await deafPeer(started)
    expect(await client.next('closed')).toMatchObject({ reason: 'gone' })
    client.socket.terminate()
    await expect.poll(() => connectionsOf(started.app), { timeout: 20_000 }).toBe(0)
  })

  it('does not keep a hub from closing', async () => {
    const started = await start({ limits: { ...limits, closeMs: never } })
    const client = await deafPeer(started)
    // What the hub has heard before this is the end of the other.
    await expectAnswer(client)
    const closing = started.close()
    await client.closed
    await closing
  })

  it('does not keep an app with a longer closing timeout of its own from closing', async () => {
    const app = Fastify()
    const options = { maxPayload: relayFrameBytes, perMessageDeflate: false }
    await app.register(fastifyWebsocket, { options, preClose: (done) => done() })
    await app.register(hub, { prefix: '/hub', relay: true, limits })
    await app.listen({ port: 0, host: '127.0.0.1' })
    const url = `ws://127.0.0.1:${(app.server.address() as AddressInfo).port}/hub`
    const { raw, options: client } = withRawSocket()
    await new HubClient(url, client).register(testKeys(), url)
    raw().pause()
    await app.close()
  })

  it('is gone from the relay as well, and who sent to it is told', async () => {
    const anyRate = { relayBytesPerSecond: 1e9, relayBytesPerSecondPerPeer: 1e9 }
    const started = await start({ metrics: true, limits: { ...limits, ...anyRate } })
    const introduced = await introduce(started)
    const [toldClient, toldServer] = await askForRelay(introduced)
    const { raw, options } = withRawSocket()
    const [sender, receiver] = await Promise.all([joinRelay(toldClient), joinRelay(toldServer, options)])
    await Promise.all([sender, receiver].map((end) => end.until(() => end.texts.includes('open'))))
    await endUnread(raw(), async () => {
      for (let sent = 0; sent < 1_024; sent += 1) sender.socket.send(Buffer.alloc(16_384))
      await expect
        .poll(() => relayQueueOf(started.app), { timeout: 20_000 })
        .toBeGreaterThan(defaultLimits.relayQueueBytes)
    })
    expect(await sender.closed).toBe(relayCloseCodes.gone)
    for (const { socket } of [introduced.client, introduced.server]) socket.terminate()
    await expect.poll(() => connectionsOf(started.app), { timeout: 20_000 }).toBe(0)
  })
})

async function relayQueueOf(app: FastifyInstance): Promise<number> {
  const { body } = await app.inject({ url: '/metrics', headers: { host: 'localhost' } })
  return Number(new RegExp(`^${metricsPrefix}relay_queued_bytes (\\d+)$`, 'm').exec(body)?.[1])
}

/** Resolves when the hub has done all that `client` asked of it before. */
async function expectAnswer(client: HubClient): Promise<void> {
  client.socket.send('{"type":"x"}')
  expect(await client.next('error')).toMatchObject({ code: 'UNKNOWN_MESSAGE' })
}
