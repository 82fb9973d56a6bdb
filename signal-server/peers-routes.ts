import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { fromBase64Url, lengthPrefixed } from '../core/bytes.ts'
import { AddressRates } from './address-rates.ts'
import type { HubLimits } from './limits.ts'
import type { RecordReader } from './records.ts'
import { refuseTooFast, sourceOfRequest } from './request-limit.ts'

export interface PeersRoutesOptions {
  limits: HubLimits
  records: RecordReader
  /** Whether `GET /peers` is there. */
  listing: boolean
  /** Whether loopback is not limited. */
  exemptLoopback: boolean
}

/**
 * What a hub shows of its records, to pages of any origin that the hub serves at all:
 *
 *   GET /peers/:key          the record of a key as its bytes
 *   GET /peers?after=:key    listed records in the order of their keys, each behind its length in two bytes, 100 a page;
 *                            a page that is not full is the last
 */
export function addPeersRoutes(app: FastifyInstance, options: PeersRoutesOptions): void {
  const { limits, records, listing, exemptLoopback } = options
  const { lookupsPerSecondPerAddress: perSecond, lookupsBurstPerAddress: burst } = limits
  const rates = new AddressRates({
    rate: { perSecond, burst },
    addresses: limits.lookupAddresses,
    exemptLoopback,
  })
  const onRequest = async (request: FastifyRequest, reply: FastifyReply) => {
    void reply.headers({ 'access-control-allow-origin': '*', 'cache-control': 'no-store' })
    const waitMs = rates.take(sourceOfRequest(request), performance.now())
    return waitMs === 0 ? undefined : refuseTooFast(reply, waitMs, 'your address looks up too fast')
  }
  app.get<{ Params: { key: string } }>('/peers/:key', { onRequest }, async (request, reply) => {
    const { key } = request.params
    const record = isKey(key) ? await records.find(key, Date.now()) : undefined
    return record === undefined ? notFound(reply) : sendBytes(reply, record)
  })
  app.get<{ Querystring: Record<string, unknown> }>('/peers', { onRequest }, async (request, reply) => {
    if (!listing) return notFound(reply)
    const { after = '' } = request.query
    if (after !== '' && !isKey(after))
      return reply.code(400).send({ error: 'after is a key, as in /peers/:key' })
    const page = await records.list(after, Date.now())
    return sendBytes(reply, Buffer.concat(page.map(lengthPrefixed)))
  })
}

function isKey(text: unknown): text is string {
  return typeof text === 'string' && text.length === 43 && fromBase64Url(text)?.length === 32
}

/** The same for a key that was never here, one whose record has expired, and one that withdrew it. */
function notFound(reply: FastifyReply): FastifyReply {
  return reply.code(404).send({ error: 'there is nothing here now' })
}

function sendBytes(reply: FastifyReply, bytes: Uint8Array): FastifyReply {
  return reply.type('application/octet-stream').send(Buffer.from(bytes))
}
