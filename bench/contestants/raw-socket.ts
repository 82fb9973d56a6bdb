import { once } from 'node:events'
import { connect, createServer, type ListenOptions, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serveDuplex, wireOfDuplex } from './duplex.ts'
import type { Contestant } from '../contestant.ts'

/** A TCP socket and a Unix socket of node:net with nothing around them. */
export const rawTcp = createRaw(() => ({ port: 0, host: '127.0.0.1' }))
export const rawUnix = createRaw(() => ({ path: join(tmpdir(), `bench-raw-${process.pid}.sock`) }))

function createRaw(place: () => ListenOptions): Contestant {
  return {
    async serve() {
      const server = createServer({ allowHalfOpen: true, noDelay: true }, serveDuplex)
      await once(server.listen(place()), 'listening')
      return {
        address: addressOf(server),
        async close() {
          server.close()
          await once(server, 'close')
        },
      }
    },
    async dial(address) {
      const where = /^\d+$/.test(address) ? { port: Number(address), host: '127.0.0.1' } : { path: address }
      const socket = connect({ ...where, allowHalfOpen: true, noDelay: true })
      await once(socket, 'connect')
      return wireOfDuplex(socket)
    },
  }
}

/** A path, or a port. */
export function addressOf(server: Server): string {
  const address = server.address()
  return typeof address === 'string' ? address : String(address?.port)
}
