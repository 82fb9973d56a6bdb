import type { ClientRequest } from 'node:http'
import { networkInterfaces } from 'node:os'
import { WebSocket } from 'ws'
import { limits } from '../core/limits.ts'
import { lookupWithin } from './lookup-within.ts'
import type { Scope } from '../core/types.ts'

/**
 * A WebSocket as our code needs it, alike on Node (package `ws`) and in browsers. Handlers are set in the turn in
 * which the socket is made; none is called before.
 */
export interface WebSocketLike {
  /** Settles when there is room for more. */
  send(data: Uint8Array | string): Promise<void>
  /** What was sent and has not left yet. */
  readonly queuedBytes: number
  /** The machine has lost the address that it was dialed from, so that nothing arrives any more. Browsers don't tell. */
  readonly isStranded: boolean
  /** Whether `onPing` tells of the far side's PINGs: not in browsers. */
  readonly seesPings: boolean
  /** Stops and restarts the arrival of messages; undefined where that can't be done. */
  readonly pause?: (() => void) | undefined
  readonly resume?: (() => void) | undefined
  /** Says goodbye: what was sent before still arrives. */
  close(code?: number, reason?: string): void
  /** Ends it without waiting; the peer sees no clean close. */
  terminate(): void
  on(handlers: WebSocketHandlers): void
}

export interface WebSocketHandlers {
  readonly onOpen?: (() => void) | undefined
  readonly onMessage: (data: Uint8Array<ArrayBuffer> | string) => void
  /** The far side asked whether this one is there (answered already). Browsers don't tell. */
  readonly onPing?: (() => void) | undefined
  /** Once, when it is over, however that came. */
  readonly onClose: (event: { code: number; reason: string; error?: Error | undefined }) => void
}

export interface WebSocketOptions {
  protocols?: readonly string[] | undefined
  /** Of the request; browsers set none. */
  headers?: Readonly<Record<string, string>> | undefined
  /** Larger messages end the socket. */
  maxMessageBytes: number
  /** How near what the URL's name stands for may be; browsers can't see that. @default anywhere */
  reach?: Scope | undefined
  /** From its goodbye, or its answer to mine, to the end of TCP; browsers have times of their own. @default 30,000 */
  closeTimeoutMs?: number | undefined
  /** The far side's machine has answered; browsers can't see that, and say so at once. */
  onConnect?: (() => void) | undefined
}

export function openWebSocket(url: string, options: WebSocketOptions): WebSocketLike {
  const { closeTimeoutMs, onConnect } = options
  // Neither is in the type declarations: the one is handed on to the socket as it is.
  const undeclared = {
    lookup: lookupWithin(options.reach),
    ...(closeTimeoutMs !== undefined && { closeTimeout: closeTimeoutMs }),
  }
  const socket = new WebSocket(url, [...(options.protocols ?? [])], {
    perMessageDeflate: false,
    maxPayload: options.maxMessageBytes,
    followRedirects: false,
    headers: { ...options.headers },
    ...undeclared,
    ...(onConnect && { finishRequest: (request) => tellConnect(request, onConnect) }),
  })
  socket.on('upgrade', (response) => response.socket.setKeepAlive(true, limits.socket.keepAliveMs))
  return wrapWebSocket(socket)
}

function tellConnect(request: ClientRequest, onConnect: () => void): void {
  request.once('socket', (socket) => socket.once('connect', onConnect))
  request.end()
}

/** A socket of the package `ws`, dialed or accepted. */
export function wrapWebSocket(socket: WebSocket): WebSocketLike {
  let error: Error | undefined
  let dialedFrom: string | undefined
  socket.binaryType = 'arraybuffer'
  socket.on('upgrade', ({ socket: { localAddress } }) => {
    // An address that no interface shows tells nothing when none shows it later.
    if (localAddress !== undefined && isOwnAddress(localAddress)) dialedFrom = localAddress
  })
  socket.on('error', (cause) => (error ??= cause))
  return {
    send: (data) =>
      new Promise((resolve, reject) => {
        socket.send(data, (cause) => (cause ? reject(cause) : resolve()))
      }),
    get queuedBytes() {
      return socket.bufferedAmount
    },
    get isStranded() {
      return dialedFrom !== undefined && !isOwnAddress(dialedFrom)
    },
    seesPings: true,
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    close: (code, reason) => socket.close(code, reason),
    terminate: () => socket.terminate(),
    on({ onOpen, onMessage, onPing, onClose }) {
      if (onOpen !== undefined) socket.on('open', onOpen)
      if (onPing !== undefined) socket.on('ping', onPing)
      socket.on('message', (data: ArrayBuffer, isBinary) => {
        onMessage(isBinary ? new Uint8Array(data) : new TextDecoder().decode(data))
      })
      socket.on('close', (code, reason) => onClose({ code, reason: reason.toString(), error }))
    },
  }
}

/** Whether an interface of this machine has it now. */
function isOwnAddress(address: string): boolean {
  const [bare] = address.split('%')
  return Object.values(networkInterfaces()).some((own) => own?.some((each) => each.address === bare))
}
