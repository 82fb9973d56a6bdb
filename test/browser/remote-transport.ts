import { MultiserverError } from '../../core/errors.ts'
import type { Bytes, ByteStream, StreamInfo, Transport } from '../../core/types.ts'
import { decodeReply, encodeMessage, type RemoteCall, type RemoteReply } from './remote-message.ts'

/** `transport`, which only dials, with a listener in the process at `hostUrl`. */
export function withRemoteListener(transport: Transport, hostUrl: string): Transport {
  return {
    ...transport,
    async listen(accept) {
      const controls = await Controls.connect(hostUrl, accept)
      const { reply } = await controls.call('listen')
      const addresses = 'addresses' in reply ? [...(reply.addresses ?? [])] : []
      return {
        addresses: (scope) => (scope === 'device' ? addresses : []),
        close: async () => void (await controls.call('close')),
      }
    },
  }
}

interface Answer {
  readonly reply: RemoteReply
  readonly bytes: Bytes
}

/** One WebSocket to the process that listens. It goes with the page. */
class Controls {
  readonly #socket: WebSocket
  readonly #accept: (stream: ByteStream) => void
  readonly #streams = new Map<number, RemoteStream>()
  readonly #calls = new Map<number, (answer: Answer) => void>()
  #nextCall = 0

  private constructor(socket: WebSocket, accept: (stream: ByteStream) => void) {
    this.#socket = socket
    this.#accept = accept
    socket.binaryType = 'arraybuffer'
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => this.#hear(new Uint8Array(data))
  }

  static connect(url: string, accept: (stream: ByteStream) => void): Promise<Controls> {
    const socket = new WebSocket(url)
    const controls = new Controls(socket, accept)
    return new Promise((resolve, reject) => {
      socket.onopen = () => resolve(controls)
      socket.onerror = () => reject(new Error(`nobody is at ${url}`))
    })
  }

  call(act: RemoteCall['act'], stream = -1, bytes?: Uint8Array): Promise<Answer> {
    const call = this.#nextCall++
    this.#socket.send(encodeMessage({ call, act, stream }, bytes))
    return new Promise((resolve) => this.#calls.set(call, resolve))
  }

  #hear(message: Bytes): void {
    const { head, bytes } = decodeReply(message)
    if ('accepted' in head) {
      const stream = new RemoteStream(this, head.accepted, head.info)
      this.#streams.set(head.accepted, stream)
      this.#accept(stream)
    } else if ('closed' in head) this.#streams.get(head.closed)?.release()
    else {
      const call = 'reply' in head ? head.reply : head.failed
      this.#calls.get(call)?.({ reply: head, bytes })
      this.#calls.delete(call)
    }
  }
}

/** A stream of the other process, driven from here. */
class RemoteStream implements ByteStream {
  readonly info: StreamInfo
  readonly closed: Promise<void>
  readonly #controls: Controls
  readonly #number: number
  #abortReason: Error | undefined
  #release: () => void = () => undefined

  constructor(controls: Controls, number: number, info: StreamInfo) {
    this.#controls = controls
    this.#number = number
    this.info = info
    this.closed = new Promise((resolve) => (this.#release = resolve))
  }

  async read(): Promise<Bytes | null> {
    const { reply, bytes } = await this.#call('read')
    return 'isEnd' in reply && reply.isEnd ? null : bytes
  }

  async write(chunk: Uint8Array): Promise<void> {
    await this.#call('write', chunk)
  }

  async end(): Promise<void> {
    await this.#call('end')
  }

  abort(reason: Error = new MultiserverError('ABORTED')): void {
    this.#abortReason ??= reason
    void this.#call('abort')
  }

  release(): void {
    this.#release()
  }

  async #call(act: RemoteCall['act'], bytes?: Uint8Array): Promise<Answer> {
    const answer = await this.#controls.call(act, this.#number, bytes)
    const { reply } = answer
    if (!('failed' in reply)) return answer
    // An error can't cross; that it was the very one can be told.
    throw (reply.isAbortReason ? this.#abortReason : undefined) ?? new Error(reply.why)
  }
}
