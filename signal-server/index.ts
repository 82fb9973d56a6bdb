import { redis } from './cluster/redis.ts'
import { hub as plugin } from './server.ts'
import { startHub } from './start.ts'

export type { Access } from './authorization.ts'
export type { Cluster } from './cluster/cluster.ts'
export { Health } from './health.ts'
export type { HealthReport } from './health.ts'
export type { HubCounts } from './hub.ts'
export type { HubLimits } from './limits.ts'
export type { HubPluginOptions } from './plugin-options.ts'
export type { TlsFiles } from './tls.ts'
export type { TurnOptions } from './turn.ts'
export type { RunningHub, StartHubOptions } from './start.ts'

/** The Fastify plugin; `hub.startHub` and `hub.redis` are there for those who `require()` and get only the function. */
const hub = Object.assign(plugin, { startHub, redis })

export { hub, hub as default, hub as 'module.exports', redis, startHub }
