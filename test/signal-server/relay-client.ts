import { once } from 'node:events'
import { type ClientOptions, WebSocket } from 'ws'
import { toBase64Url } from '../../core/bytes.ts'
import { relaySubprotocol } from '../../core/relay-protocol.ts'
import type { HubMessage } from '../../core/hub-protocol.ts'
import type { RunningHub } from '../../signal-server/index.ts'
import { HubClient, newId, type TestKeys, testKeys } from './hub-client.ts'

export type RelayTold = Extract<HubMessage, { type: 'relay' }>

/** A client that was introduced to a server peer, both with sockets of their own to the hub. */
export interface Introduced {
  id: string
  client: HubClient
  server: HubClient
}

export async function introduce(
  { url, hubName }: Pick<RunningHub, 'url' | 'hubName'>,
  options: ClientOptions = {},
  keys: TestKeys = testKeys(),
): Promise<Introduced> {
  const server = new HubClient(url, options)
  await server.register(keys, hubName)
  const client = await new HubClient(url, options).opened()
  const id = newId()
  client.send({ type: 'introduce', id, to: keys.key })
  await client.next('welcome')
  await client.next('introduced')
  await server.next('incoming')
  return { id, client, server }
}

/** What both are told once the server peer has asked. */
export async function askForRelay({ id, client, server }: Introduced): Promise<[RelayTold, RelayTold]> {
  server.send({ type: 'relay', id })
  return [await client.next('relay'), await server.next('relay')]
}

/** One end of a circuit: what came is kept, in order. */
export class RelayClient {
  readonly socket: WebSocket
  readonly closed: Promise<number>
  readonly frames: Buffer[] = []
  readonly texts: string[] = []
  #onArrival: () => void = () => undefined

  constructor(url: string, options: ClientOptions = {}) {
    this.socket = new WebSocket(url, relaySubprotocol, { perMessageDeflate: false, ...options })
    this.socket.on('error', () => undefined)
    this.socket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) this.frames.push(data)
      else this.texts.push(data.toString())
      this.#onArrival()
    })
    this.closed = new Promise((resolve) => this.socket.on('close', resolve))
  }

  async opened(): Promise<this> {
    if (this.socket.readyState !== WebSocket.OPEN) await once(this.socket, 'open')
    return this
  }

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise<void>((resolve) => (this.#onArrival = resolve))
  }
}

/** An end that has shown its token. */
export async function joinRelay(
  { url, token }: RelayTold,
  options: ClientOptions = {},
): Promise<RelayClient> {
  const end = await new RelayClient(url, options).opened()
  end.socket.send(toBase64Url(token))
  return end
}

/** Both ends of an open circuit. */
export async function openCircuit(
  told: readonly [RelayTold, RelayTold],
): Promise<[RelayClient, RelayClient]> {
  const ends = await Promise.all([joinRelay(told[0]), joinRelay(told[1])])
  await Promise.all(ends.map((end) => end.until(() => end.texts.includes('open'))))
  return ends
}
