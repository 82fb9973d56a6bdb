import type { Duplex } from 'node:stream'

/** Of the data channel: 256 KiB is what wrtc takes; stats of a connection with many candidates are less. */
const longestFrame = 1024 * 1024
/** The length of what follows the header, the number of the connection, and what it is. */
const headerBytes = 9
const kinds = { words: 0, message: 1 } as const

export interface FrameHandlers<Words> {
  readonly onWords: (connection: number, words: Words) => void
  /** A message of the connection's data channel, in memory of its own. */
  readonly onMessage: (connection: number, message: ArrayBuffer) => void
  /** What came is no frame. */
  readonly onInvalid: () => void
}

/** Frames of both processes over the one socket between them, in order. */
export class Framing<Told, Heard> {
  readonly #socket: Duplex
  readonly #handlers: FrameHandlers<Heard>
  readonly #header = Buffer.alloc(headerBytes)
  #filled = 0
  #payload: Uint8Array<ArrayBuffer> | undefined
  #isInvalid = false

  constructor(socket: Duplex, handlers: FrameHandlers<Heard>) {
    this.#socket = socket
    this.#handlers = handlers
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
  }

  tell(connection: number, words: Told): void {
    this.#write(connection, kinds.words, Buffer.from(JSON.stringify(words)))
  }

  /** @param message left to the socket */
  send(connection: number, message: Uint8Array): void {
    this.#write(connection, kinds.message, message)
  }

  #write(connection: number, kind: number, payload: Uint8Array): void {
    if (!this.#socket.writable) return
    const header = Buffer.allocUnsafe(headerBytes)
    header.writeUInt32BE(payload.length, 0)
    header.writeUInt32BE(connection, 4)
    header.writeUInt8(kind, 8)
    this.#socket.cork()
    this.#socket.write(header)
    this.#socket.write(payload)
    this.#socket.uncork()
  }

  #read(chunk: Buffer): void {
    for (let at = 0; at < chunk.length && !this.#isInvalid;) {
      const target = this.#payload ?? this.#header
      const bytes = Math.min(target.length - this.#filled, chunk.length - at)
      target.set(chunk.subarray(at, at + bytes), this.#filled)
      this.#filled += bytes
      at += bytes
      if (this.#filled === target.length) this.#onFilled()
    }
  }

  #onFilled(): void {
    this.#filled = 0
    if (this.#payload === undefined) {
      const length = this.#header.readUInt32BE(0)
      if (length > longestFrame) return this.#refuse()
      this.#payload = new Uint8Array(length)
      if (length > 0) return
    }
    const payload = this.#payload
    this.#payload = undefined
    const connection = this.#header.readUInt32BE(4)
    if (this.#header.readUInt8(8) === kinds.message)
      return this.#handlers.onMessage(connection, payload.buffer)
    const words = parse(payload)
    if (words === undefined) return this.#refuse()
    this.#handlers.onWords(connection, words as Heard)
  }

  #refuse(): void {
    this.#isInvalid = true
    this.#handlers.onInvalid()
  }
}

function parse(payload: Uint8Array<ArrayBuffer>): unknown {
  try {
    return JSON.parse(Buffer.from(payload.buffer).toString())
  } catch {
    return undefined
  }
}
