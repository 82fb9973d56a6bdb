import { ByteQueue } from '../../core/byte-queue.ts'
import { toError, MultiserverError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { FrameSender } from './frame-sender.ts'
import {
  encodeCredit,
  encodeData,
  encodeEnd,
  encodeOpen,
  FrameParser,
  violation,
  type Frame,
} from './frames.ts'
import type { Bytes, ByteStream, StreamInfo } from '../../core/types.ts'
import type { UtpConnection } from './native.ts'

const { windowBytes, initialBytes, frameBytes, askAfterMs, releaseMs } = limits.utp

/** A byte stream in frames over a uTP connection, with credit from the reader and an end in each direction. */
export class UtpStream implements ByteStream {
  readonly info: StreamInfo
  readonly closed: Promise<void>
  /** Resolves when the far side has shown that it speaks this, and may be written to. */
  readonly opened: Promise<void>
  readonly #connection: UtpConnection
  readonly #role: 'client' | 'server'
  readonly #parser = new FrameParser()
  readonly #sender: FrameSender
  readonly #queue: ByteQueue
  #error: Error | undefined
  #writer: { resolve: () => void; reject: (error: Error) => void } | undefined
  #resolveOpened: () => void = () => undefined
  #rejectOpened: (error: Error) => void = () => undefined
  #resolveClosed: () => void = () => undefined
  /** What may be sent now, and what the far side lets be unread at most. */
  #room: number = initialBytes
  #peerWindow: number = initialBytes
  /** What the far side may send now, and what was read since it was last told. */
  #granted: number = windowBytes
  #unreported = 0
  #endSent = false
  #endTaken = false
  #endRead = false
  #hasHeard = false
  readonly #asking: ReturnType<typeof setInterval>
  #releasing: ReturnType<typeof setTimeout> | undefined

  /** A client opens by itself; a server may not write before it has heard its client's OPEN. */
  constructor(connection: UtpConnection, role: 'client' | 'server', info: StreamInfo) {
    this.info = info
    this.#role = role
    this.#connection = connection
    this.#sender = new FrameSender(connection)
    // What the far side may send is counted, so the queue itself never says no.
    this.#queue = new ByteQueue({ highWaterBytes: Infinity, onRead: (bytes) => this.#report(bytes) })
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve))
    this.opened = new Promise((resolve, reject) => {
      this.#resolveOpened = resolve
      this.#rejectOpened = reject
    })
    this.opened.catch(() => undefined)
    connection.on('data', (chunk: Buffer<ArrayBuffer>) => this.#receive(chunk))
    connection.once('end', () => this.#fail(new MultiserverError('CONNECTION_LOST', 'the far side gave up')))
    connection.on('error', (cause: Error) => {
      this.#fail(new MultiserverError('CONNECTION_LOST', cause.message, { cause }))
    })
    connection.once('close', () => {
      this.#fail(new MultiserverError('CONNECTION_LOST', 'the uTP connection was closed'))
      clearTimeout(this.#releasing)
      this.#resolveClosed()
    })
    this.#asking = setInterval(() => this.#ask(), askAfterMs)
    if (role === 'client') this.#sender.send(encodeOpen(windowBytes))
  }

  read(): Promise<Bytes | null> {
    return this.#queue.read()
  }

  async write(chunk: Uint8Array): Promise<void> {
    for (let start = 0; start < chunk.length;) {
      if (this.#error !== undefined) throw this.#error
      if (this.#endSent) throw new MultiserverError('CLOSED')
      while (this.#room === 0) await this.#waitForRoom()
      const piece = chunk.subarray(start, start + Math.min(this.#room, frameBytes))
      this.#room -= piece.length
      start += piece.length
      this.#sender.send(encodeData(piece))
      await this.#sender.hasRoom()
    }
  }

  async end(): Promise<void> {
    if (this.#error !== undefined) throw this.#error
    if (this.#endSent) return
    this.#endSent = true
    this.#sender.send(encodeEnd())
    await this.#sender.hasSent()
    this.#endTaken = true
    this.#releaseWhenBothEnded()
  }

  abort(reason: Error = new MultiserverError('ABORTED')): void {
    if (this.#error !== undefined || this.#releasing !== undefined) return
    this.#queue.discard(reason)
    this.#fail(reason)
  }

  #receive(chunk: Buffer<ArrayBuffer>): void {
    this.#hasHeard = true
    if (this.#error !== undefined) return
    try {
      const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)
      this.#parser.parse(bytes, (frame) => this.#handle(frame))
    } catch (thrown) {
      this.#fail(toError(thrown, 'PROTOCOL'))
    }
  }

  #handle(frame: Frame): void {
    switch (frame.type) {
      case 'open':
        if (frame.bytes < initialBytes) throw violation(`a window of only ${frame.bytes} bytes`)
        if (this.#role === 'server') this.#sender.send(encodeOpen(windowBytes))
        this.#makeRoom(frame.bytes - this.#peerWindow)
        this.#peerWindow = frame.bytes
        return this.#resolveOpened()
      case 'data':
        this.#granted -= frame.chunk.length
        if (this.#granted < 0) throw violation('more data than there was credit for')
        this.#queue.push(frame.chunk)
        return
      case 'credit':
        if (this.#room + frame.bytes > this.#peerWindow) throw violation('credit for more than was sent')
        return this.#makeRoom(frame.bytes)
      case 'end':
        this.#endRead = true
        this.#queue.end()
        return this.#releaseWhenBothEnded()
    }
  }

  /** Tells the far side what was read, now and then: it goes on long before its credit is used up. */
  #report(bytes: number): void {
    this.#unreported += bytes
    if (this.#unreported < windowBytes / 4 || this.#endRead || this.#error !== undefined) return
    this.#sender.send(encodeCredit(this.#unreported))
    this.#granted += this.#unreported
    this.#unreported = 0
  }

  #waitForRoom(): Promise<void> {
    return new Promise((resolve, reject) => (this.#writer = { resolve, reject }))
  }

  /** A far side that is gone acknowledges nothing, and uTP notices that when there is something to acknowledge. */
  #ask(): void {
    if (!this.#hasHeard) this.#sender.send(encodeCredit(0))
    this.#hasHeard = false
  }

  #makeRoom(bytes: number): void {
    this.#room += bytes
    this.#writer?.resolve()
    this.#writer = undefined
  }

  #releaseWhenBothEnded(): void {
    if (!this.#endTaken || !this.#endRead || this.#error !== undefined) return
    this.#connection.end()
    this.#release()
  }

  /** What has arrived is for the reader still, unless it was aborted. */
  #fail(error: Error): void {
    if (this.#error !== undefined || this.#releasing !== undefined) return
    this.#error = error
    this.#queue.fail(error)
    this.#writer?.reject(error)
    this.#sender.fail(error)
    this.#rejectOpened(error)
    this.#connection.destroy()
    this.#release()
  }

  /** Without an answer uTP keeps trying to tell the end for half a minute. Nobody is to wait for that. */
  #release(): void {
    clearInterval(this.#asking)
    this.#releasing = setTimeout(this.#resolveClosed, releaseMs)
    this.#releasing.unref()
  }
}
