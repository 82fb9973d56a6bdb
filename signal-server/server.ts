import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { resolve } from 'node:path'
import type { Duplex } from 'node:stream'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import { hubSubprotocol } from '../core/hub-protocol.ts'
import { sourceOf } from '../core/ip.ts'
import { rememberAccept } from './accept-times.ts'
import { ClusterNode, type ClusterNodeOptions } from './cluster/cluster-node.ts'
import { ClusterRecords } from './cluster/cluster-records.ts'
import { forwardedHeaderNote } from './forwarded-note.ts'
import { type GateOptions, refuseRequest } from './gate.ts'
import { halfClosedFor } from './half-closed.ts'
import { Health } from './health.ts'
import { Hub } from './hub.ts'
import { observedBy } from './hub-observer.ts'
import { limitsWith } from './limits.ts'
import type { HubPluginOptions } from './plugin-options.ts'
import { areLoopback, canonicalNames, dialedNames, isLoopbackAddress, loopbackNames } from './names.ts'
import { HubMetrics, type MetricsSources } from './metrics.ts'
import { addMetricsRoute } from './metrics-route.ts'
import { addPeersRoutes } from './peers-routes.ts'
import { loadProofChecker } from './proof.ts'
import { addRelayRoute, createRelay, type RelayRouteOptions } from './relay-route.ts'
import { limitRequests, type RequestLimit } from './request-limit.ts'
import { HubSockets } from './sockets.ts'
import { HubStatus, type StatusSources } from './status.ts'
import { addStatusRoutes } from './status-routes.ts'
import { provideWebSockets, refuseSocket } from './websockets.ts'
import { IceServers } from './turn.ts'
import { forgetRequest } from './upgraded.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether the route may be upgraded to a WebSocket. */
    isHub?: boolean
  }
}

/** What a page of the hub may do: run its own scripts, libsodium's WebAssembly among them, and dial anyone. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "font-src 'self'",
  "media-src 'self' blob:",
  "manifest-src 'self'",
  "worker-src 'self'",
  'connect-src * ws: wss:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** The hub as a Fastify plugin: its WebSocket at the prefix it is registered with, `/peers`, `/limits`, `/livez`, `/readyz`, `/metrics`, `/status`. */
export async function hub(app: FastifyInstance, options: HubPluginOptions): Promise<void> {
  app.addHook('onResponse', async (request) => {
    // What asked for an upgrade is no HTTP connection to Node any more: answered instead, by whichever route of the
    // app, it would stay open past every limit, and closing the app would wait for it.
    if (request.headers.upgrade !== undefined) request.raw.socket.destroy()
  })
  const { prefix = '', ...rest } = options
  await app.register((scope) => hubRoutes(scope, rest), { prefix })
}

/** As fastify-plugin marks it: the hook above is for the whole app; everything else stays within the hub. */
Object.assign(hub, { [Symbol.for('skip-override')]: true })

async function hubRoutes(app: FastifyInstance, options: HubPluginOptions): Promise<void> {
  const limits = limitsWith(options.limits)
  const configured = canonicalNames(options.hubNames ?? [])
  if (configured.length === 0) refuseToListenInPublic(app)
  const health = options.health ?? new Health()
  const cluster = createClusterNode(app, options, health, {
    tell: (event) => sockets.hear(event),
    records: { all: () => state.records.all(Date.now()), most: limits.recordKeys },
  })
  const sources = { counts: () => state.counts(), queuedBytes: () => sockets.queuedBytes, limits }
  // What a load balancer leads to is not this hub alone.
  const [nodeUrl] = canonicalNames(
    options.cluster === undefined ? [] : [options.nodeUrl].filter((url) => url !== undefined),
  )
  const mayRelay = options.relay === true && (options.cluster === undefined || nodeUrl !== undefined)
  if (options.relay === true && !mayRelay)
    app.log.warn('one of several hubs relays only with nodeUrl (NODE_URL)')
  const metrics = createMetrics(app, options, {
    ...sources,
    relay: () =>
      relay === undefined ? undefined : { counts: relay.counts(), queuedBytes: relay.queuedBytes },
    cluster: () => ({ ...state.cluster(), nodes: cluster?.nodes ?? 1 }),
  })
  const status = createStatus(app, options, {
    ...sources,
    records: () => state.records.size,
    health,
    turn: options.turn !== undefined,
    nodes: cluster === undefined ? undefined : () => cluster.nodes,
    circuits: mayRelay ? () => relay?.counts().open ?? 0 : undefined,
  })
  const observer = observedBy([metrics, status].filter((each) => each !== undefined))
  const relay = mayRelay ? createRelay(limits, observer) : undefined
  const state: Hub = new Hub({
    node: cluster?.name,
    limits,
    hubNames: () => (configured.length > 0 ? configured : loopbackNames(portOf(app), app.prefix)),
    checkProof: await loadProofChecker(),
    randomBytes: (length) => randomBytes(length),
    iceServers: new IceServers(options),
    exemptLoopback: options.exemptLoopback ?? false,
    relay,
    nodeUrl,
    unixNowMs: Date.now,
    observer,
  })
  const sockets: HubSockets = new HubSockets(state, limits, observer, cluster)

  await provideWebSockets(app, limits, { relay: relay !== undefined })
  addGate(app, {
    isLoopback: areLoopback(configured),
    origins: options.origins,
    limitRequest: limitRequests(limits, options.exemptLoopback ?? false),
  })
  if (options.page !== undefined && options.page !== '') {
    await app.register(fastifyStatic, { root: resolve(options.page), dotfiles: 'deny' })
  }
  const acceptedAtMs = rememberAccept(app)
  const endInTime = halfClosedFor(limits.closeMs)
  addHubRoute(app, { sockets, acceptedAtMs, endInTime, page: options.page })
  if (relay !== undefined) addRelayRoute(app, { hub: state, sockets, relay, acceptedAtMs, endInTime })
  app.get('/limits', (_request, reply) => reply.header('access-control-allow-origin', '*').send(limits))
  addPeersRoutes(app, {
    limits,
    records: cluster === undefined ? state.records : new ClusterRecords(state.records, cluster),
    listing: options.listing ?? false,
    exemptLoopback: options.exemptLoopback ?? false,
  })
  if (metrics !== undefined) addMetricsRoute(app, metrics, options.metrics)
  if (status !== undefined) await addStatusRoutes(app, status, options.status)
  app.get('/livez', () => ({ alive: true }))
  app.get('/readyz', (_request, reply) => reply.code(health.isReady ? 200 : 503).send(health.report()))
  app.addHook('preClose', async () => {
    health.leave()
    await Promise.all([sockets.drain(), relay?.drain()])
  })
  app.server.on('upgrade', (_request, socket: Duplex) => {
    // An app that is closing answers before any hook; see the hook of `hub` for what would become of the socket.
    if (!sockets.isDraining) return
    socket.on('error', () => undefined)
    socket.end(() => socket.destroy())
  })
  if (options.cluster !== undefined) await cluster?.start(options.cluster)
  await options.extend?.(app)
}

function createClusterNode(
  app: FastifyInstance,
  { cluster, nodeUrl }: HubPluginOptions,
  health: Health,
  { tell, records }: Pick<ClusterNodeOptions, 'tell' | 'records'>,
): ClusterNode | undefined {
  if (cluster === undefined) return undefined
  // Peers of this hub reach each other without the others: no reason to send them away.
  health.note('cluster', false)
  return new ClusterNode({
    url: nodeUrl,
    log: app.log,
    records,
    tell(event) {
      if (event.kind === 'joined' || event.kind === 'lost') health.note('cluster', event.kind === 'joined')
      tell(event)
    },
  })
}

function createMetrics(
  app: FastifyInstance,
  options: HubPluginOptions,
  sources: MetricsSources,
): HubMetrics | undefined {
  if (options.metrics === undefined || options.metrics === false) return undefined
  const metrics = new HubMetrics(sources)
  app.addHook('onClose', () => metrics.close())
  return metrics
}

function createStatus(
  app: FastifyInstance,
  options: HubPluginOptions,
  sources: StatusSources,
): HubStatus | undefined {
  if (options.status === undefined || options.status === false) return undefined
  const status = new HubStatus(sources)
  app.addHook('onClose', () => status.close())
  return status
}

/** Before every route, those of the operator among them. */
function addGate(app: FastifyInstance, gate: GateOptions & { limitRequest: RequestLimit }): void {
  const noteForwarded = forwardedHeaderNote(app)
  app.addHook('onRequest', async (request, reply) => {
    void reply.headers({
      'content-security-policy': contentSecurityPolicy,
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    })
    noteForwarded(request)
    // New sockets have a rate of their own.
    const limited = request.ws ? undefined : gate.limitRequest(request, reply)
    if (limited !== undefined) return limited
    const refusal = refuseRequest(request.headers, gate)
    if (refusal !== undefined) return reply.code(403).send({ error: refusal })
    // Every route could be upgraded otherwise, past all limits.
    if (request.ws && request.routeOptions.config.isHub !== true)
      return reply.code(404).send({ error: 'no hub here' })
  })
}

interface HubRouteOptions extends Pick<RelayRouteOptions, 'sockets' | 'acceptedAtMs' | 'endInTime'> {
  page: string | undefined
}

/** The place that peers dial; who asks for it without an upgrade gets the page, if there is one. */
function addHubRoute(
  app: FastifyInstance,
  { sockets, acceptedAtMs, endInTime, page }: HubRouteOptions,
): void {
  const terms = { subprotocol: hubSubprotocol, refusal: (source: string) => sockets.refusal(source) }
  const replies = new WeakMap<FastifyRequest, FastifyReply>()
  app.route({
    method: 'GET',
    url: '/',
    config: { isHub: true },
    preHandler: async (request, reply) => {
      replies.set(request, reply)
      return request.ws ? refuseSocket(request, reply, terms) : undefined
    },
    handler: (_request, reply) => serveRoot(reply, page),
    wsHandler: (socket, request) => {
      logSocket(socket, request)
      endInTime(request.raw.socket)
      const reply = replies.get(request)
      if (reply !== undefined) forgetRequest(socket, request, reply)
      sockets.open(socket, request.raw.socket, {
        source: sourceOf(request.ip),
        acceptedAtMs: acceptedAtMs(request),
        dialedAs: dialedNames(request.headers.host, request.url),
      })
    },
  })
}

/** A hub without a name must not be reached from elsewhere: anyone there could pass it off as another. */
function refuseToListenInPublic(app: FastifyInstance): void {
  app.server.once('listening', () => {
    const address = app.server.address()
    if (address === null || typeof address === 'string' || isLoopbackAddress(address)) return
    // Whoever called listen() waits for this event too; the server is theirs until it has been heard.
    app.server.emit('error', new Error(`a hub that listens on ${address.address} needs hubNames (HUB_NAMES)`))
    process.nextTick(() => app.server.close())
  })
}

function portOf(app: FastifyInstance): number {
  const address: AddressInfo | string | null = app.server.address()
  return address === null || typeof address === 'string' ? 0 : address.port
}

function logSocket(socket: WebSocket, request: FastifyRequest): void {
  // Nothing of the request is kept for the life of the socket unless it is asked for.
  if (request.log.level !== 'debug' && request.log.level !== 'trace') return
  request.log.debug({ req: request }, 'socket opened')
  socket.on('close', (code: number) => request.log.debug({ req: request, code }, 'socket closed'))
}

function serveRoot(reply: FastifyReply, page: string | undefined): FastifyReply {
  if (page !== undefined) return reply.sendFile('index.html')
  return reply
    .code(426)
    .header('upgrade', 'websocket')
    .send({ error: `this is a hub: speak ${hubSubprotocol}` })
}
