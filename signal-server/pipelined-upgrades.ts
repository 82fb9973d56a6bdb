import { type IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Ends the connections of upgrades that were asked for behind a request without an answer yet, before anyone else hears
 * of them. Node has let go of such a connection, but the answer before still has the socket, so that no WebSocket can be
 * made of it: when that has gone out, nobody would read it, count it or ever close it. No client needs to ask so early.
 */
export function endPipelinedUpgrades(server: Server): void {
  server.prependListener('upgrade', (request: IncomingMessage, socket: Socket) => {
    if (isBeingAnswered(request, socket)) socket.destroy()
  })
}

function isBeingAnswered(request: IncomingMessage, socket: Socket): boolean {
  const response = new ServerResponse(request)
  try {
    // Throws while another response has the socket, which Node tells in no other way.
    response.assignSocket(socket)
  } catch {
    return true
  }
  response.detachSocket(socket)
  return false
}
