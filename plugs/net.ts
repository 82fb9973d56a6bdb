import { connect, createServer, type Socket } from 'node:net'
import { formatArgument, sectionArgument } from '../core/address.ts'
import { abortReason } from '../core/deadline.ts'
import { MultiserverError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { checkReach } from '../core/reach.ts'
import { parseHostPort, type HostPort } from './host-port.ts'
import { listenHosts, type ListenHostOptions } from './listen-hosts.ts'
import { listenOnHosts } from './listen-sockets.ts'
import { lookupWithin } from './lookup-within.ts'
import { limitedSource, peerHost, SocketStream } from './socket-stream.ts'
import type { ByteStream, DialContext, Transport } from '../core/types.ts'

export interface NetOptions extends ListenHostOptions {
  /** The TCP port to listen on; 0 or none: the system chooses one. */
  port?: number | undefined
}

const socketOptions = {
  allowHalfOpen: true,
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: limits.socket.keepAliveMs,
}

/** TCP: `net:HOST:PORT`. IPv6 addresses bare or in brackets. */
export function net(options: NetOptions = {}): Transport {
  const hosts = listenHosts(options)
  const sections = (scope: Parameters<typeof hosts.print>[0], port: number) =>
    hosts.print(scope).map((host) => formatArgument('net', `${host.replace(/%.*$/, '')}:${port}`))
  const dialing: Transport = {
    name: 'net',
    halfClose: true,
    reach: [],
    parse(section) {
      const place = parseHostPort(sectionArgument(section, 'net') ?? '')
      return place && { dial: (context) => dial(place, context) }
    },
    addresses: () => [],
  }
  if (options.listen === false) return dialing
  return {
    ...dialing,
    reach: hosts.reach,
    addresses: (scope) => (options.port ? sections(scope, options.port) : []),
    async listen(accept, { onError }) {
      const makeServer = () => createServer(socketOptions, (socket) => accept(fromSocket(socket)))
      const listening = await listenOnHosts(makeServer, hosts.bind(), options.port ?? 0, onError)
      return { addresses: (scope) => sections(scope, listening.port), close: listening.close }
    },
  }
}

function dial({ host, port }: HostPort, { signal, reach }: DialContext): Promise<ByteStream> {
  return new Promise((resolve, reject) => {
    checkReach(host, reach)
    const socket = connect({ ...socketOptions, host, port, lookup: lookupWithin(reach) })
    const onAbort = () => {
      socket.destroy()
      reject(abortReason(signal))
    }
    const onError = (cause: Error) => {
      signal.removeEventListener('abort', onAbort)
      reject(new MultiserverError('CONNECT_FAILED', describe(cause), { cause }))
    }
    socket.once('error', onError)
    socket.once('connect', () => {
      signal.removeEventListener('abort', onAbort)
      socket.off('error', onError)
      resolve(new SocketStream(socket, { address: formatArgument('net', `${host}:${port}`) }))
    })
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
  })
}

function fromSocket(socket: Socket): ByteStream {
  const host = peerHost(socket)
  const address = formatArgument('net', `${host ?? 'unknown'}:${socket.remotePort ?? 0}`)
  return new SocketStream(socket, { address, source: host && limitedSource(host) })
}

/** Node tries a name's addresses in turn and puts what each said into an AggregateError without a message. */
function describe(cause: Error): string {
  if (cause instanceof AggregateError) return cause.errors.map((error: Error) => error.message).join('; ')
  return cause.message
}

export default net
export { net as 'module.exports' }
