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

interface Guarded {
  readonly socket: Socket
  /** Undefined when it does not count. */
  readonly source: string | undefined
  untilMs: number
  /** What it is answered, and how much had been sent of that when it was last looked at. */
  response: ServerResponse | undefined
  sentBytes: number
}

/**
 * Looks after connections from TCP accept until they have asked for something and were answered: Node's own time-outs
 * for that are checked once in a while only, and that of TLS is another. Each has `registerMs` for all of it, and as long
 * again whenever it has taken more of a long answer. An address has at most `socketsPerAddress` of them at a time. As many that were answered may stay to ask again; the
 * others are let go with their answer. What was upgraded is the hub's from then on.
 */
export function guardAccept(server: Server, { limits, isProxy, exemptLoopback }: AcceptGuardOptions): void {
  /** In the order in which they came, which is that of their deadlines. */
  const pending = new Map<string, Guarded>()
  const served = new Map<string, Guarded>()
  const pendingOf = new Map<string, number>()
  const servedOf = new Map<string, number>()
  let timer: NodeJS.Timeout | undefined

  server.on('connection', (socket: Socket) => {
    const source = sourceToCount(socket.remoteAddress ?? '')
    if (source !== undefined && (pendingOf.get(source) ?? 0) >= limits.socketsPerAddress) {
      return void socket.destroy()
    }
    const name = nameOf(socket)
    forget(name)
    count(pendingOf, source, 1)
    const untilMs = performance.now() + limits.registerMs
    pending.set(name, { socket, source, untilMs, response: undefined, sentBytes: 0 })
    socket.once('close', () => {
      if ((pending.get(name) ?? served.get(name))?.socket === socket) forget(name)
    })
    timer ??= setTimeout(closeOverdue, limits.registerMs)
  })
  server.on('upgrade', (request: IncomingMessage) => forget(nameOf(request.socket)))
  // First of all who hear of it: what is answered at once has its headers then.
  server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
    const name = nameOf(request.socket)
    const guarded = pending.get(name)
    const source = guarded?.source
    if (guarded !== undefined) guarded.response = response
    if (source !== undefined && (servedOf.get(source) ?? 0) >= limits.socketsPerAddress) {
      response.shouldKeepAlive = false
    }
    response.once('finish', () => {
      // Answered before all of it was there, for example because it is too long: still pending.
      if (request.complete) keep(name)
    })
  })

  function sourceToCount(address: string): string | undefined {
    const source = sourceOf(address)
    return isProxy(address) || (exemptLoopback && isLoopbackSource(source)) ? undefined : source
  }

  function keep(name: string): void {
    const guarded = settle(name)
    if (guarded === undefined) return
    count(servedOf, guarded.source, 1)
    served.set(name, guarded)
  }

  function forget(name: string): void {
    settle(name)
    const guarded = served.get(name)
    if (guarded === undefined) return
    served.delete(name)
    count(servedOf, guarded.source, -1)
  }

  /** It is pending no more; answers it if it was. */
  function settle(name: string): Guarded | undefined {
    const guarded = pending.get(name)
    if (guarded === undefined) return undefined
    pending.delete(name)
    count(pendingOf, guarded.source, -1)
    if (pending.size === 0) {
      clearTimeout(timer)
      timer = undefined
    }
    return guarded
  }

  function closeOverdue(): void {
    timer = undefined
    const nowMs = performance.now()
    for (const [name, guarded] of pending) {
      if (guarded.untilMs > nowMs) {
        timer = setTimeout(closeOverdue, Math.ceil(guarded.untilMs - nowMs))
        return
      }
      // Its close event settles it.
      if (!hasTakenMore(guarded)) guarded.socket.destroy()
      else {
        // To the end of the order.
        pending.delete(name)
        pending.set(name, Object.assign(guarded, { untilMs: nowMs + limits.registerMs }))
      }
    }
  }
}

/** Whoever has asked for something long, such as a file of the page, may read it slowly, but has to read. */
function hasTakenMore(guarded: Guarded): boolean {
  const { response, sentBytes } = guarded
  if (response?.headersSent !== true || !response.req.complete) return false
  guarded.sentBytes = response.socket?.bytesWritten ?? 0
  return guarded.sentBytes > sentBytes
}

function count(counts: Map<string, number>, source: string | undefined, change: 1 | -1): void {
  if (source === undefined) return
  const changed = (counts.get(source) ?? 0) + change
  if (changed > 0) counts.set(source, changed)
  else counts.delete(source)
}

/** The same for a TLS socket and for the TCP socket under it, which Node does not tell of each other. */
function nameOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`
}
