import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { HubMetrics } from './metrics.ts'

/** Nobody; everyone who reaches the hub; whoever shows the token. */
export type MetricsAccess = boolean | { token: string }

/** `/metrics`, for whoever has access. */
export function addMetricsRoute(
  app: FastifyInstance,
  metrics: HubMetrics,
  access: MetricsAccess | undefined,
): void {
  const token = typeof access === 'object' ? access.token : undefined
  if (token === '') throw new TypeError('the token for /metrics is empty')
  app.get('/metrics', async (request, reply) => {
    if (token !== undefined && !isBearer(request.headers.authorization, token)) {
      return reply.code(401).header('www-authenticate', 'Bearer').send({ error: '/metrics wants its token' })
    }
    return reply.type(metrics.contentType).send(await metrics.text())
  })
}

/** Compared by digests: how long that takes tells nothing. */
function isBearer(header: string | undefined, token: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(header ?? ''), digest(`Bearer ${token}`))
}
