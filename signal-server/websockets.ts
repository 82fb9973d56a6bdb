import fastifyWebsocket from '@fastify/websocket'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { hubSubprotocol } from '../core/hub-protocol.ts'
import { sourceOf } from '../core/ip.ts'
import type { HubLimits } from './limits.ts'
import type { HubSockets } from './sockets.ts'

/** Teaches the app WebSockets as a hub needs them, or refuses an app that has others. */
export async function provideWebSockets(app: FastifyInstance, limits: HubLimits): Promise<void> {
  if (app.hasDecorator('websocketServer')) {
    const { maxPayload, perMessageDeflate } = app.websocketServer.options
    if ((maxPayload ?? Infinity) <= limits.messageBytes && perMessageDeflate === false) return
    throw new Error(
      `@fastify/websocket is there already: register it with options { maxPayload: ${limits.messageBytes}, perMessageDeflate: false }`,
    )
  }
  const options = {
    handleProtocols: (offered: Set<string>) => (offered.has(hubSubprotocol) ? hubSubprotocol : false),
    maxPayload: limits.messageBytes,
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

/** Before the upgrade: answers a socket that is not taken. */
export function refuseSocket(
  request: FastifyRequest,
  reply: FastifyReply,
  sockets: HubSockets,
): FastifyReply | undefined {
  const offered = request.headers['sec-websocket-protocol']?.split(',').map((name) => name.trim()) ?? []
  if (!offered.includes(hubSubprotocol)) {
    return reply.code(400).send({ error: `the subprotocol must be ${hubSubprotocol}` })
  }
  const refusal = sockets.refusal(sourceOf(request.ip))
  if (refusal === undefined) return undefined
  const { code, message, retryAfterMs } = refusal
  return reply
    .code(code === 'RATE' ? 429 : 503)
    .header('retry-after', Math.ceil(retryAfterMs / 1000))
    .send({ code, error: message, retryAfterMs })
}
