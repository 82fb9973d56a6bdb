import { formatArgument, sectionArgument } from '../core/address.ts'
import { fromText } from '../core/bytes.ts'
import { abortReason } from '../core/deadline.ts'
import { MultiserverError, toError } from '../core/errors.ts'
import { checkReach } from '../core/reach.ts'
import { parseHostPort, type HostPort } from './host-port.ts'
import { net } from './net.ts'
import { connectBySocks5, type Socks5Credentials } from './socks5.ts'
import type { ByteStream, DialContext, Scope, Target, Transport } from '../core/types.ts'

export interface OnionOptions {
  /** SOCKS5 proxies to try in turn, each `HOST:PORT`. @default 127.0.0.1:9050 (Tor), then 127.0.0.1:9150 (Tor Browser) */
  proxy?: string | readonly string[] | undefined
  /** For a proxy that wants them. Tor keeps connections with different ones on different circuits. */
  username?: string | undefined
  password?: string | undefined
  /** `HOST:PORT` of my own onion services, to be printed; Tor passes their connections to a net plug of mine. */
  external?: string | readonly string[] | undefined
  /** The scopes to print `external` for. @default 'public' */
  scope?: Scope | 'private' | readonly (Scope | 'private')[] | undefined
}

const defaultProxies = ['127.0.0.1:9050', '127.0.0.1:9150']

/**
 * Dials through Tor, or any SOCKS5 proxy: `onion:HOST:PORT`. Names are the proxy's to resolve, never looked up here.
 *
 * It only dials. To be reached, run a net plug on this device and let Tor's onion service pass connections to it.
 *
 * @throws STACK_INVALID for options that are no addresses, or credentials too long
 */
export function onion(options: OnionOptions = {}): Transport {
  const proxies = [options.proxy ?? defaultProxies].flat().map(proxyTarget)
  const credentials = checkCredentials(options)
  const scopes = [options.scope ?? 'public'].flat().map((scope) => (scope === 'private' ? 'local' : scope))
  const printed = [options.external ?? []].flat().map((place) => sectionOf(checkPlace('external', place)))
  return {
    name: 'onion',
    // Neither Tor nor a usual proxy keeps one direction open when the other ends.
    halfClose: false,
    reach: printed.length > 0 ? scopes : [],
    parse(section) {
      const place = parseHostPort(sectionArgument(section, 'onion') ?? '')
      if (place === null || fromText(place.host).length > 255) return null
      return { dial: (context) => dial(place, proxies, credentials, context) }
    },
    addresses: (scope) => (scopes.includes(scope) ? printed : []),
  }
}

interface Proxy {
  readonly name: string
  readonly target: Target
}

function proxyTarget(name: string): Proxy {
  checkPlace('proxy', name)
  const target = net({ listen: false }).parse(formatArgument('net', name))
  if (target === null) throw new MultiserverError('STACK_INVALID', `onion: ${name} can not be dialed`)
  return { name, target }
}

function checkPlace(option: string, text: string): HostPort {
  const place = parseHostPort(text)
  if (place === null) {
    throw new MultiserverError('STACK_INVALID', `onion: ${option} is HOST:PORT, and "${text}" is not`)
  }
  return place
}

function checkCredentials({ username, password }: OnionOptions): Socks5Credentials | undefined {
  if (username === undefined && password === undefined) return undefined
  const credentials = { username: username ?? '', password: password ?? '' }
  for (const [name, value] of Object.entries(credentials)) {
    const { length } = fromText(value)
    if (length < 1 || length > 255) {
      throw new MultiserverError(
        'STACK_INVALID',
        `onion: ${name} has 1 to 255 bytes for SOCKS5, not ${length}`,
      )
    }
  }
  return credentials
}

/** The first proxy that connects us. Each is asked, for another Tor may know another way. */
async function dial(
  place: HostPort,
  proxies: readonly Proxy[],
  credentials: Socks5Credentials | undefined,
  context: DialContext,
): Promise<ByteStream> {
  // A proxy reaches what is near it, which may be what is near me. Itself it is the user's, and may be anywhere.
  checkReach(place.host, context.reach)
  const failures: MultiserverError[] = []
  for (const proxy of proxies) {
    try {
      return await dialThrough(proxy, place, credentials, context)
    } catch (thrown) {
      if (context.signal.aborted) throw abortReason(context.signal)
      const { code, message, cause } = toError(thrown, 'CONNECT_FAILED')
      failures.push(new MultiserverError(code, `through the proxy ${proxy.name}: ${message}`, { cause }))
    }
  }
  const [only] = failures
  if (only !== undefined && failures.length === 1) throw only
  const message = failures.map((failure) => failure.message).join('; ')
  throw new MultiserverError('CONNECT_FAILED', message, { cause: new AggregateError(failures) })
}

async function dialThrough(
  { target }: Proxy,
  { host, port }: HostPort,
  credentials: Socks5Credentials | undefined,
  context: DialContext,
): Promise<ByteStream> {
  const { signal } = context
  const stream = await target.dial({ ...context, reach: undefined })
  const onAbort = () => stream.abort(abortReason(signal))
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    let source = await connectBySocks5(stream, { host, port, credentials })
    return {
      read: () => source.read(),
      write: (chunk) => stream.write(chunk),
      end: () => stream.end(),
      abort(reason) {
        source = stream
        stream.abort(reason)
      },
      closed: stream.closed,
      info: { address: sectionOf({ host, port }) },
    }
  } catch (error) {
    stream.abort()
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

function sectionOf({ host, port }: HostPort): string {
  return formatArgument('onion', `${host}:${port}`)
}

export default onion
export { onion as 'module.exports' }
