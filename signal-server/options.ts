import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { Cluster } from './cluster/cluster.ts'
import { redis } from './cluster/redis.ts'
import { allSettings, fileVariableOf, flagOf, type Setting, type SettingValues } from './settings.ts'
import type { StartHubOptions } from './start.ts'
import { IceServers } from './turn.ts'

/** What the operator has set cannot be meant: says what, what was given, and what is allowed. */
export class UsageError extends TypeError {
  override readonly name = 'UsageError'
}

export interface HubCommand {
  /** `--help` or `--version`: nothing is started. */
  ask: 'help' | 'version' | undefined
  options: StartHubOptions
  drainDelayMs: number
  /** For the operator, one line each. */
  warnings: string[]
}

export type Environment = Readonly<Record<string, string | undefined>>

/**
 * What a command line and an environment say, flags first; `settings.ts` has the table.
 * @throws UsageError
 */
export function readCommand(args: readonly string[], environment: Environment): HubCommand {
  const flags = readFlags(args)
  const warnings = unknownVariables(environment)
  if (flags['help'] === true) return { ask: 'help', options: {}, drainDelayMs: 0, warnings }
  if (flags['version'] === true) return { ask: 'version', options: {}, drainDelayMs: 0, warnings }
  const values = readSettings(flags, environment)
  return {
    ask: undefined,
    options: optionsFrom(values),
    drainDelayMs: (values.drainDelay ?? 0) * 1000,
    warnings,
  }
}

const defaultPort = 8989

type Flags = Record<string, string | boolean | undefined>

function readFlags(args: readonly string[]): Flags {
  const rows = allSettings().map(([, setting]) => {
    const isSwitch = setting.type.placeholder === undefined
    return [flagOf(setting), { type: isSwitch ? ('boolean' as const) : ('string' as const) }] as const
  })
  try {
    const { values } = parseArgs({
      args: [...args],
      allowNegative: true,
      options: {
        ...Object.fromEntries(rows),
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean' },
      },
    })
    return values
  } catch (thrown) {
    // The rest of Node's sentence is about how to escape dashes.
    const [sentence = ''] = thrown instanceof Error ? thrown.message.split(/\. |\n/) : []
    throw new UsageError(`${sentence}; --help shows the options`)
  }
}

function readSettings(flags: Flags, environment: Environment): SettingValues {
  const values = allSettings().map(([name, setting]) => [name, readSetting(setting, flags, environment)])
  // Each value comes from the type of its own row.
  return Object.fromEntries(values) as SettingValues
}

function readSetting(setting: Setting<unknown>, flags: Flags, environment: Environment): unknown {
  const { env, type } = setting
  const flag = flagOf(setting)
  const flagged = flags[flag]
  if (typeof flagged === 'boolean') return flagged
  // Compose files and unit files leave variables empty where others would leave them out.
  const set = (name: string) => (environment[name] === '' ? undefined : environment[name])
  const [given, where] = flagged === undefined ? [set(env), env] : [flagged, `--${flag}`]
  if (type.isSecret !== true) return given === undefined ? undefined : parse(setting, given, where)
  const path = flagged ?? set(fileVariableOf(env))
  if (path === undefined) return given
  if (set(env) !== undefined)
    throw new UsageError(`${env} is set, and so is a file for it: one of them is enough`)
  return readSecret(path, flagged === undefined ? fileVariableOf(env) : where)
}

function parse({ type }: Setting<unknown>, given: string, where: string): unknown {
  const value = wordsFor(where, () => type.parse(given))
  if (value === undefined) throw new UsageError(`${where} must be ${type.allowed}, not ${given}`)
  return value
}

function readSecret(path: string, where: string): string {
  const content = wordsFor(where, () => readFileSync(path, 'utf8').trim())
  if (content === '') throw new UsageError(`${where}: ${path} is empty`)
  return content
}

/** What a type throws says what is wrong, not where. */
function wordsFor<T>(where: string, read: () => T): T {
  try {
    return read()
  } catch (thrown) {
    throw new UsageError(`${where}: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
  }
}

function optionsFrom(values: SettingValues): StartHubOptions {
  const { tlsCert, tlsKey, turnUrls, turnSecret, metricsToken, statusToken } = values
  const options: StartHubOptions = {
    host: values.host,
    port: values.port ?? defaultPort,
    hubNames: values.hubNames,
    tls: pair('TLS_CERT', tlsCert, 'TLS_KEY', tlsKey, (certFile, keyFile) => ({ certFile, keyFile })),
    page: values.page,
    trustProxy: values.trustProxy,
    origins: values.origins,
    listing: values.listing,
    exemptLoopback: values.exemptLoopback,
    limits: values.limits,
    cluster: wordsFor('REDIS_URL', () => clusterFrom(values.redisUrl)),
    nodeUrl: values.nodeUrl,
    iceServers: values.iceServers,
    turn: pair('TURN_URLS', turnUrls, 'TURN_SECRET', turnSecret, (urls, secret) => ({ urls, secret })),
    turnForAnonymous: values.turnForAnonymous,
    relay: values.relay,
    metrics: metricsToken === undefined ? values.metrics : { token: metricsToken },
    status: statusToken === undefined ? values.status : { token: statusToken },
    logger: { level: values.logLevel ?? 'info' },
  }
  wordsFor('ICE_SERVERS and TURN_URLS', () => new IceServers(options))
  return options
}

function clusterFrom(urls: string | undefined): Cluster | undefined {
  return urls === undefined ? undefined : redis(...urls.split(',').map((url) => url.trim()))
}

/** Two settings that mean nothing without each other. */
function pair<A, B, T>(
  nameA: string,
  a: A | undefined,
  nameB: string,
  b: B | undefined,
  make: (a: A, b: B) => T,
): T | undefined {
  if (a === undefined && b === undefined) return undefined
  if (a === undefined) throw new UsageError(`${nameB} is set and ${nameA} is not: both are needed`)
  if (b === undefined) throw new UsageError(`${nameA} is set and ${nameB} is not: both are needed`)
  return make(a, b)
}

/** Only those that look as if they were for this program: the environment has many others. */
function unknownVariables(environment: Environment): string[] {
  const known = new Set(allSettings().map(([, { env }]) => env))
  const unknown = Object.keys(environment).filter((name) => name.startsWith('HUB_') && !known.has(name))
  return unknown.map(
    (name) => `${name} is set, and this hub knows no such variable; --help shows those it knows`,
  )
}
