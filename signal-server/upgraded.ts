import type { FastifyReply, FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'

/**
 * Lets go of the request that a WebSocket came from. Fastify, its plugin and Node hold it and its reply as long as the
 * socket lives, headers and all: about a third of what an idle peer would cost.
 */
export function forgetRequest(socket: WebSocket, request: FastifyRequest, reply: FastifyReply): void {
  // ws closes a socket that broke the protocol by itself, with the code that says why.
  socket.removeAllListeners('error')
  socket.on('error', closeAfterError)
  reply.raw.detachSocket(request.raw.socket)
}

function closeAfterError(this: WebSocket): void {
  this.close(1011)
}
