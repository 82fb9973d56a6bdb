import {
  choice,
  file,
  folder,
  host,
  hubNames,
  iceServers,
  limitChanges,
  networks,
  origins,
  port,
  seconds,
  secret,
  type SettingType,
  text,
  urls,
  yesOrNo,
} from './setting-types.ts'

/** Something that an operator can set. */
export interface Setting<T> {
  /** The environment variable; the flag follows from it, see {@link flagOf}. */
  readonly env: string
  readonly type: SettingType<T>
  /** As help and manual show it. The value itself is the default of the option that it becomes. */
  readonly byDefault: string
  /** One or two sentences. */
  readonly help: string
}

/** The longest that a hub which is told to end may wait before it begins: all of it ends within 30 s. */
export const mostDrainDelaySeconds = 20

/** Everything that can be set, in the groups and the order in which help shows it. */
export const settingGroups = {
  'Where it listens': {
    host: {
      env: 'HOST',
      type: host,
      byDefault: '127.0.0.1',
      help: 'What to bind; 0.0.0.0 or :: for everyone.',
    },
    port: { env: 'PORT', type: port, byDefault: '8989', help: 'What to listen on; 0: any free one.' },
    hubNames: {
      env: 'HUB_NAMES',
      type: hubNames,
      byDefault: 'loopback only',
      help: 'The URLs that peers dial this hub by, such as wss://hub.example.com. Peers prove their keys for one of them; without any the hub is for this machine only.',
    },
    tlsCert: {
      env: 'TLS_CERT',
      type: file,
      byDefault: 'no TLS',
      help: 'PEM file with the certificate and its chain, for TLS without a proxy. It is read again when it changes.',
    },
    tlsKey: {
      env: 'TLS_KEY',
      type: file,
      byDefault: 'no TLS',
      help: 'PEM file with the key of the certificate.',
    },
    page: {
      env: 'PAGE',
      type: folder,
      byDefault: 'none',
      help: 'A folder with an index.html to serve beside the hub.',
    },
  },
  'Who may use it': {
    trustProxy: {
      env: 'TRUST_PROXY',
      type: networks,
      byDefault: 'none',
      help: 'Proxies whose X-Forwarded-For is believed. Behind a proxy that is not named here all peers count as one address.',
    },
    origins: {
      env: 'ORIGINS',
      type: origins,
      byDefault: 'any',
      help: 'The origins that pages may come from. Programs send none and are not held back by it.',
    },
    listing: {
      env: 'LISTING',
      type: yesOrNo,
      byDefault: 'no',
      help: 'Show the records of those peers who asked for that at /peers, for lobbies and the like.',
    },
    exemptLoopback: {
      env: 'EXEMPT_LOOPBACK',
      type: yesOrNo,
      byDefault: 'no',
      help: 'Do not limit per address what comes from this machine. Not behind a proxy on this machine.',
    },
    limits: {
      env: 'HUB_LIMITS',
      type: limitChanges,
      byDefault: 'see /limits',
      help: 'Limits to change. /limits shows all of them with their values.',
    },
  },
  'Many hubs as one': {
    redisUrl: {
      env: 'REDIS_URL',
      type: secret,
      byDefault: 'alone',
      help: 'The Redis or Valkey that makes this hub one of all that name the same, such as redis://10.0.0.5:6379; several URLs with commas between them are nodes of a Redis Cluster. Needs the package @redis/client.',
    },
    nodeUrl: {
      env: 'NODE_URL',
      type: text,
      byDefault: 'none',
      help: 'The URL of this very hub, where a load balancer is in front of several.',
    },
  },
  'STUN, TURN and relay': {
    iceServers: {
      env: 'ICE_SERVERS',
      type: iceServers,
      byDefault: 'none',
      help: 'STUN servers to tell to peers, and TURN servers with fixed credentials as JSON.',
    },
    turnUrls: {
      env: 'TURN_URLS',
      type: urls,
      byDefault: 'none',
      help: 'Where your coturn is, such as turn:turn.example.com:3478. Each peer gets a credential of its own that ends by itself.',
    },
    turnSecret: {
      env: 'TURN_SECRET',
      type: secret,
      byDefault: 'none',
      help: 'The static-auth-secret of that coturn.',
    },
    turnForAnonymous: {
      env: 'TURN_FOR_ANONYMOUS',
      type: yesOrNo,
      byDefault: 'yes',
      help: 'Whether clients that have not proved a key are given TURN too.',
    },
    relay: {
      env: 'RELAY',
      type: yesOrNo,
      byDefault: 'yes',
      help: 'Pass on the sealed bytes of peers that have no better way to each other yet, within the limits.',
    },
  },
  Operation: {
    metrics: {
      env: 'METRICS',
      type: yesOrNo,
      byDefault: 'no',
      help: 'Serve /metrics for Prometheus to everyone who reaches the hub.',
    },
    metricsToken: {
      env: 'METRICS_TOKEN',
      type: secret,
      byDefault: 'none',
      help: 'Serve /metrics to who sends this token as Authorization: Bearer.',
    },
    status: {
      env: 'STATUS',
      type: yesOrNo,
      byDefault: 'loopback only',
      help: 'Serve /status, a page with the last ten minutes in charts, to everyone who reaches the hub.',
    },
    statusToken: {
      env: 'STATUS_TOKEN',
      type: secret,
      byDefault: 'none',
      help: 'Serve /status to who gives this token as a password, with any user name.',
    },
    logLevel: {
      env: 'LOG_LEVEL',
      type: choice('trace', 'debug', 'info', 'warn', 'error', 'silent'),
      byDefault: 'info',
      help: 'How much to log. At debug every request and socket has its lines, with cut addresses.',
    },
    drainDelay: {
      env: 'DRAIN_DELAY',
      type: seconds(mostDrainDelaySeconds),
      byDefault: '0',
      help: 'After SIGTERM, how long /readyz says no before peers are sent away: for load balancers.',
    },
  },
} as const satisfies Record<string, Record<string, Setting<unknown>>>

type Groups = typeof settingGroups
type AllOf<G> = { [N in G extends unknown ? keyof G : never]: G extends Record<N, infer S> ? S : never }
type Settings = AllOf<Groups[keyof Groups]>
type ValueOf<S> = S extends { type: SettingType<infer T> } ? T : never

/** What was set, by the names of the table. */
export type SettingValues = { [N in keyof Settings]?: ValueOf<Settings[N]> }

/** All rows of the table by name. */
export function allSettings(): [name: string, setting: Setting<unknown>][] {
  return Object.values(settingGroups).flatMap((group) => Object.entries<Setting<unknown>>(group))
}

/** `HUB_NAMES` is `--hub-names`. Of a secret, other programs would see the flag: it has one for its file only. */
export function flagOf({ env, type }: Setting<unknown>): string {
  const variable = type.isSecret === true ? fileVariableOf(env) : env
  return variable.toLowerCase().replaceAll('_', '-')
}

/** The variable that names a file with a secret. */
export function fileVariableOf(env: string): string {
  return `${env}_FILE`
}
