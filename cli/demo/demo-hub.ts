import { startHub, type RunningHub } from '../../signal-server/index.ts'

export interface DemoHubOptions {
  readonly port: number
  /** The directory of the built page. */
  readonly page: string
  /** Where the lobby can be dialed; undefined while its process starts. */
  readonly lobbyAddress: () => string | undefined
}

/** A hub for this machine that serves the demo page, and tells it where the lobby is. */
export function startDemoHub({ port, page, lobbyAddress }: DemoHubOptions): Promise<RunningHub> {
  return startHub({
    port,
    page,
    // All peers of the demo come from one address, with as many tabs as somebody likes to open.
    exemptLoopback: true,
    extend: (app) =>
      app.get('/demo.json', (_request, reply) =>
        reply.header('cache-control', 'no-store').send({ lobby: lobbyAddress() ?? '' }),
      ),
  })
}
