import { toBase64Url } from '../../core/bytes.ts'
import { untilAborted, withDeadline } from '../../core/deadline.ts'
import { MultiserverError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import {
  relayCloseCodes,
  relayFrameBytes,
  relayOpenText,
  relaySubprotocol,
} from '../../core/relay-protocol.ts'
import { openWebSocket } from '#websocket'
import { EarlyMessages } from './early-messages.ts'
import { RelayCipher } from './relay-cipher.ts'
import { RelayUsage, type RelayGrant } from './relay-usage.ts'
import type { Bytes, Scope } from '../../core/types.ts'
import type { FramePath, FramePathHandlers, PathTimes } from './frame-path.ts'

const { openTimeoutMs } = limits.relay

export interface RelayPathOptions {
  readonly grant: RelayGrant
  /** 32 bytes that both ends have and the hub has not. */
  readonly relayKey: Uint8Array
  readonly role: 'client' | 'server'
  /** How near the relay may be. */
  readonly reach?: Scope | undefined
  /** When the circuit was asked for, by the clock of performance.now(). */
  readonly askedAt: number
  /** Aborts the opening; what has opened is the caller's. */
  readonly signal: AbortSignal
  /** RELAY_LIMIT: most of what the hub grants is used up, or all of it. */
  readonly onLimit: (error: MultiserverError, isOver: boolean) => void
}

/**
 * Opens this end of a circuit, and resolves once the other one is there too.
 * @throws CONNECT_FAILED, or as `signal` aborts
 */
export async function openRelayPath(options: RelayPathOptions): Promise<FramePath> {
  const path = new RelayPath(options)
  try {
    return await untilAborted(withDeadline(path.opened, openTimeoutMs, tooLate), options.signal, (late) =>
      late.close(),
    )
  } catch (thrown) {
    path.close()
    throw thrown
  }
}

function tooLate(): MultiserverError {
  return new MultiserverError('CONNECT_FAILED', 'the relay opened no circuit in time')
}

/** A circuit through a hub's relay: WebSocket messages of which each is a sealed frame. */
class RelayPath implements FramePath {
  readonly kind = 'relay'
  readonly maxFrameBytes = limits.session.frameBytes
  readonly opened: Promise<FramePath>
  readonly closed: Promise<void>
  readonly usage: RelayUsage
  readonly #socket: ReturnType<typeof openWebSocket>
  readonly #cipher: RelayCipher
  readonly #early = new EarlyMessages()
  #resolveOpened: (path: FramePath) => void = () => undefined
  readonly #askedAt: number
  #tookMs: PathTimes | undefined
  #isConnected = false
  #isOpen = false
  #isOver = false
  #closeTimer: ReturnType<typeof setTimeout> | undefined

  constructor({ grant, relayKey, role, reach, askedAt, onLimit }: RelayPathOptions) {
    const { url, token } = grant
    this.#askedAt = askedAt
    this.usage = new RelayUsage(grant, onLimit)
    this.#cipher = new RelayCipher(relayKey, role)
    this.#socket = openWebSocket(url, {
      protocols: [relaySubprotocol],
      maxMessageBytes: relayFrameBytes,
      reach,
    })
    let rejectOpened: (error: Error) => void = () => undefined
    this.opened = new Promise((resolve, reject) => {
      this.#resolveOpened = resolve
      rejectOpened = reject
    })
    this.opened.catch(() => undefined)
    this.closed = new Promise((resolve) => {
      this.#socket.on({
        onOpen: () => {
          this.#isConnected = true
          // Not needed any more, it is taken all the same, for that is how it is given back.
          this.#send(toBase64Url(token))
          if (this.#isOver) this.#socket.close(1000)
        },
        onMessage: (data) => this.#receive(data),
        onClose: ({ code, error }) => {
          clearTimeout(this.#closeTimer)
          const why = error?.message ?? `the relay closed the circuit (${code})`
          rejectOpened(new MultiserverError('CONNECT_FAILED', `${url}: ${why}`, { cause: error }))
          this.usage.end({ isLimit: code === relayCloseCodes.quota && !this.#isOver })
          this.#isOver = true
          this.#early.close()
          resolve()
        },
      })
    })
  }

  get queuedBytes(): number {
    return this.#socket.queuedBytes
  }

  get tookMs(): PathTimes | undefined {
    return this.#tookMs
  }

  send(frame: Bytes): void {
    if (!this.#isOpen || this.#isOver) return
    const message = this.#cipher.seal(frame)
    this.usage.add(message.length)
    this.#send(message)
  }

  start(handlers: FramePathHandlers): void {
    this.#early.start(handlers)
  }

  close(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.usage.end({ isLimit: false })
    // A browser takes it for a fault, and says so to whoever looks, when a socket is closed before it is open.
    if (this.#isConnected) this.#socket.close(1000)
    // A relay that does not answer the goodbye must not hold the socket.
    this.#closeTimer = setTimeout(() => this.#socket.terminate(), limits.hub.closeTimeoutMs)
  }

  /** What can't be sent shows as the end of the socket. */
  #send(data: Bytes | string): void {
    this.#socket.send(data).then(
      () => this.#early.drain(),
      () => undefined,
    )
  }

  #receive(data: Uint8Array<ArrayBuffer> | string): void {
    if (this.#isOver) return
    if (!this.#isOpen && data === relayOpenText) {
      this.#isOpen = true
      this.#tookMs = { relay: performance.now() - this.#askedAt }
      this.usage.begin()
      return this.#resolveOpened(this)
    }
    const frame = this.#isOpen && typeof data !== 'string' ? this.#cipher.open(data) : null
    // Whatever the relay made of it: the circuit is of no use any more, and the session goes on elsewhere.
    if (frame === null) return this.#fail()
    this.usage.add(data.length)
    this.#early.deliver(frame)
  }

  #fail(): void {
    this.#isOver = true
    this.usage.end({ isLimit: false })
    this.#socket.terminate()
    this.#early.close()
  }
}
