import { lookup } from 'node:dns/promises'
import { formatArgument, sectionArgument } from '../../core/address.ts'
import { abortReason } from '../../core/deadline.ts'
import { MultiserverError, toError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { checkReach } from '../../core/reach.ts'
import { parseHostPort, type HostPort } from '../host-port.ts'
import { listenHosts, type ListenHostOptions } from '../listen-hosts.ts'
import { UtpPorts } from './ports.ts'
import type { ByteStream, DialContext, Scope, Transport } from '../../core/types.ts'

export interface UtpOptions extends ListenHostOptions {
  /** The UDP port to listen on; 0 or none: the system chooses one. */
  port?: number | undefined
  /** How long a dial waits for an answer: with UDP nobody says that nobody is there. @default 10,000 */
  connectTimeoutMs?: number | undefined
}

/**
 * uTP (BEP 29) over one UDP socket for listening and dialing, so that a NAT mapping made once serves every connection:
 * `utp:HOST:PORT`, IPv4 only. Needs the optional package utp-native, loaded at the first use; UTP_UNAVAILABLE without.
 */
export function utp(options: UtpOptions = {}): Transport {
  const hosts = listenHosts(options)
  const ports = new UtpPorts()
  const timeoutMs = options.connectTimeoutMs ?? limits.utp.connectTimeoutMs
  const sections = (scope: Scope, port: number) =>
    hosts
      .print(scope)
      .filter((host) => !host.includes(':'))
      .map((host) => sectionOf({ host, port }))
  const dialing: Transport = {
    name: 'utp',
    halfClose: true,
    reach: [],
    parse(section) {
      const place = parseHostPort(sectionArgument(section, 'utp') ?? '')
      return place && { dial: (context) => dial(place, ports, timeoutMs, context) }
    },
    addresses: () => [],
  }
  if (options.listen === false) return dialing
  return {
    ...dialing,
    reach: hosts.reach,
    addresses: (scope) => (options.port ? sections(scope, options.port) : []),
    async listen(accept, { onError }) {
      const listening = await bindHosts(hosts.bind(), (ips) =>
        ports.listen(ips, options.port ?? 0, { accept, onError }),
      )
      return {
        addresses: (scope) => sections(scope, listening[0]?.port ?? 0),
        async close() {
          await Promise.all(listening.map((port) => port.stopListening()))
        },
      }
    },
  }
}

async function dial(
  place: HostPort,
  ports: UtpPorts,
  timeoutMs: number,
  { signal, reach }: DialContext,
): Promise<ByteStream> {
  try {
    const ip = await resolveIpv4(place.host)
    checkReach(ip, reach)
    if (signal.aborted) throw abortReason(signal)
    const port = await ports.forDialing(ip)
    return await port.connect({ ip, port: place.port, address: sectionOf(place), timeoutMs, signal })
  } catch (thrown) {
    throw toError(thrown, 'CONNECT_FAILED')
  }
}

async function bindHosts<T>(
  hosts: readonly (string | undefined)[],
  bind: (ips: readonly string[]) => Promise<T>,
): Promise<T> {
  const [first, ...more] = hosts
  try {
    // Of several, those of IPv6 are left out; one that was asked for is an error.
    const wanted = [first, ...more.filter((host) => !host?.includes(':'))]
    return await bind(await Promise.all(wanted.map(resolveIpv4)))
  } catch (cause) {
    if (cause instanceof MultiserverError && cause.code === 'UTP_UNAVAILABLE') throw cause
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new MultiserverError('LISTEN_FAILED', `could not listen on ${first ?? 'every interface'}: ${why}`, {
      cause,
    })
  }
}

/** utp-native would look names up by itself, and throw where nobody can catch it when it finds an IPv6 address. */
async function resolveIpv4(host: string | undefined): Promise<string> {
  if (host === undefined || host === '' || host === '::') return '0.0.0.0'
  if (host.includes(':')) throw new Error(`uTP has only IPv4 here, and ${host} is an IPv6 address`)
  return (await lookup(host, { family: 4 })).address
}

function sectionOf({ host, port }: HostPort): string {
  return formatArgument('utp', `${host}:${port}`)
}

export default utp
export { utp as 'module.exports' }
