import type { IceServer } from '../core/hub-protocol.ts'
import { type HubLimits, limitsWith } from './limits.ts'
import { type RunningHub, startHub, type StartHubOptions } from './start.ts'

/** After a signal: the hub is given this long to send its peers away before the process ends anyway. */
const drainMs = 30_000

/** Runs a hub as the environment says until SIGTERM or SIGINT. Resolves once it listens. */
export async function runHub(environment: NodeJS.ProcessEnv = process.env): Promise<RunningHub> {
  const hub = await startHub(optionsFrom(environment))
  let isEnding = false
  const end = () => {
    if (isEnding) return
    isEnding = true
    setTimeout(() => process.exit(1), drainMs).unref()
    hub.close().then(
      () => process.exit(0),
      () => process.exit(1),
    )
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
  return hub
}

/**
 * The options that environment variables stand for. Lists are separated by commas.
 *
 * - `HOST`, `PORT`: what to bind; 127.0.0.1 and 8989
 * - `HUB_NAMES`: the URLs that peers dial the hub by; needed to bind anything but loopback
 * - `ORIGINS`: the origins that pages may come from
 * - `TRUST_PROXY`: addresses or networks of proxies
 * - `ICE_SERVERS`: STUN URLs
 * - `EXEMPT_LOOPBACK`: `1` when loopback is not to be limited per address
 * - `PAGE`: a directory to serve
 * - `HUB_LIMITS`: `name=value` of limits to change
 */
export function optionsFrom(environment: NodeJS.ProcessEnv): StartHubOptions {
  return {
    host: environment['HOST'],
    port: portFrom(environment['PORT']),
    hubNames: listFrom(environment['HUB_NAMES']),
    origins: listFrom(environment['ORIGINS']),
    trustProxy: listFrom(environment['TRUST_PROXY']),
    iceServers: iceServersFrom(listFrom(environment['ICE_SERVERS'])),
    exemptLoopback: environment['EXEMPT_LOOPBACK'] === '1',
    page: environment['PAGE'],
    limits: limitsFrom(listFrom(environment['HUB_LIMITS'])),
    logger: true,
  }
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
