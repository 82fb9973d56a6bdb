import type { FastifyInstance, FastifyRequest } from 'fastify'
import { neighbourOf } from './log.ts'

/** Logs, once for each proxy, that its forwarded headers are not believed: else all its clients are one address. */
export function forwardedHeaderNote(app: FastifyInstance): (request: FastifyRequest) => void {
  const noted = new Set<string>()
  return (request) => {
    const proxy = request.socket.remoteAddress
    const isBelieved = request.ips !== undefined && request.ips.length > 1
    if (request.headers['x-forwarded-for'] === undefined || isBelieved || proxy === undefined) return
    // Anybody can send the header: the log must not grow with their number.
    if (noted.has(proxy) || noted.size >= 16) return
    noted.add(proxy)
    app.log.warn(
      `${neighbourOf(proxy)} sends x-forwarded-for and is not in trustProxy: its clients count as one address`,
    )
  }
}
