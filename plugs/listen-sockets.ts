import type { AddressInfo, Server } from 'node:net'
import { MultiserverError } from '../core/errors.ts'

export interface ListeningSockets {
  /** The same on every host. */
  readonly port: number
  /** Stops accepting and resolves at once: connections that are open go on. */
  readonly close: () => Promise<void>
}

/** One server a host, all on one port: the first takes the port, which the system chooses when it is 0. */
export async function listenOnHosts(
  makeServer: () => Server,
  hosts: readonly (string | undefined)[],
  port: number,
  onError: (error: Error) => void,
): Promise<ListeningSockets> {
  const servers: Server[] = []
  const close = () => {
    for (const server of servers) server.close()
    return Promise.resolve()
  }
  let chosen = port
  for (const host of hosts) {
    const server = makeServer()
    try {
      chosen = await bind(server, host, chosen)
    } catch (cause) {
      await close()
      const where = `${host ?? 'every interface'}, port ${port}`
      const message = `could not listen on ${where}: ${cause instanceof Error ? cause.message : String(cause)}`
      throw new MultiserverError('LISTEN_FAILED', message, { cause })
    }
    server.on('error', onError)
    servers.push(server)
  }
  return { port: chosen, close }
}

function bind(server: Server, host: string | undefined, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, () => {
      server.off('error', reject)
      resolve((server.address() as AddressInfo).port)
    })
  })
}
