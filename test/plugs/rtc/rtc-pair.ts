import { createHash, randomFillSync } from 'node:crypto'
import { expect } from 'vitest'
import { toBase64 } from '../../../core/bytes.ts'
import { MultiServer } from '../../../core/multiserver.ts'
import { generateKeys } from '../../../plugs/keys.ts'
import rtc, { type RtcOptions } from '../../../plugs/rtc/index.ts'
import shs from '../../../plugs/shs/index.ts'
import { areClosed, countingWebRtc, until } from './leftovers.ts'
import type { Connection } from '../../../core/connection.ts'

/** What is done to every WebRTC connection as it is made. */
export type Prepare = (connection: RTCPeerConnection) => void

/** Where a test says nothing of the relay, what it does to WebRTC is to be all that happens. */
const direct = { relay: 'never' } as const

/** A peer of this process that listens at the hub and can dial. */
export async function listenAt(hubUrl: string, options: RtcOptions = {}, prepare?: Prepare) {
  const { webRtc, connections, channels } = countingWebRtc(prepare)
  const keys = await generateKeys()
  const ms = MultiServer([[rtc({ ...direct, ...options, hub: hubUrl, wrtc: webRtc }), shs({ keys })]])
  const accepted: Connection[] = []
  const close = ms.server(
    (connection) => accepted.push(connection),
    () => undefined,
  )
  await close.listening
  return {
    ms,
    accepted,
    connections,
    isRegistered: () => ms.status().stacks.every(({ state }) => state === 'listening'),
    channels,
    address: `rtc:${new URL(hubUrl).host.replace(':', '!:')}~shs:${toBase64(keys.publicKey)}`,
    async close() {
      for (const connection of accepted) connection.abort()
      await close()
      await until(() => areClosed(connections), 'every WebRTC connection is closed', 20_000)
    },
  }
}

export type Pair = Awaited<ReturnType<typeof connectPair>>

/** Two peers of this process and a connection between them. */
export async function connectPair(
  hubUrl: string,
  options: RtcOptions = {},
  prepare?: Prepare,
  dialing: { options?: RtcOptions; timeoutMs?: number } = {},
) {
  const listening = await listenAt(hubUrl, options, prepare)
  const { webRtc, connections, channels } = countingWebRtc(prepare)
  const stack = [
    rtc({ ...direct, ...options, ...dialing.options, wrtc: webRtc }),
    shs({ keys: await generateKeys() }),
  ] as const
  const ms = MultiServer([stack])
  const dial = () => ms.client(listening.address, { timeoutMs: dialing.timeoutMs })
  const client = await dial().catch(async (thrown: unknown) => {
    await listening.close()
    throw thrown
  })
  await until(() => listening.accepted.length === 1, 'it is accepted')
  const [server] = listening.accepted
  if (server === undefined) throw new Error('nobody was accepted')
  return {
    client,
    server,
    clientLinks: connections,
    serverLinks: listening.connections,
    clientChannels: channels,
    serverChannels: listening.channels,
    dial,
    isRegistered: listening.isRegistered,
    async close() {
      client.abort()
      await client.closed
      await listening.close()
      await until(() => areClosed(connections), 'every WebRTC connection is closed', 20_000)
    },
  }
}

/** What a transfer comes to at one end. */
export interface Transferred {
  readonly receivedBytes: number
  readonly sentSha256: string
  readonly receivedSha256: string
}

/** Sends so many random bytes and reads to the end, both at once. */
export async function transfer(
  connection: Connection,
  bytes: number,
  onRead: (count: number) => void,
): Promise<Transferred> {
  const [sent, received] = [createHash('sha256'), createHash('sha256')]
  let receivedBytes = 0
  const writing = async () => {
    const chunk = new Uint8Array(64 * 1024)
    for (let rest = bytes; rest > 0; rest -= chunk.length) {
      sent.update(randomFillSync(chunk))
      await connection.write(chunk)
    }
    await connection.end()
  }
  const reading = async () => {
    for await (const chunk of connection) {
      received.update(chunk)
      receivedBytes += chunk.length
      onRead(receivedBytes)
    }
  }
  await Promise.all([writing(), reading()])
  return { receivedBytes, sentSha256: sent.digest('hex'), receivedSha256: received.digest('hex') }
}

/** Both send so much at once, while something happens to them; what each has read is what the other wrote. */
export async function exchange(
  { client, server }: Pair,
  bytes: number,
  meanwhile: (read: () => number) => Promise<void> = async () => undefined,
): Promise<void> {
  let read = 0
  const sides = [transfer(client, bytes, (count) => (read = count)), transfer(server, bytes, () => undefined)]
  const [[one, other]] = await Promise.all([Promise.all(sides), meanwhile(() => read)])
  expect([one?.receivedBytes, other?.receivedBytes]).toEqual([bytes, bytes])
  expect([one?.receivedSha256, other?.receivedSha256]).toEqual([other?.sentSha256, one?.sentSha256])
}
