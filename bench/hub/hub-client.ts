import { once } from 'node:events'
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { type ClientOptions, WebSocket } from 'ws'
import { toBase64Url } from '../../core/bytes.ts'
import {
  decodeHubMessage,
  encodePeerMessage,
  type HubMessage,
  hubSubprotocol,
  type PeerMessage,
  registerBytes,
} from '../../core/hub-protocol.ts'

/** A peer for tests and loads, with no more sense than it needs: what came and was not asked for yet is kept, in order. */
export class HubClient {
  readonly socket: WebSocket
  /** `status` is that of the answer when the hub did not upgrade. */
  readonly closed: Promise<Closed>
  #arrived: HubMessage[] = []
  #waiting: { resolve: (message: HubMessage) => void; reject: (error: Error) => void }[] = []
  #closed: Closed | undefined
  #ignores = false

  constructor(url: string, options: ClientOptions = {}) {
    this.socket = new WebSocket(url, hubSubprotocol, { perMessageDeflate: false, ...options })
    this.socket.on('error', () => {})
    let status: number | undefined
    this.socket.on('unexpected-response', (request, response) => {
      status = response.statusCode
      request.destroy()
      this.socket.terminate()
    })
    this.socket.on('message', (data: Buffer) => {
      const decoded = decodeHubMessage(data.toString())
      if (decoded.kind !== 'message') throw new Error(`the hub sent ${data.toString()}`)
      const reader = this.#waiting.shift()
      if (this.#ignores) return
      if (reader === undefined) this.#arrived.push(decoded.message)
      else reader.resolve(decoded.message)
    })
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => {
        const closed = { code, reason: reason.toString(), ...(status === undefined ? {} : { status }) }
        this.#closed = closed
        for (const { reject } of this.#waiting.splice(0)) reject(new HubClosedError(closed))
        resolve(closed)
      })
    })
  }

  send(message: PeerMessage): void {
    this.socket.send(encodePeerMessage(message))
  }

  /** The next message of any type; rejects with {@link HubClosedError} when none can come any more. */
  async nextOfAny(): Promise<HubMessage> {
    const arrived = this.#arrived.shift()
    if (arrived !== undefined) return arrived
    if (this.#closed !== undefined) throw new HubClosedError(this.#closed)
    return await new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  /** The next message, which must be of `type`. */
  async next<T extends HubMessage['type']>(type: T): Promise<Extract<HubMessage, { type: T }>> {
    return this.nextOf(type)
  }

  /** The next message, which must be of one of `types`. */
  async nextOf<T extends HubMessage['type']>(...types: T[]): Promise<Extract<HubMessage, { type: T }>> {
    const message = await this.nextOfAny()
    if (!types.some((type) => type === message.type)) {
      throw new Error(`expected ${types.join(' or ')}, got ${JSON.stringify(message)}`)
    }
    return message as Extract<HubMessage, { type: T }>
  }

  async register(keys: TestKeys, hubName: string): Promise<void> {
    const { challenge } = await this.next('welcome')
    this.send(proof(keys, hubName, challenge))
    await this.next('registered')
  }

  /** From now on what comes is read and forgotten: this peer is only there. */
  ignoreMessages(): void {
    this.#ignores = true
    this.#arrived = []
  }

  async opened(): Promise<this> {
    if (this.socket.readyState !== WebSocket.OPEN) await once(this.socket, 'open')
    return this
  }

  async leave(): Promise<void> {
    this.socket.close()
    await this.closed
  }
}

export interface Closed {
  code: number
  reason: string
  status?: number | undefined
}

/** The socket was closed while a message was waited for. */
export class HubClosedError extends Error {
  readonly closed: Closed

  constructor(closed: Closed) {
    super(`the hub's socket closed with ${closed.status ?? closed.code} ${closed.reason}`)
    this.closed = closed
  }
}

export interface TestKeys {
  key: Uint8Array<ArrayBuffer>
  secret: KeyObject
}

export function testKeys(): TestKeys {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  return { key: Uint8Array.from(spki.subarray(spki.length - 32)), secret: privateKey }
}

export function proof(
  { key, secret }: TestKeys,
  hubName: string,
  challenge: Uint8Array,
): Extract<PeerMessage, { type: 'register' }> {
  const signature = Uint8Array.from(sign(null, registerBytes(hubName, challenge, key), secret))
  return { type: 'register', key, signature }
}

export function newId(): string {
  return toBase64Url(randomBytes(16))
}

/** The status that an upgrade is refused with. */
export function refusedStatus(url: string, protocol: string, options: ClientOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, protocol === '' ? [] : protocol, options)
    socket.on('error', () => {})
    socket.on('unexpected-response', (request, response) => {
      resolve(response.statusCode ?? 0)
      request.destroy()
    })
    socket.on('open', () => {
      reject(new Error('the socket was taken'))
      socket.terminate()
    })
  })
}
