import { createHash, createHmac, randomBytes } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { parseIp } from '../../core/ip.ts'

const magicCookie = 0x2112a442
const methods = { allocate: 0x0003, refresh: 0x0004, createPermission: 0x0008 }
const attributes = {
  username: 0x0006,
  messageIntegrity: 0x0008,
  errorCode: 0x0009,
  lifetime: 0x000d,
  xorPeerAddress: 0x0012,
  realm: 0x0014,
  nonce: 0x0015,
  requestedAddressFamily: 0x0017,
  requestedTransport: 0x0019,
}

const staleNonce = 438

type Attribute = [type: number, value: Uint8Array]

/** Enough of a TURN client (RFC 8656) to ask a server what it would allow. */
export class TurnClient {
  readonly #socket: Socket
  readonly #port: number
  readonly #credential: { username: string; credential: string }
  #realm = ''
  #nonce: Uint8Array = new Uint8Array()

  constructor(port: number, credential: { username: string; credential: string }) {
    this.#socket = createSocket('udp4')
    this.#port = port
    this.#credential = credential
  }

  /** 0 when there is an allocation now, else the code of the error. */
  async allocate(family: 4 | 6 = 4): Promise<number> {
    const request: Attribute[] = [
      [attributes.requestedTransport, Uint8Array.of(17, 0, 0, 0)],
      [attributes.requestedAddressFamily, Uint8Array.of(family === 4 ? 1 : 2, 0, 0, 0)],
    ]
    const first = await this.#ask(methods.allocate, request, false)
    this.#realm = Buffer.from(first.get(attributes.realm) ?? []).toString()
    this.#nonce = first.get(attributes.nonce) ?? new Uint8Array()
    return codeOf(await this.#ask(methods.allocate, request, true))
  }

  /** 0 when the server would relay to `address`, else the code of the error. */
  async permit(address: string): Promise<number> {
    const ip = parseIp(address) ?? new Uint8Array()
    const cookie = Buffer.alloc(4)
    cookie.writeUInt32BE(magicCookie)
    return codeOf(
      await this.#ask(
        methods.createPermission,
        (transaction) => {
          const mask = Buffer.concat([cookie, transaction])
          const masked = ip.map((byte, index) => byte ^ (mask[index] ?? 0))
          return [
            [attributes.xorPeerAddress, Uint8Array.of(0, ip.length === 4 ? 1 : 2, 0x21, 0x12, ...masked)],
          ]
        },
        true,
      ),
    )
  }

  /** Gives the allocation back. */
  async close(): Promise<void> {
    await this.#ask(methods.refresh, [[attributes.lifetime, new Uint8Array(4)]], true)
    this.#socket.close()
  }

  async #ask(
    method: number,
    wanted: Attribute[] | ((transaction: Uint8Array) => Attribute[]),
    signed: boolean,
  ): Promise<Map<number, Uint8Array>> {
    const answer = await this.#exchange(method, wanted, signed)
    // RFC 8489, section 9.2.5: once more, with the nonce that came. A coturn that has just started says so at times.
    if (codeOf(answer) !== staleNonce) return answer
    this.#nonce = answer.get(attributes.nonce) ?? new Uint8Array()
    return this.#exchange(method, wanted, signed)
  }

  async #exchange(
    method: number,
    wanted: Attribute[] | ((transaction: Uint8Array) => Attribute[]),
    signed: boolean,
  ): Promise<Map<number, Uint8Array>> {
    const transaction = randomBytes(12)
    const list = typeof wanted === 'function' ? wanted(transaction) : wanted
    this.#socket.send(this.#message(method, transaction, list, signed), this.#port, '127.0.0.1')
    const [answer] = (await once(this.#socket, 'message')) as [Buffer]
    if (!answer.subarray(8, 20).equals(transaction)) throw new Error('the answer is to another question')
    return readAttributes(answer)
  }

  #message(method: number, transaction: Uint8Array, list: Attribute[], signed: boolean): Uint8Array {
    const { username, credential } = this.#credential
    const named: Attribute[] = signed
      ? [
          [attributes.username, Buffer.from(username)],
          [attributes.realm, Buffer.from(this.#realm)],
          [attributes.nonce, this.#nonce],
        ]
      : []
    const body = Buffer.concat([...list, ...named].map(writeAttribute))
    const header = Buffer.alloc(20)
    header.writeUInt16BE(method)
    header.writeUInt16BE(body.length + (signed ? 24 : 0), 2)
    header.writeUInt32BE(magicCookie, 4)
    header.set(transaction, 8)
    if (!signed) return Buffer.concat([header, body])
    const key = createHash('md5').update(`${username}:${this.#realm}:${credential}`).digest()
    const integrity = createHmac('sha1', key).update(header).update(body).digest()
    return Buffer.concat([header, body, writeAttribute([attributes.messageIntegrity, integrity])])
  }
}

function writeAttribute([type, value]: Attribute): Buffer {
  const written = Buffer.alloc(4 + Math.ceil(value.length / 4) * 4)
  written.writeUInt16BE(type)
  written.writeUInt16BE(value.length, 2)
  written.set(value, 4)
  return written
}

function readAttributes(message: Buffer): Map<number, Uint8Array> {
  const found = new Map<number, Uint8Array>()
  for (let at = 20; at + 4 <= message.length;) {
    const length = message.readUInt16BE(at + 2)
    found.set(message.readUInt16BE(at), message.subarray(at + 4, at + 4 + length))
    at += 4 + Math.ceil(length / 4) * 4
  }
  return found
}

function codeOf(answer: Map<number, Uint8Array>): number {
  const error = answer.get(attributes.errorCode)
  return error === undefined ? 0 : (error[2] ?? 0) * 100 + (error[3] ?? 0)
}
