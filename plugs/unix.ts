import { statSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join, resolve } from 'node:path'
import { formatArgument, sectionArgument } from '../core/address.ts'
import { abortReason } from '../core/deadline.ts'
import { MultiserverError } from '../core/errors.ts'
import { SocketStream } from './socket-stream.ts'
import { listenOnPath, whyUnusable } from './unix-socket.ts'
import type { ByteStream, Transport } from '../core/types.ts'

export interface UnixOptions {
  /**
   * The path of the socket, or an existing directory: then `socket` inside it. Without it each listening makes a
   * directory of its own, which goes when it is closed. On Windows the name of a pipe, `\\.\pipe\NAME`.
   */
  path?: string | undefined
  /** A socket in the file system is reached from this device only: other scopes bind and print nothing more. */
  scope?: string | readonly string[] | undefined
  /** false: this plug only dials, and `server()` makes no socket for it. @default true */
  listen?: boolean | undefined
}

/** Sockets in the file system, for whoever runs as the same user: `unix:PATH`, mode 0600. */
export function unix(options: UnixOptions = {}): Transport {
  const path = options.path === undefined ? undefined : resolveSocket(options.path)
  const section = path === undefined ? [] : [formatArgument('unix', path)]
  const dialing: Transport = {
    name: 'unix',
    halfClose: true,
    reach: ['device'],
    parse(text) {
      const wanted = sectionArgument(text, 'unix')
      if (wanted === null || wanted === '' || wanted.includes('\0')) return null
      return { dial: ({ signal }) => dial(wanted, signal) }
    },
    addresses: () => [],
  }
  if (options.listen === false) return dialing
  return {
    ...dialing,
    addresses: (scope) => (scope === 'device' ? section : []),
    async listen(accept, { onError }) {
      const makeServer = () =>
        createServer({ allowHalfOpen: true }, (socket) => accept(new SocketStream(socket, { address })))
      const listening = await listenOnPath(makeServer, path, onError)
      const address = formatArgument('unix', listening.path)
      return { addresses: (scope) => (scope === 'device' ? [address] : []), close: listening.close }
    },
  }
}

/** The absolute path, so that what is printed means the same in another process. */
function resolveSocket(path: string): string {
  if (process.platform === 'win32') return path
  const absolute = resolve(path)
  return isFolder(absolute) ? join(absolute, 'socket') : absolute
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}

function dial(path: string, signal: AbortSignal): Promise<ByteStream> {
  return new Promise((settle, reject) => {
    const unusable = whyUnusable(path)
    if (unusable !== undefined) return reject(new MultiserverError('CONNECT_FAILED', unusable))
    const socket: Socket = connect({ path, allowHalfOpen: true })
    const onAbort = () => {
      socket.destroy()
      reject(abortReason(signal))
    }
    const onError = (cause: Error) => {
      signal.removeEventListener('abort', onAbort)
      reject(new MultiserverError('CONNECT_FAILED', cause.message, { cause }))
    }
    socket.once('error', onError)
    socket.once('connect', () => {
      signal.removeEventListener('abort', onAbort)
      socket.off('error', onError)
      settle(new SocketStream(socket, { address: formatArgument('unix', path) }))
    })
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
  })
}

export default unix
export { unix as 'module.exports' }
