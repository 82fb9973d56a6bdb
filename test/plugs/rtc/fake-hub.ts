import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { WebSocketServer, type WebSocket } from 'ws'
import { toBase64 } from '../../../core/bytes.ts'
import {
  decodePeerMessage,
  encodeHubMessage,
  hubSubprotocol,
  type HubMessage,
  type PeerMessage,
} from '../../../core/hub-protocol.ts'

/** A signal on its way through the hub. */
export interface PassingSignal {
  readonly id: string
  readonly from: 'client' | 'server'
  /** 0 for the offer or the answer. */
  readonly index: number
  readonly data: string
}

/** Where this hub is not honest. */
export interface FakeHubRules {
  /** Instead of `welcome`; null: nothing. */
  readonly greet?: ((peer: FakeHubPeer) => void) | null
  /** The key that a client is introduced to. @default the one it asked for */
  readonly choose?: (to: string) => string
  /** Answers `introduce` by itself. */
  readonly onIntroduce?: (peer: FakeHubPeer, id: string) => void
  /** What is passed on instead of a signal. */
  readonly onSignal?: (signal: PassingSignal) => readonly { id: string; data: string }[]
  readonly onRegister?: (peer: FakeHubPeer) => void
  /** Where circuits are, how many there were before; undefined: there is none to be had. */
  readonly relayUrl?: (before: number) => string | undefined
}

/** One socket at the hub. */
export class FakeHubPeer {
  readonly socket: WebSocket
  /** What it goes over. */
  readonly tcp: Socket
  readonly heard: PeerMessage[] = []
  #waiting: { isIt: (message: PeerMessage) => boolean; resolve: () => void }[] = []

  constructor(socket: WebSocket, tcp: Socket) {
    this.socket = socket
    this.tcp = tcp
  }

  say(message: HubMessage): void {
    this.socket.send(encodeHubMessage(message))
  }

  /** Resolves once `count` messages came that are it. */
  async heardThat(isIt: (message: PeerMessage) => boolean, count: number): Promise<void> {
    while (this.heard.filter(isIt).length < count) {
      await new Promise<void>((resolve) => this.#waiting.push({ isIt, resolve }))
    }
  }

  hear(message: PeerMessage): void {
    this.heard.push(message)
    const due = this.#waiting.filter(({ isIt }) => isIt(message))
    this.#waiting = this.#waiting.filter((waiting) => !due.includes(waiting))
    for (const { resolve } of due) resolve()
  }
}

/** A hub in a few lines, which believes every registration and is as dishonest as its rules say. */
export class FakeHub {
  readonly peers: FakeHubPeer[] = []
  readonly #server: WebSocketServer
  readonly #rules: FakeHubRules
  readonly #registered = new Map<string, FakeHubPeer>()
  readonly #introductions = new Map<string, { client: FakeHubPeer; server: FakeHubPeer }>()
  readonly #signals = new Map<string, number>()
  #relayed = 0
  #onPeer: (() => void)[] = []

  private constructor(server: WebSocketServer, rules: FakeHubRules) {
    this.#server = server
    this.#rules = rules
    server.on('connection', (socket, request) => this.#welcome(socket, request.socket))
  }

  static async start(rules: FakeHubRules = {}, port = 0): Promise<FakeHub> {
    const server = new WebSocketServer({
      host: '127.0.0.1',
      port,
      handleProtocols: () => hubSubprotocol,
      perMessageDeflate: false,
    })
    await once(server, 'listening')
    return new FakeHub(server, rules)
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}`
  }

  /** The socket that came as number `index`. */
  async peer(index: number): Promise<FakeHubPeer> {
    for (;;) {
      const peer = this.peers[index]
      if (peer !== undefined) return peer
      await new Promise<void>((resolve) => this.#onPeer.push(resolve))
    }
  }

  async close(): Promise<void> {
    for (const { socket } of this.peers) socket.terminate()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #welcome(socket: WebSocket, tcp: Socket): void {
    const peer = new FakeHubPeer(socket, tcp)
    this.peers.push(peer)
    for (const resolve of this.#onPeer.splice(0)) resolve()
    socket.on('error', () => undefined)
    socket.on('message', (data: Buffer) => {
      const decoded = decodePeerMessage(data.toString())
      if (decoded.kind !== 'message') throw new Error(`a peer sent ${data.toString()}`)
      this.#receive(peer, decoded.message)
      peer.hear(decoded.message)
    })
    if (this.#rules.greet !== undefined) this.#rules.greet?.(peer)
    else peer.say({ ...welcome(), relay: this.#rules.relayUrl !== undefined })
  }

  #receive(peer: FakeHubPeer, message: PeerMessage): void {
    switch (message.type) {
      case 'register':
        this.#registered.set(toBase64(message.key), peer)
        if (this.#rules.onRegister === undefined) peer.say({ type: 'registered', iceServers: [] })
        else this.#rules.onRegister(peer)
        return
      case 'introduce':
        return this.#introduce(peer, message.id, toBase64(message.to))
      case 'signal':
        return this.#pass(peer, message.id, message.data)
      case 'close': {
        const introduction = this.#introductions.get(message.id)
        const other = introduction?.client === peer ? introduction.server : introduction?.client
        this.#introductions.delete(message.id)
        other?.say({ type: 'closed', id: message.id, reason: message.reason })
        return
      }
      case 'record':
        return
      case 'relay':
        return this.#relay(peer, message.id)
    }
  }

  #relay(peer: FakeHubPeer, id: string): void {
    const url = this.#rules.relayUrl?.(this.#relayed)
    this.#relayed += 1
    if (url === undefined) return peer.say({ type: 'error', code: 'RELAY_OFF', message: '', id })
    const introduction = this.#introductions.get(id)
    for (const end of [introduction?.client, introduction?.server]) {
      const token = crypto.getRandomValues(new Uint8Array(32))
      end?.say({ type: 'relay', id, url, token, limits: {} })
    }
  }

  #introduce(client: FakeHubPeer, id: string, to: string): void {
    if (this.#rules.onIntroduce !== undefined) return this.#rules.onIntroduce(client, id)
    const server = this.#registered.get(this.#rules.choose?.(to) ?? to)
    if (server === undefined) return client.say({ type: 'error', code: 'PEER_NOT_FOUND', message: '', id })
    this.#introductions.set(id, { client, server })
    server.say({ type: 'incoming', id })
    client.say({ type: 'introduced', id, iceServers: [] })
  }

  #pass(peer: FakeHubPeer, id: string, data: string): void {
    const from = this.#introductions.get(id)?.client === peer ? 'client' : 'server'
    const index = this.#signals.get(`${id} ${from}`) ?? 0
    this.#signals.set(`${id} ${from}`, index + 1)
    const passed = this.#rules.onSignal?.({ id, from, index, data }) ?? [{ id, data }]
    for (const signal of passed) {
      const introduction = this.#introductions.get(signal.id)
      const other = from === 'client' ? introduction?.server : introduction?.client
      other?.say({ type: 'signal', ...signal })
    }
  }
}

export function welcome(): Extract<HubMessage, { type: 'welcome' }> {
  const challenge = new Uint8Array(32).fill(2)
  return { type: 'welcome', hub: 'ws://test', challenge, limits: {}, iceServers: [], relay: false }
}
