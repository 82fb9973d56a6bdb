import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { resolve } from 'node:path'
import type { Duplex } from 'node:stream'
import fastifyStatic from '@fastify/static'
import fastifyWebsocket from '@fastify/websocket'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { IceServer } from '../core/hub-protocol.ts'
import { hubSubprotocol } from '../core/hub-protocol.ts'
import { refuseRequest } from './gate.ts'
import { Hub } from './hub.ts'
import { type HubLimits, limitsWith } from './limits.ts'
import { areLoopback, canonicalNames, dialedNames, isLoopbackAddress, loopbackNames } from './names.ts'
import { loadProofChecker } from './proof.ts'
import { HubSockets, nowMs } from './sockets.ts'
import { forgetRequest } from './upgraded.ts'
import { sourceOf } from '../core/ip.ts'

export interface HubPluginOptions {
  /**
   * The URLs that peers dial this hub by, for example `wss://hub.example.com`: a registration is signed for one
   * of them. Without any, the hub is for this machine only and refuses to listen on anything but loopback.
   */
  hubNames?: readonly string[] | undefined
  /** In place of some of the defaults. */
  limits?: Partial<Record<keyof HubLimits, number | undefined>> | undefined
  /** Told to every peer. @default none */
  iceServers?: readonly IceServer[] | undefined
  /** Origins that pages may come from. @default any; for a hub of this machine, pages of this machine */
  origins?: readonly string[] | undefined
  /** Whether what is limited per address is not limited for loopback. @default false */
  exemptLoopback?: boolean | undefined
  /** A directory with an `index.html` to be served beside the hub. */
  page?: string | undefined
  /** Adds routes and hooks of your own beside the hub's, behind its gate for hosts and origins. Called once. */
  extend?: ((app: FastifyInstance) => unknown) | undefined
  /** Where the hub is in the app, for example `/hub`. @default '' */
  prefix?: string | undefined
}

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

/** The hub as a Fastify plugin: its WebSocket at the prefix it is registered with, `/limits`, `/livez`, `/readyz`. */
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
  const hubNames = () => (configured.length > 0 ? configured : loopbackNames(portOf(app), app.prefix))
  const state = new Hub({
    limits,
    hubNames,
    checkProof: await loadProofChecker(),
    randomBytes: (length) => randomBytes(length),
    iceServers: options.iceServers ?? [],
    exemptLoopback: options.exemptLoopback ?? false,
  })
  const sockets = new HubSockets(state, limits)

  await provideWebSockets(app, limits)
  const gate = { isLoopback: areLoopback(configured), origins: options.origins }
  const noteForwarded = forwardedHeaderNote(app)
  app.addHook('onRequest', async (request, reply) => {
    void reply.headers({
      'content-security-policy': contentSecurityPolicy,
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    })
    noteForwarded(request)
    const refusal = refuseRequest(request.headers, gate)
    if (refusal !== undefined) return reply.code(403).send({ error: refusal })
    // Every route could be upgraded otherwise, past all limits.
    if (request.ws && request.routeOptions.config.isHub !== true)
      return reply.code(404).send({ error: 'no hub here' })
  })
  if (options.page !== undefined && options.page !== '') {
    await app.register(fastifyStatic, { root: resolve(options.page), dotfiles: 'deny' })
  }

  const acceptedAtMs = rememberAccept(app)
  const replies = new WeakMap<FastifyRequest, FastifyReply>()
  app.route({
    method: 'GET',
    url: '/',
    config: { isHub: true },
    preHandler: async (request, reply) => {
      replies.set(request, reply)
      return request.ws ? refuseSocket(request, reply, sockets) : undefined
    },
    handler: (_request, reply) => serveRoot(reply, options.page),
    wsHandler: (socket, request) => {
      const reply = replies.get(request)
      if (reply !== undefined) forgetRequest(socket, request, reply)
      sockets.open(socket, request.raw.socket, {
        source: sourceOf(request.ip),
        acceptedAtMs: acceptedAtMs(request),
        dialedAs: dialedNames(request.headers.host, request.url),
      })
    },
  })
  app.get('/limits', (_request, reply) => reply.header('access-control-allow-origin', '*').send(limits))
  app.get('/livez', () => ({ alive: true }))
  app.get('/readyz', (_request, reply) =>
    reply.code(sockets.isDraining ? 503 : 200).send({ ready: !sockets.isDraining }),
  )
  app.addHook('preClose', () => sockets.drain())
  app.server.on('upgrade', (_request, socket: Duplex) => {
    // An app that is closing answers before any hook; see the hook of `hub` for what would become of the socket.
    if (sockets.isDraining) socket.end(() => socket.destroy())
  })
  await options.extend?.(app)
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

async function provideWebSockets(app: FastifyInstance, limits: HubLimits): Promise<void> {
  if (app.hasDecorator('websocketServer')) {
    const { maxPayload, perMessageDeflate } = app.websocketServer.options
    if ((maxPayload ?? Infinity) <= limits.messageBytes && perMessageDeflate === false) return
    throw new Error(
      `@fastify/websocket is there already: register it with options { maxPayload: ${limits.messageBytes}, perMessageDeflate: false }`,
    )
  }
  const options = {
    handleProtocols: (offered: Set<string>) => (offered.has(hubSubprotocol) ? hubSubprotocol : false),
    maxPayload: limits.messageBytes,
    perMessageDeflate: false,
    clientTracking: false,
    // Newer than the type declarations of ws.
    maxFragments: limits.messageFragments,
    closeTimeout: limits.closeMs,
  } as const
  await app.register(fastifyWebsocket, {
    options,
    // The plugin's own way would close the sockets without a word about coming back.
    preClose: (done) => done(),
  })
}

function refuseSocket(
  request: FastifyRequest,
  reply: FastifyReply,
  sockets: HubSockets,
): FastifyReply | undefined {
  const offered = request.headers['sec-websocket-protocol']?.split(',').map((name) => name.trim()) ?? []
  if (!offered.includes(hubSubprotocol)) {
    return reply.code(400).send({ error: `the subprotocol must be ${hubSubprotocol}` })
  }
  const refusal = sockets.refusal(sourceOf(request.ip))
  if (refusal === undefined) return undefined
  const { code, message, retryAfterMs } = refusal
  return reply
    .code(code === 'RATE' ? 429 : 503)
    .header('retry-after', Math.ceil(retryAfterMs / 1000))
    .send({ code, error: message, retryAfterMs })
}

function serveRoot(reply: FastifyReply, page: string | undefined): FastifyReply {
  if (page !== undefined) return reply.sendFile('index.html')
  return reply
    .code(426)
    .header('upgrade', 'websocket')
    .send({ error: `this is a hub: speak ${hubSubprotocol}` })
}

/**
 * When the connection of a request came: deadlines count from there, or waiting before the upgrade would be
 * free. A connection that served a request already counts from its upgrade.
 */
function rememberAccept(app: FastifyInstance): (request: FastifyRequest) => number {
  const acceptedAtMs = new WeakMap<object, number>()
  const remember = (socket: object) => void acceptedAtMs.set(socket, nowMs())
  app.server.on('connection', remember)
  app.server.on('secureConnection', remember)
  app.server.on('request', ({ socket }) => void acceptedAtMs.delete(socket))
  return (request) => acceptedAtMs.get(request.raw.socket) ?? nowMs()
}

/** Logs, once for each proxy, that its forwarded headers are not believed: else all its clients are one address. */
function forwardedHeaderNote(app: FastifyInstance): (request: FastifyRequest) => void {
  const noted = new Set<string>()
  return (request) => {
    const proxy = request.socket.remoteAddress
    const isBelieved = request.ips !== undefined && request.ips.length > 1
    if (request.headers['x-forwarded-for'] === undefined || isBelieved || proxy === undefined) return
    // Anybody can send the header: the log must not grow with their number.
    if (noted.has(proxy) || noted.size >= 16) return
    noted.add(proxy)
    app.log.warn(`${proxy} sends x-forwarded-for and is not in trustProxy: its clients count as one address`)
  }
}
