import { fileURLToPath } from 'node:url'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'
import { type Access, isBasic, isBearer, tokenOf } from './authorization.ts'
import type { HubStatus, SeenSample } from './status.ts'

/** As built; beside the sources these are the sources of the page, which no browser runs. */
const pageFolder = fileURLToPath(new URL('./status/', import.meta.url))

/** Stricter than what other pages of a hub may do: it loads its three files and its numbers, and nothing else. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/**
 * For whoever has access:
 *
 *   GET /status/           the page, and its files beside it
 *   GET /status/data.json  its numbers, see StatusAnswer
 */
export async function addStatusRoutes(
  app: FastifyInstance,
  status: HubStatus,
  access: Access | undefined,
): Promise<void> {
  const token = tokenOf(access, '/status')
  await app.register(async (scope) => {
    scope.addHook('onRequest', async (request, reply) => {
      void reply.header('content-security-policy', contentSecurityPolicy)
      const { authorization } = request.headers
      if (token === undefined || isBasic(authorization, token) || isBearer(authorization, token)) return
      return reply
        .code(401)
        .header(
          'www-authenticate',
          'Basic realm="The status of this hub: any name, and the token", charset="UTF-8"',
        )
        .send({ error: '/status wants its token, as the password of any user' })
    })
    scope.get<{ Querystring: Record<string, unknown> }>('/status/data.json', (request, reply) =>
      reply.header('cache-control', 'no-store').send(status.answer(seenSample(request.query))),
    )
    await scope.register(fastifyStatic, {
      root: pageFolder,
      prefix: '/status',
      redirect: true,
      dotfiles: 'deny',
      decorateReply: false,
    })
  })
}

/** Whatever else there is in a query is answered as if there were nothing. */
function seenSample({ run, after }: Record<string, unknown>): SeenSample | undefined {
  const isKnown = typeof run === 'string' && typeof after === 'string' && /^\d{1,15}$/.test(after)
  return isKnown ? { run, after: Number(after) } : undefined
}
