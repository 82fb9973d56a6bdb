import fastify from 'fastify'
import type { AddressInfo } from 'node:net'
import { hub } from '../../signal-server/index.ts'

export interface DemoHubOptions {
  readonly port: number
  /** The directory of the built page. */
  readonly page: string
  /** Where the lobby can be dialed; undefined while its process starts. */
  readonly lobbyAddress: () => string | undefined
}

export interface DemoHub {
  /** `http://127.0.0.1:PORT` */
  readonly pageUrl: string
  /** `ws://127.0.0.1:PORT` */
  readonly hubUrl: string
  close(): Promise<void>
}

/** A hub for this machine that serves the demo page, and tells it where the lobby is. */
export async function startDemoHub({ port, page, lobbyAddress }: DemoHubOptions): Promise<DemoHub> {
  const app = fastify({ forceCloseConnections: true })
  await app.register(async (scope) => {
    // All peers of the demo come from one address, with as many tabs as somebody likes to open.
    await hub(scope, { page, exemptLoopback: true })
    scope.get('/demo.json', (_request, reply) =>
      reply.header('cache-control', 'no-store').send({ lobby: lobbyAddress() ?? '' }),
    )
  })
  try {
    await app.listen({ host: '127.0.0.1', port })
  } catch (error) {
    await app.close()
    throw error
  }
  const { port: actualPort } = app.server.address() as AddressInfo
  return {
    pageUrl: `http://127.0.0.1:${actualPort}`,
    hubUrl: `ws://127.0.0.1:${actualPort}`,
    close: () => app.close(),
  }
}
