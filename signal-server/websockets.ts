import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { Socket } from 'node:net'
import fastifyWebsocket from '@fastify/websocket'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { hubSubprotocol } from '../core/hub-protocol.ts'
import { sourceOf } from '../core/ip.ts'
import { relayFrameBytes, relaySubprotocol } from '../core/relay-protocol.ts'
import type { HubLimits } from './limits.ts'
import type { Refusal } from './peers.ts'
import { endPipelinedUpgrades } from './pipelined-upgrades.ts'

/** What the sockets of one route have to be. */
export interface SocketTerms {
  subprotocol: string
  /** Why no socket from `source` is taken now. */
  refusal: (source: string) => Refusal | undefined
}

/** Teaches the app WebSockets as a hub needs them, or refuses an app that has others. */
export async function provideWebSockets(
  app: FastifyInstance,
  limits: HubLimits,
  { relay }: { relay: boolean },
): Promise<void> {
  endPipelinedUpgrades(app.server)
  // One bound for the whole app: that of the hub's own messages is looked at again where they are received.
  const longest = relay ? Math.max(limits.messageBytes, relayFrameBytes) : limits.messageBytes
  if (app.hasDecorator('websocketServer')) {
    const { maxPayload = Infinity, perMessageDeflate } = app.websocketServer.options
    const fits = relay ? maxPayload === longest : maxPayload <= longest
    if (fits && perMessageDeflate === false) return
    throw new Error(
      `@fastify/websocket is there already: register it with options { maxPayload: ${longest}, perMessageDeflate: false }`,
    )
  }
  const options = {
    server: openUpgradesOf(app.server),
    handleProtocols: (offered: Set<string>) => chooseSubprotocol([...offered]) ?? false,
    maxPayload: longest,
    perMessageDeflate: false,
    clientTracking: false,
    // Newer than the type declarations of ws.
    maxFragments: limits.messageFragments,
    closeTimeout: limits.closeMs,
  } as const
  await app.register(fastifyWebsocket, {
    options,
    // ws closes a socket that broke the protocol by itself, with the code that says why.
    errorHandler: (error, socket, request) => {
      request.log.debug(error)
      socket.close(1011)
    },
    // The plugin's own way would close the sockets without a word about coming back.
    preClose: (done) => done(),
  })
}

/**
 * A server that never listens: all it hears of are the upgrades that a WebSocket can be made of. The plugin would log
 * its failure with each of the others.
 */
function openUpgradesOf(server: Server): Server {
  const open = createServer()
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    if (!socket.destroyed) open.emit('upgrade', request, socket, head)
  })
  return open
}

/** Before the upgrade: answers a socket that is not taken. */
export function refuseSocket(
  request: FastifyRequest,
  reply: FastifyReply,
  terms: SocketTerms,
): FastifyReply | undefined {
  const offered = request.headers['sec-websocket-protocol']?.split(',').map((name) => name.trim()) ?? []
  if (chooseSubprotocol(offered) !== terms.subprotocol) {
    return reply.code(400).send({ error: `the subprotocol must be ${terms.subprotocol}` })
  }
  const refusal = terms.refusal(sourceOf(request.ip))
  if (refusal === undefined) return undefined
  const { code, message, retryAfterMs } = refusal
  return reply
    .code(code === 'RATE' ? 429 : 503)
    .header('retry-after', Math.ceil(retryAfterMs / 1000))
    .send({ code, error: message, retryAfterMs })
}

function chooseSubprotocol(offered: readonly string[]): string | undefined {
  return [hubSubprotocol, relaySubprotocol].find((known) => offered.includes(known))
}
