import type { FastifyInstance, FastifyRequest } from 'fastify'
import { nowMs } from './sockets.ts'

/**
 * When the connection of a request came: deadlines count from there, or waiting before the upgrade would be
 * free. A connection that served a request already counts from its upgrade.
 */
export function rememberAccept(app: FastifyInstance): (request: FastifyRequest) => number {
  const acceptedAtMs = new WeakMap<object, number>()
  const remember = (socket: object) => void acceptedAtMs.set(socket, nowMs())
  app.server.on('connection', remember)
  app.server.on('secureConnection', remember)
  app.server.on('request', ({ socket }) => void acceptedAtMs.delete(socket))
  return (request) => acceptedAtMs.get(request.raw.socket) ?? nowMs()
}
