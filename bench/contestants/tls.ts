import { once } from 'node:events'
import { connect, createServer } from 'node:tls'
import { key, cert } from '../../test/support/certificate.ts'
import type { Contestant } from '../contestant.ts'
import { serveDuplex, wireOfDuplex } from './duplex.ts'
import { addressOf } from './raw-socket.ts'

/** node:tls, version 1.3, over TCP: with the cipher that it chooses by itself, AES by the processor's own instructions. */
export const tls13 = createTls({})
/** And with the cipher that shs2 has, which no processor has instructions for. */
export const tls13ChaCha = createTls({ ciphers: 'TLS_CHACHA20_POLY1305_SHA256' })

function createTls(ciphers: { ciphers?: string }): Contestant {
  return {
    async serve() {
      const server = createServer(
        { key, cert, minVersion: 'TLSv1.3', allowHalfOpen: true, ...ciphers },
        serveDuplex,
      )
      await once(server.listen(0, '127.0.0.1'), 'listening')
      return {
        address: addressOf(server),
        close() {
          server.close()
          return Promise.resolve()
        },
      }
    },
    async dial(address) {
      const socket = connect({
        port: Number(address),
        host: '127.0.0.1',
        ca: cert,
        servername: 'localhost',
        ...ciphers,
      })
      await once(socket, 'secureConnect')
      return wireOfDuplex(socket)
    },
  }
}
