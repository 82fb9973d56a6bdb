import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import { sourceOf } from '../core/ip.ts'
import { relayPath, relaySubprotocol } from '../core/relay-protocol.ts'
import type { Hub } from './hub.ts'
import type { RelayObserver } from './hub-observer.ts'
import type { HubLimits } from './limits.ts'
import { Relay } from './relay.ts'
import { RelaySockets } from './relay-sockets.ts'
import { type HubSockets, nowMs } from './sockets.ts'
import { refuseSocket } from './websockets.ts'

export interface RelayRouteOptions {
  hub: Hub
  sockets: HubSockets
  relay: RelaySockets
  acceptedAtMs: (request: FastifyRequest) => number
  /** Sees to it that a socket is gone some time after its peer has ended. */
  endInTime: (socket: Socket) => void
}

/** The place of circuits. Its sockets count with those of the hub for their address, and have as little time. */
export function addRelayRoute(app: FastifyInstance, options: RelayRouteOptions): void {
  const { hub, sockets, relay, acceptedAtMs, endInTime } = options
  const terms = { subprotocol: relaySubprotocol, refusal: (source: string) => sockets.refusal(source) }
  app.route({
    method: 'GET',
    url: relayPath,
    config: { isHub: true },
    preHandler: async (request, reply) => (request.ws ? refuseSocket(request, reply, terms) : undefined),
    handler: (_request, reply) => refuseWithoutUpgrade(reply),
    wsHandler: (socket: WebSocket, request) => {
      endInTime(request.raw.socket)
      relay.add(socket, hub.admit(sourceOf(request.ip), nowMs()), acceptedAtMs(request))
    },
  })
}

export function createRelay(limits: HubLimits, observer: RelayObserver | undefined): RelaySockets {
  const relay = new Relay({ limits, randomBytes: (length) => randomBytes(length), observer })
  return new RelaySockets(relay, limits)
}

function refuseWithoutUpgrade(reply: FastifyReply): FastifyReply {
  return reply
    .code(426)
    .header('upgrade', 'websocket')
    .send({ error: `this is a relay: speak ${relaySubprotocol}` })
}
