// A transport in a page: `tls:HOST:PORT`, sockets of node:tls. It encrypts, and proves no key: put shs2 behind it.
import { once } from 'node:events'
import { connect, createServer } from 'node:tls'
import { formatSection, MultiserverError, parseSection } from 'multiserver/plug'
import { fromDuplex } from 'multiserver/streams'

/** @param options `host` and `port` to listen at, with `key` and `cert`; `ca` for clients */
export default function tls({ host = 'localhost', port = 0, key, cert, ca } = {}) {
  return {
    name: 'tls',
    halfClose: true,
    // From where peers can get at the listener: noauth, for one, wants to know.
    reach: ['device'],
    parse(text) {
      const section = parseSection(text)
      const [to = '', at = ''] = section?.data ?? []
      if (section?.name !== 'tls' || to === '' || !/^[1-9]\d{0,4}$/.test(at)) return null
      return { dial: ({ signal }) => dial({ host: to, port: Number(at), ca, allowHalfOpen: true }, signal) }
    },
    // Before it listens nobody knows the port, unless it was given.
    addresses: (scope) => (port === 0 ? [] : print(scope, host, port)),
    listen: key && ((accept, context) => listen({ host, port, key, cert }, accept, context)),
  }
}

async function dial(options, signal) {
  if (signal.aborted) throw signal.reason
  const socket = connect(options)
  // Listened to for ever: an 'error' that nobody hears would end the process.
  socket.on('error', () => undefined)
  try {
    await once(socket, 'secureConnect', { signal })
    return fromDuplex(socket)
  } catch (cause) {
    socket.destroy()
    throw signal.aborted ? signal.reason : new MultiserverError('CONNECT_FAILED', cause.message, { cause })
  }
}

async function listen({ host, port, ...tlsOptions }, accept, { signal, onConnectionError }) {
  const server = createServer({ ...tlsOptions, allowHalfOpen: true }, (socket) => accept(fromDuplex(socket)))
  server.on('tlsClientError', onConnectionError)
  try {
    await once(server.listen(port, host), 'listening', { signal })
  } catch (cause) {
    server.close()
    throw signal.aborted ? signal.reason : new MultiserverError('LISTEN_FAILED', cause.message, { cause })
  }
  return {
    addresses: (scope) => print(scope, host, server.address().port),
    // Stops accepting, and nothing else: connections that are open go on.
    close: async () => void server.close(),
  }
}

function print(scope, host, port) {
  return scope === 'device' ? [formatSection({ name: 'tls', data: [host, String(port)] })] : []
}
