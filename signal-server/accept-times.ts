import { Server as TlsServer } from 'node:tls'
import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { nameOf } from './socket-name.ts'
import { nowMs } from './sockets.ts'

/**
 * When the connection of a request came: deadlines count from there, or waiting before the upgrade would be
 * free. A connection that served a request already counts from its upgrade.
 */
export function rememberAccept(app: FastifyInstance): (request: FastifyRequest) => number {
  const acceptedAtMs = new WeakMap<object, number>()
  if (app.server instanceof TlsServer) rememberBelowTls(app, acceptedAtMs)
  else app.server.on('connection', (socket: Socket) => void acceptedAtMs.set(socket, nowMs()))
  app.server.on('request', ({ socket }) => void acceptedAtMs.delete(socket))
  return (request) => acceptedAtMs.get(request.raw.socket) ?? nowMs()
}

/** With TLS the socket of a request is another one than came, and all that tells which is its name. */
function rememberBelowTls(app: FastifyInstance, acceptedAtMs: WeakMap<object, number>): void {
  const atMsByName = new Map<string, number>()
  app.server.on('connection', (raw: Socket) => {
    const name = nameOf(raw)
    atMsByName.set(name, nowMs())
    raw.once('close', () => atMsByName.delete(name))
  })
  app.server.on('secureConnection', (socket: Socket) => {
    acceptedAtMs.set(socket, atMsByName.get(nameOf(socket)) ?? nowMs())
  })
}
