import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { WebSocketServer, type WebSocket } from 'ws'
import { relaySubprotocol } from '../../../core/relay-protocol.ts'

/** A frame on its way through a relay that is not honest: what it passes on instead, and to whom. */
export type Tamper = (frame: Buffer, index: number) => readonly { data: Buffer | string; back?: boolean }[]

/** A relay in a few lines: joins one socket with the next, whatever their tokens are. */
export class FakeRelay {
  /** How many sockets came. */
  sockets = 0
  /** What they began with, and how many have left. */
  readonly tokens: string[] = []
  left = 0
  tamper: Tamper = (data) => [{ data }]
  readonly #server: WebSocketServer
  #waiting: WebSocket | undefined

  private constructor(server: WebSocketServer) {
    this.#server = server
    server.on('connection', (socket) => this.#add(socket))
  }

  static async start(): Promise<FakeRelay> {
    const server = new WebSocketServer({
      host: '127.0.0.1',
      port: 0,
      handleProtocols: () => relaySubprotocol,
      perMessageDeflate: false,
    })
    await once(server, 'listening')
    return new FakeRelay(server)
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}/relay`
  }

  async close(): Promise<void> {
    for (const socket of this.#server.clients) socket.terminate()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #add(socket: WebSocket): void {
    this.sockets += 1
    socket.on('error', () => undefined)
    socket.on('close', () => (this.left += 1))
    socket.once('message', (token: Buffer) => {
      this.tokens.push(token.toString())
      const other = this.#waiting
      this.#waiting = other === undefined ? socket : undefined
      if (other === undefined) return
      this.#join(socket, other)
      this.#join(other, socket)
      socket.send('open')
      other.send('open')
    })
  }

  #join(from: WebSocket, to: WebSocket): void {
    let index = 0
    from.on('message', (frame: Buffer) => {
      for (const { data, back = false } of this.tamper(frame, index)) {
        const target = back ? from : to
        if (target.readyState === target.OPEN) target.send(data)
      }
      index += 1
    })
    from.on('close', () => to.close(4000))
  }
}
