import type { Socket } from 'node:net'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { sourceOf } from '../core/ip.ts'
import { AddressRates } from './address-rates.ts'
import type { HubLimits } from './limits.ts'

/** What is done first with a request: answers the reply where no more is to be done. */
export type RequestLimit = (request: FastifyRequest, reply: FastifyReply) => FastifyReply | undefined

/**
 * Holds each address to its rate of requests, beyond which it is answered 429 and its connection closed with that. Who
 * has sent more behind it, without waiting for the answer, is cut off at once: each of a flood costs something to read.
 */
export function limitRequests(limits: HubLimits, exemptLoopback: boolean): RequestLimit {
  const { requestsPerSecondPerAddress: perSecond, requestsBurstPerAddress: burst } = limits
  const rates = new AddressRates({
    rate: { perSecond, burst },
    addresses: limits.lookupAddresses,
    exemptLoopback,
  })
  const leaving = new WeakSet<Socket>()
  return (request, reply) => {
    const { socket } = request.raw
    if (leaving.has(socket)) {
      socket.destroy()
      return reply.hijack()
    }
    const waitMs = rates.take(sourceOfRequest(request), performance.now())
    if (waitMs === 0) return undefined
    // A proxy's connection is that of many clients, and a proxy waits for each answer before it asks again.
    if (request.ip === socket.remoteAddress) {
      leaving.add(socket)
      void reply.header('connection', 'close')
    }
    return refuseTooFast(reply, waitMs, 'your address asks too fast')
  }
}

/** What the limits per address count a request by; one that came through a Unix socket has no address. */
export function sourceOfRequest({ ip }: { ip?: string }): string {
  return sourceOf(ip ?? '')
}

export function refuseTooFast(reply: FastifyReply, waitMs: number, error: string): FastifyReply {
  return reply
    .code(429)
    .header('retry-after', Math.ceil(waitMs / 1000))
    .send({ error, retryAfterMs: waitMs })
}
