import type { FastifyInstance } from 'fastify'
import { type Access, isBearer, tokenOf } from './authorization.ts'
import type { HubMetrics } from './metrics.ts'

/** `/metrics`, for whoever has access. */
export function addMetricsRoute(app: FastifyInstance, metrics: HubMetrics, access: Access | undefined): void {
  const token = tokenOf(access, '/metrics')
  app.get('/metrics', async (request, reply) => {
    if (token !== undefined && !isBearer(request.headers.authorization, token)) {
      return reply.code(401).header('www-authenticate', 'Bearer').send({ error: '/metrics wants its token' })
    }
    return reply.type(metrics.contentType).send(await metrics.text())
  })
}
