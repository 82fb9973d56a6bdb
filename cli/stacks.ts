import { formatSection, parseAddress, type Alternative, type Section } from '../core/address.ts'
import { equalBytes, toBase64 } from '../core/bytes.ts'
import { classifyHost } from '../core/ip.ts'
import { net } from '../plugs/net.ts'
import { noauth } from '../plugs/noauth.ts'
import { onion } from '../plugs/onion.ts'
import { rtc } from '../plugs/rtc/index.ts'
import { isolateWebRtc, type IsolatedWebRtc } from '../plugs/rtc/isolated/index.ts'
import { shs } from '../plugs/shs/index.ts'
import { shs2 } from '../plugs/shs2/index.ts'
import { tunnel } from '../plugs/tunnel/index.ts'
import { unix } from '../plugs/unix.ts'
import { utp } from '../plugs/utp/index.ts'
import { ws, type WsOptions } from '../plugs/ws.ts'
import { CliError } from './failures.ts'
import { readPlace, type Allowed, type ListenFlags, type PeerFlags, type Place } from './flags.ts'
import { paint, say } from './terminal.ts'
import type { StackInput } from '../core/multiserver.ts'
import type { Scope, Transform, Transport } from '../core/types.ts'
import type { SecretOptions } from '../plugs/secret/transform.ts'
import type { Keys } from '../plugs/keys.ts'

/** Everything that this package can dial, the stronger protocol first. */
export function dialStacks(keys: Keys, flags: PeerFlags): StackInput[] {
  const secret = { keys, appKey: flags.appKey }
  return dialTransports(flags).flatMap((transport): StackInput[] => [
    [transport, shs2(secret)],
    [transport, shs(secret)],
    // Through a bridge, which is shs2 by itself, to what has either.
    [transport, shs2(secret), tunnel(), shs2(secret)],
    [transport, shs2(secret), tunnel(), shs(secret)],
    // WebRTC through a hub is nothing without a key.
    ...(transport.name === 'rtc' ? [] : [[transport, noauth()] as const, transport]),
  ])
}

export function dialTransports({ relay }: PeerFlags): Transport[] {
  const dials = { listen: false } as const
  return [net(dials), ws(dials), unix(dials), utp(dials), onion(), rtc({ relay })]
}

/**
 * What the flags and patterns say. Through a hub it is both shs2 and shs; a port of its own has one protocol, and
 * that is shs2.
 * A pattern is an address without keys: `net:0.0.0.0:8008~shs`, `rtc:hub.example.com~shs2`, `unix:/run/x`.
 *
 * @throws CliError when they say nothing, or what can not be
 */
export function listenStacks(keys: Keys, flags: ListenFlags, patterns: readonly string[] = []): StackInput[] {
  const secret = { keys, appKey: flags.appKey, auth: authOf(flags.allow) }
  const stacks = [
    ...flagStacks(secret, flags),
    ...patterns.flatMap((text) => patternStacks(text, secret, flags)),
  ]
  if (stacks.length === 0) {
    throw new CliError(
      'usage',
      'nothing says where to listen',
      'Add --hub URL, --net PORT, --ws PORT or --unix PATH.',
    )
  }
  return stacks
}

function authOf(allowed: Allowed | undefined): SecretOptions['auth'] {
  if (allowed === undefined || allowed === 'anyone') return undefined
  return (key) => {
    const isAllowed = allowed.some((each) => equalBytes(each, key))
    if (!isAllowed) say(`${paint('yellow', 'Refused:')} ${toBase64(key)}, which no --allow names`)
    return isAllowed
  }
}

function flagStacks(secret: SecretOptions, flags: ListenFlags): StackInput[] {
  const { hub, relay, net: tcp, ws: web, unix: path, scope, external } = flags
  const stacks: StackInput[] = []
  if (hub !== undefined) {
    const introduced = () => listeningRtc(hub, relay)
    stacks.push([introduced(), shs2(secret)], [introduced(), shs(secret)])
  }
  if (tcp !== undefined) stacks.push([net(listenOptions(tcp, scope, external)), shs2(secret)])
  if (web !== undefined) stacks.push([ws(listenOptions(web, scope, external)), shs2(secret)])
  if (path !== undefined) stacks.push([unix({ path }), shs2(secret)])
  return stacks
}

let isolated: IsolatedWebRtc | undefined

/** Whoever listens at a hub is dialed by strangers, and is to outlive what they do to WebRTC: it has a process of its own. */
function listeningRtc(hub: string, relay: PeerFlags['relay']): Transport {
  return rtc({ hub, relay, wrtc: (isolated ??= isolateWebRtc()) })
}

/** Without a host the scope decides what to bind; a host is printed for wherever it can be reached from. */
function listenOptions({ host, port }: Place, scope?: Scope, external?: string) {
  return { port, host, scope: host === undefined ? scope : scopesOf(host), external }
}

function scopesOf(host: string): Scope[] {
  const kind = classifyHost(host)
  if (kind === 'loopback') return ['device']
  return kind === 'private' ? ['device', 'local'] : ['device', 'local', 'public']
}

function patternStacks(text: string, secret: SecretOptions, flags: ListenFlags): StackInput[] {
  return parseAddress(text).map(([first, ...rest]: Alternative): StackInput => {
    const transforms = rest.map((section) => transformFrom(section, secret))
    const provesNothing = !rest.some(({ name }) => name.startsWith('shs'))
    if (provesNothing && Array.isArray(flags.allow)) {
      const message = `${formatSection(first)} proves no key, so --allow can not hold there`
      throw new CliError('usage', message, `Write ${formatSection(first)}~shs2.`)
    }
    return [transportFrom(first, flags), ...transforms]
  })
}

/** What listens at a section. @throws CliError */
export function transportFrom(section: Section, { relay, external }: ListenFlags): Transport {
  const argument = section.data.join(':')
  if (section.name === 'rtc') return listeningRtc(argument, relay)
  if (section.name === 'unix') return unix({ path: argument })
  const [, host = argument, path] = section.name === 'ws' ? (/^\/\/([^/]+)(\/.*)?$/.exec(argument) ?? []) : []
  const place = readPlace(host)
  const make = { net, utp, ws: (options: WsOptions) => ws({ ...options, path }) }[section.name]
  if (place !== null && make !== undefined) return make(listenOptions(place, undefined, external))
  const known = 'net:HOST:PORT, ws://HOST:PORT, unix:PATH, utp:HOST:PORT and rtc:HUB'
  throw new CliError('usage', `nothing can listen on ${formatSection(section)}`, `There is ${known}.`)
}

function transformFrom(section: Section, secret: SecretOptions): Transform {
  if (section.data.length > 0) {
    const message = `${formatSection(section)} names a key, and the key of who listens is that of --key`
    throw new CliError('usage', message, `Write ~${section.name} alone.`)
  }
  if (section.name === 'shs2') return shs2(secret)
  if (section.name === 'shs') return shs(secret)
  if (section.name === 'noauth') return noauth()
  throw new CliError(
    'usage',
    `there is no protocol called ${section.name} here`,
    'There is shs2, shs and noauth.',
  )
}
