import type { IceServer } from '../core/hub-protocol.ts'
import { type HubLimits, limitsWith } from './limits.ts'
import type { StartHubOptions } from './start.ts'

/**
 * The options that environment variables stand for. Lists are separated by commas.
 *
 * - `HOST`, `PORT`: what to bind; 127.0.0.1 and 8989
 * - `HUB_NAMES`: the URLs that peers dial the hub by; needed to bind anything but loopback
 * - `ORIGINS`: the origins that pages may come from
 * - `TRUST_PROXY`: addresses or networks of proxies
 * - `ICE_SERVERS`: STUN URLs
 * - `EXEMPT_LOOPBACK`: `1` when loopback is not to be limited per address
 * - `LISTING`: `1` when the hub shows the records of those who want that
 * - `PAGE`: a directory to serve
 * - `HUB_LIMITS`: `name=value` of limits to change
 */
export function optionsFrom(environment: NodeJS.ProcessEnv): StartHubOptions {
  return {
    host: textFrom(environment['HOST']),
    port: portFrom(environment['PORT']),
    hubNames: listFrom(environment['HUB_NAMES']),
    origins: listFrom(environment['ORIGINS']),
    trustProxy: listFrom(environment['TRUST_PROXY']),
    iceServers: iceServersFrom(listFrom(environment['ICE_SERVERS'])),
    exemptLoopback: environment['EXEMPT_LOOPBACK'] === '1',
    listing: environment['LISTING'] === '1',
    page: textFrom(environment['PAGE']),
    limits: limitsFrom(listFrom(environment['HUB_LIMITS'])),
    logger: true,
  }
}

/** Compose files and unit files leave variables empty where others would leave them out. */
function textFrom(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}

function portFrom(text: string | undefined): number {
  if (text === undefined || text === '') return 8989
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > 65_535) throw new TypeError(`PORT must be a port, not ${text}`)
  return port
}

function listFrom(text: string | undefined): string[] | undefined {
  const items = (text ?? '').split(',').map((item) => item.trim())
  const named = items.filter((item) => item !== '')
  return named.length === 0 ? undefined : named
}

function iceServersFrom(urls: string[] | undefined): IceServer[] | undefined {
  return urls?.map((url) => ({ urls: [url] }))
}

function limitsFrom(changes: string[] | undefined): HubLimits | undefined {
  if (changes === undefined) return undefined
  const named = changes.map((change) => change.split('='))
  return limitsWith(Object.fromEntries(named.map(([name, value]) => [name, Number(value)])))
}
