import { readFile } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import { limits } from '../core/limits.ts'

export type HttpServer = Server | TlsServer

export interface HttpOptions {
  /** With `cert`, makes it wss: PEM, or the path of a file with it, read by `server()`. */
  key?: string | Buffer | undefined
  /** With `key`: PEM of the certificate and its chain, or the path of a file with it. */
  cert?: string | Buffer | undefined
  /** Answers plain requests. @default 426 Upgrade Required */
  handler?: RequestListener | undefined
}

/** Makes the HTTP servers that WebSockets are accepted on; the files of `key` and `cert` are read now. */
export async function prepareHttp(options: HttpOptions): Promise<() => HttpServer> {
  const { key, cert, handler = refusePlainHttp } = options
  if (key === undefined || cert === undefined) return () => createServer(deadlines, handler)
  const tls = { key: await readPem(key), cert: await readPem(cert) }
  return () => createTlsServer({ ...deadlines, ...tls }, handler)
}

export function portOf(server: HttpServer): number | undefined {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : undefined
}

const deadlines = {
  // Before the upgrade nobody else counts the time.
  headersTimeout: limits.handshake.timeoutMs,
  requestTimeout: limits.handshake.timeoutMs,
  handshakeTimeout: limits.handshake.timeoutMs,
  connectionsCheckingInterval: limits.handshake.timeoutMs / 5,
  keepAlive: true,
  keepAliveInitialDelay: limits.socket.keepAliveMs,
}

const refusePlainHttp: RequestListener = (_request, response) => {
  response.writeHead(426, { connection: 'close', 'content-type': 'text/plain' })
  response.end('This is a WebSocket server of multiserver.\n')
}

function readPem(pem: string | Buffer): Promise<string | Buffer> {
  return typeof pem === 'string' && !pem.includes('-----BEGIN') ? readFile(pem) : Promise.resolve(pem)
}
