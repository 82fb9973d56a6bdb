import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unix } from '../../plugs/unix.ts'
import { printSections } from '../sections.ts'
import { adaptTransport } from '../transport.ts'

export interface UnixOptions {
  /** The folder that the socket is in. @default one of its own in the system's for temporary files */
  path?: string | undefined
  scope?: string | undefined
  /** Taken, as 3.8.2 took it, and of no effect: `server()` listens. */
  server?: boolean | undefined
}

/** The plugin `multiserver/plugins/unix-socket` of 3.8.2. */
export function UnixSocket(options: UnixOptions = {}) {
  const scope = options.scope ?? 'device'
  const transport = unix({ path: socketIn(options.path) })
  return adaptTransport<{ path: string }>({
    name: 'unix',
    scope,
    transport,
    makeListening: () => transport,
    parse(section) {
      const path = section.startsWith('unix:') ? section.slice('unix:'.length) : ''
      return path === '' ? null : { name: '', path }
    },
    format: ({ path }) => `unix:${path}`,
    stringify: (asked) => (asked === scope ? printSections(transport.addresses('device')) : null),
  })
}

function socketIn(folder: string | undefined): string {
  if (process.platform === 'win32')
    return join(folder ?? join('\\\\?\\pipe', process.cwd(), 'multiserver'), 'socket')
  return join(folder ?? mkdtempSync(join(tmpdir(), 'multiserver-')), 'socket')
}

export default UnixSocket
export { UnixSocket as 'module.exports' }
