import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { isLoopbackSource, sourceOf } from '../core/ip.ts'
import type { HubLimits } from './limits.ts'

export interface AcceptGuardOptions {
  limits: Pick<HubLimits, 'registerMs' | 'socketsPerAddress'>
  /** Whether many clients stand behind this address. */
  isProxy: (address: string) => boolean
  exemptLoopback: boolean
}

interface Pending {
  readonly socket: Socket
  /** Undefined when it does not count. */
  readonly source: string | undefined
  readonly untilMs: number
}

/**
 * Looks after connections from TCP accept until they have asked for something and were answered: Node's own time-outs
 * for that are checked once in a while only, and that of TLS is another. Each has `registerMs` for all of it, and an
 * address has at most `socketsPerAddress` of them at a time. What was upgraded is the hub's from then on.
 */
export function guardAccept(server: Server, { limits, isProxy, exemptLoopback }: AcceptGuardOptions): void {
  /** In the order in which they came, which is that of their deadlines. */
  const pending = new Map<string, Pending>()
  const ofSource = new Map<string, number>()
  let timer: NodeJS.Timeout | undefined

  server.on('connection', (socket: Socket) => {
    const source = sourceToCount(socket.remoteAddress ?? '')
    const open = source === undefined ? 0 : (ofSource.get(source) ?? 0)
    if (open >= limits.socketsPerAddress) return void socket.destroy()
    const name = nameOf(socket)
    settle(name)
    if (source !== undefined) ofSource.set(source, open + 1)
    pending.set(name, { socket, source, untilMs: performance.now() + limits.registerMs })
    socket.once('close', () => {
      if (pending.get(name)?.socket === socket) settle(name)
    })
    timer ??= setTimeout(closeOverdue, limits.registerMs)
  })
  server.on('upgrade', (request: IncomingMessage) => settle(nameOf(request.socket)))
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const name = nameOf(request.socket)
    response.once('finish', () => {
      // Answered before all of it was there, for example because it is too long: still pending.
      if (request.complete) settle(name)
    })
  })

  function sourceToCount(address: string): string | undefined {
    const source = sourceOf(address)
    return isProxy(address) || (exemptLoopback && isLoopbackSource(source)) ? undefined : source
  }

  function settle(name: string): void {
    const settled = pending.get(name)
    if (settled === undefined) return
    pending.delete(name)
    if (settled.source !== undefined) {
      const left = (ofSource.get(settled.source) ?? 0) - 1
      if (left > 0) ofSource.set(settled.source, left)
      else ofSource.delete(settled.source)
    }
    if (pending.size > 0) return
    clearTimeout(timer)
    timer = undefined
  }

  function closeOverdue(): void {
    timer = undefined
    const nowMs = performance.now()
    for (const { socket, untilMs } of pending.values()) {
      if (untilMs > nowMs) {
        timer = setTimeout(closeOverdue, Math.ceil(untilMs - nowMs))
        return
      }
      // Its close event settles it.
      socket.destroy()
    }
  }
}

/** The same for a TLS socket and for the TCP socket under it, which Node does not tell of each other. */
function nameOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`
}
