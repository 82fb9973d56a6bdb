import { formatArgument } from '../../core/address.ts'
import { abortReason } from '../../core/deadline.ts'
import { MultiserverError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { UtpStream } from './stream.ts'
import type { ByteStream } from '../../core/types.ts'
import type { UtpConnection, UtpSocket } from './native.ts'

const { opening: maxOpening, openTimeoutMs } = limits.utp

export interface UtpAcceptor {
  readonly accept: (stream: ByteStream) => void
  readonly onError: (error: Error) => void
}

export interface UtpDial {
  /** IPv4. */
  readonly ip: string
  readonly port: number
  /** What the stream says of its far side. */
  readonly address: string
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/**
 * One UDP socket: who listens at it, and every connection through it, accepted or dialed. It closes by itself with the
 * last of them, and keeps the process alive only as long as one is open.
 */
export class UtpPort {
  /** The IPv4 address that it is bound to. */
  readonly ip: string
  readonly port: number
  /** Resolves when the number is free again. */
  readonly closed: Promise<void>
  readonly #socket: UtpSocket
  readonly #opening = new Set<UtpStream>()
  #acceptor: UtpAcceptor | undefined
  #open = 0
  #isClosed = false

  /** Rejects with the error of the system, for instance EADDRINUSE. */
  static async bind(socket: UtpSocket, ip: string, port: number): Promise<UtpPort> {
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject)
        socket.once('listening', resolve)
        socket.bind(port, ip)
      })
      return new UtpPort(socket, ip)
    } catch (error) {
      socket.close()
      throw error
    }
  }

  private constructor(socket: UtpSocket, ip: string) {
    this.ip = ip
    this.port = socket.address().port
    this.#socket = socket
    this.closed = new Promise((resolve) => socket.once('close', resolve))
    socket.on('error', (error: Error) => this.#acceptor?.onError(error))
    socket.on('connection', (connection: UtpConnection) => this.#onConnection(connection))
    socket.firewall(true)
    enlargeBuffer(socket)
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  get isListening(): boolean {
    return this.#acceptor !== undefined
  }

  listen(acceptor: UtpAcceptor): void {
    this.#acceptor = acceptor
    this.#update()
  }

  /** Connections go on. Resolves when the socket is closed, or at once when that has to wait for them. */
  async stopListening(): Promise<void> {
    this.#acceptor = undefined
    for (const stream of this.#opening) stream.abort()
    this.#update()
    if (this.#isClosed) await this.closed
  }

  /** Resolves when the far side has answered. Rejects with CONNECT_FAILED, or the reason of the signal. */
  connect({ ip, port, address, timeoutMs, signal }: UtpDial): Promise<ByteStream> {
    const connection = this.#socket.connect(port, ip)
    this.#watch(connection)
    return new Promise((resolve, reject) => {
      const fail = (error: Error) => {
        settle()
        connection.destroy()
        this.#release()
        reject(error)
      }
      const onConnect = () => {
        settle()
        resolve(this.#releaseWithStream(new UtpStream(connection, 'client', { address })))
      }
      const onError = (cause: Error) => fail(new MultiserverError('CONNECT_FAILED', cause.message, { cause }))
      const onLate = () => fail(new MultiserverError('CONNECT_FAILED', `no answer within ${timeoutMs} ms`))
      const onAbort = () => fail(abortReason(signal))
      const late = setTimeout(onLate, timeoutMs)
      const settle = () => {
        clearTimeout(late)
        signal.removeEventListener('abort', onAbort)
        connection.off('connect', onConnect).off('error', onError)
      }
      connection.once('connect', onConnect).once('error', onError)
      signal.addEventListener('abort', onAbort, { once: true })
      if (signal.aborted) onAbort()
    })
  }

  #onConnection(connection: UtpConnection): void {
    this.#watch(connection)
    const { remoteAddress: source, remotePort } = connection
    const address = formatArgument('utp', `${source}:${remotePort}`)
    const stream = this.#releaseWithStream(new UtpStream(connection, 'server', { address, source }))
    if (this.#acceptor === undefined) return stream.abort()
    // The oldest goes: who is real has opened within a round trip, so that a flood keeps nobody out.
    const [oldest] = this.#opening
    if (this.#opening.size >= maxOpening) oldest?.abort()
    const late = setTimeout(() => stream.abort(), openTimeoutMs)
    this.#opening.add(stream)
    stream.opened
      .finally(() => {
        clearTimeout(late)
        this.#opening.delete(stream)
      })
      .then(
        () => (this.#acceptor === undefined ? stream.abort() : this.#acceptor.accept(stream)),
        () => undefined,
      )
  }

  /** Somebody always hears the errors of a connection: otherwise they would end the process. */
  #watch(connection: UtpConnection): void {
    this.#open += 1
    this.#update()
    connection.on('error', () => undefined)
    connection.once('close', () => this.#update())
  }

  #releaseWithStream(stream: UtpStream): UtpStream {
    void stream.closed.then(() => this.#release())
    return stream
  }

  #release(): void {
    this.#open -= 1
    this.#update()
  }

  #update(): void {
    if (this.#isClosed) return
    const isListening = this.#acceptor !== undefined
    this.#socket.firewall(!isListening)
    if (isListening || this.#open > 0) this.#socket.ref()
    else this.#socket.unref()
    // Those that wait for a last acknowledgement are counted here, though nobody has them any more.
    if (isListening || this.#socket.connections.length > 0) return
    this.#isClosed = true
    this.#socket.close()
  }
}

/** libutp sends whole windows at once; what the system has no room for is lost, and costs a second. */
function enlargeBuffer(socket: UtpSocket): void {
  try {
    socket.setRecvBufferSize(limits.utp.socketBytes)
  } catch {
    // It goes with less, only slower.
  }
}
