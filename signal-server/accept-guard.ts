import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { isLoopbackSource, sourceOf } from '../core/ip.ts'
import type { HubLimits } from './limits.ts'
import { nameOf } from './socket-name.ts'

export interface AcceptGuardOptions {
  limits: Pick<HubLimits, 'registerMs' | 'socketsPerAddress'>
  /** Whether many clients stand behind this address. */
  isProxy: (address: string) => boolean
  exemptLoopback: boolean
}

export interface AcceptGuard {
  /** Lets go of a connection that somebody else looks after from now on. */
  forget(socket: Socket): void
}

interface Guarded {
  readonly socket: Socket
  /** Undefined when it does not count. */
  readonly source: string | undefined
  untilMs: number
  /** What it is answered, in the order in which it asked, and how much had been sent of that when it was last looked at. */
  readonly answers: Set<ServerResponse>
  sentBytes: number
}

/**
 * Looks after connections from TCP accept until they have asked for something and were answered: Node's own time-outs
 * for that are checked once in a while only, and that of TLS is another. Each has `registerMs` for all of it, and as long
 * again for each further request and whenever it has taken more of a long answer. An address has at most
 * `socketsPerAddress` of them at a time. As many that were answered may stay to ask again; the others are let go with
 * their answer. Who asks for an upgrade has to become a WebSocket in that time, and is then to be forgotten.
 */
export function guardAccept(
  server: Server,
  { limits, isProxy, exemptLoopback }: AcceptGuardOptions,
): AcceptGuard {
  /** In the order in which they came, or came back, which is that of their deadlines. */
  const pending = new Map<string, Guarded>()
  /** Those that are owed nothing. */
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
    expect(name, { socket, source, untilMs: 0, answers: new Set(), sentBytes: 0 })
    socket.once('close', () => {
      if ((pending.get(name) ?? served.get(name))?.socket === socket) forget(name)
    })
  })
  server.on('upgrade', ({ socket }: IncomingMessage) => void expectAgain(nameOf(socket)))
  // First of all who hear of it: what is answered at once has its headers then.
  server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
    const name = nameOf(request.socket)
    const guarded = pending.get(name) ?? expectAgain(name)
    if (guarded === undefined) return
    const { answers, source } = guarded
    answers.add(response)
    if (source !== undefined && (servedOf.get(source) ?? 0) >= limits.socketsPerAddress) {
      response.shouldKeepAlive = false
    }
    response.once('finish', () => {
      answers.delete(response)
      // Answered before all of it was there, for example because it is too long: no more than it had.
      if (!request.complete || pending.get(name) !== guarded) return
      if (answers.size === 0) keep(name)
      else renew(name, guarded)
    })
  })
  // Node would answer by itself what expects something strange, and nobody here would hear of it. A server may ignore
  // that it does (RFC 9110, section 10.1.1).
  server.on('checkExpectation', (request, response) => server.emit('request', request, response))

  return { forget: (socket) => forget(nameOf(socket)) }

  function sourceToCount(address: string): string | undefined {
    const source = sourceOf(address)
    return isProxy(address) || (exemptLoopback && isLoopbackSource(source)) ? undefined : source
  }

  function expect(name: string, guarded: Guarded): void {
    guarded.untilMs = performance.now() + limits.registerMs
    count(pendingOf, guarded.source, 1)
    pending.set(name, guarded)
    timer ??= setTimeout(closeOverdue, limits.registerMs)
  }

  /** One that was served asks again; answers undefined if it was not. */
  function expectAgain(name: string): Guarded | undefined {
    const guarded = served.get(name)
    if (guarded === undefined) return undefined
    drop(name, guarded)
    expect(name, guarded)
    return guarded
  }

  /** To the end of the order. */
  function renew(name: string, guarded: Guarded): void {
    guarded.untilMs = performance.now() + limits.registerMs
    pending.delete(name)
    pending.set(name, guarded)
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
    if (guarded !== undefined) drop(name, guarded)
  }

  function drop(name: string, { source }: Guarded): void {
    served.delete(name)
    count(servedOf, source, -1)
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
      if (hasTakenMore(guarded)) renew(name, guarded)
      else guarded.socket.destroy()
    }
  }
}

/** Whoever has asked for something long, such as a file of the page, may read it slowly, but has to read. */
function hasTakenMore(guarded: Guarded): boolean {
  const { sentBytes } = guarded
  const [answer] = guarded.answers
  if (answer?.headersSent !== true || !answer.req.complete) return false
  guarded.sentBytes = answer.socket?.bytesWritten ?? 0
  return guarded.sentBytes > sentBytes
}

function count(counts: Map<string, number>, source: string | undefined, change: 1 | -1): void {
  if (source === undefined) return
  const changed = (counts.get(source) ?? 0) + change
  if (changed > 0) counts.set(source, changed)
  else counts.delete(source)
}
