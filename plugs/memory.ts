import { formatArgument, sectionArgument } from '../core/address.ts'
import { MultiserverError } from '../core/errors.ts'
import { createPair } from '../core/pair.ts'
import type { ByteStream, Transport } from '../core/types.ts'

export interface MemoryOptions {
  /** The name to listen at: `memory:NAME`. Without it this plug only dials. */
  name?: string | undefined
}

/**
 * Who listens at which name. One for the process, because that is what `memory:` reaches: plugs of several
 * servers must meet somewhere.
 */
const listeners = new Map<string, (stream: ByteStream) => void>()

/** Connects within one process: `memory:NAME`. */
export function memory(options: MemoryOptions = {}): Transport {
  const { name } = options
  const section = name === undefined ? undefined : formatArgument('memory', name)
  const dialing: Transport = {
    name: 'memory',
    halfClose: true,
    reach: ['device'],
    parse(text) {
      const wanted = sectionArgument(text, 'memory')
      if (wanted === null || wanted === '') return null
      return { dial: () => dial(wanted) }
    },
    addresses: (scope) => (section !== undefined && scope === 'device' ? [section] : []),
  }
  if (name === undefined) return dialing
  return {
    ...dialing,
    listen(accept) {
      if (listeners.has(name)) {
        return Promise.reject(new MultiserverError('LISTEN_FAILED', `memory:${name} is in use`))
      }
      listeners.set(name, accept)
      return Promise.resolve({
        addresses: (scope) => dialing.addresses(scope),
        close() {
          if (listeners.get(name) === accept) listeners.delete(name)
          return Promise.resolve()
        },
      })
    },
  }
}

function dial(name: string): Promise<ByteStream> {
  const accept = listeners.get(name)
  if (accept === undefined) {
    return Promise.reject(new MultiserverError('CONNECT_FAILED', `nobody listens at memory:${name}`))
  }
  const [client, server] = createPair({ info: [{}, { address: 'memory' }] })
  accept(server)
  return Promise.resolve(client)
}

export default memory
export { memory as 'module.exports' }
