import { compile } from '@fastify/proxy-addr'
import Fastify, { type FastifyInstance } from 'fastify'
import { X509Certificate } from 'node:crypto'
import type { Server as HttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { MultiserverError } from '../core/errors.ts'
import { type AcceptGuard, guardAccept } from './accept-guard.ts'
import { Health } from './health.ts'
import { type HubLimits, limitsWith } from './limits.ts'
import { type HubLogger, loggerOptions, RequestLog } from './log.ts'
import { areLoopback, canonicalNames, loopbackNames } from './names.ts'
import type { HubPluginOptions } from './plugin-options.ts'
import { limitRequests } from './request-limit.ts'
import { hub } from './server.ts'
import {
  type Certificate,
  CertificateWatch,
  readCertificate,
  showCertificate,
  type TlsFiles,
  tlsVersion,
} from './tls.ts'
import { version } from './version.ts'

export interface StartHubOptions extends HubPluginOptions {
  /** What to bind. @default '127.0.0.1' */
  host?: string | undefined
  /** 0: the system chooses. @default 0 */
  port?: number | undefined
  /**
   * Speaks TLS itself, HTTP/1.1 inside, with a certificate that is read again when its files change.
   * @default none: that is for a proxy before it
   */
  tls?: TlsFiles | undefined
  /** Addresses or networks of the proxies whose forwarded headers are believed. @default none */
  trustProxy?: readonly string[] | undefined
  /** As for Fastify: `true`, or pino's options. Addresses are cut, payloads never logged. @default false */
  logger?: HubLogger | undefined
}

export interface RunningHub {
  /** Where it can be dialed from this machine. */
  url: string
  /** The first of the names that registrations may be signed for. */
  hubName: string
  /** The app that listens; routes can't be added any more, see `extend`. */
  app: FastifyInstance
  /** `/readyz` says no from now on, and all else goes on: for load balancers to hear of it before `close`. */
  leave(): void
  /** Tells every peer to come back, and resolves when all is released, at most a second or two later. */
  close(): Promise<void>
}

/** A hub that listens, in a Fastify app of its own. Rejects with LISTEN_FAILED. */
export async function startHub(options: StartHubOptions = {}): Promise<RunningHub> {
  let app: FastifyInstance | undefined
  const health = options.health ?? new Health()
  try {
    const limits = limitsWith(options.limits)
    const certificate = options.tls === undefined ? undefined : await certificateFor(options, options.tls)
    app = createApp(options, limits, certificate)
    const guard = guardAccept(app.server, {
      limits,
      isProxy: isAmong(options.trustProxy ?? []),
      exemptLoopback: options.exemptLoopback ?? false,
    })
    if (options.tls !== undefined && certificate !== undefined)
      await renew(app, options.tls, certificate, health)
    const status = options.status ?? areLoopback(canonicalNames(options.hubNames ?? []))
    const settled = { ...options, relay: options.relay ?? true, health, status }
    await hub(app, { ...settled, extend: (scope) => extend(scope, guard, options) })
    await app.listen({ host: options.host ?? '127.0.0.1', port: options.port ?? 0 })
    return runningHub(app, settled, limits, health)
  } catch (cause) {
    await app?.close()
    throw new MultiserverError('LISTEN_FAILED', `the hub cannot start: ${messageOf(cause)}`, { cause })
  }
}

/** What has become a WebSocket, whosever route it is, is looked after by that. */
async function extend(app: FastifyInstance, guard: AcceptGuard, options: StartHubOptions): Promise<void> {
  app.websocketServer.on('connection', (_socket, request) => guard.forget(request.socket))
  await options.extend?.(app)
}

function createApp(
  options: StartHubOptions,
  limits: HubLimits,
  certificate: Certificate | undefined,
): FastifyInstance {
  const common = {
    logger: loggerOptions(options.logger),
    logController: new RequestLog(),
    trustProxy: options.trustProxy === undefined ? false : [...options.trustProxy],
    // Before the upgrade Node holds the deadline, looking five times in it.
    requestTimeout: limits.registerMs,
    keepAliveTimeout: limits.registerMs,
    forceCloseConnections: true,
    bodyLimit: limits.messageBytes,
  }
  const http = {
    headersTimeout: limits.registerMs,
    connectionsCheckingInterval: Math.ceil(limits.registerMs / 5),
  }
  const https = { ...certificate, ...tlsVersion, ...http, handshakeTimeout: limits.registerMs }
  const app =
    certificate === undefined
      ? Fastify({ ...common, http })
      : // It has all that a server without TLS has, but another type.
        (Fastify({ ...common, https }) as unknown as FastifyInstance)
  // The gate of the hub stands before its own routes only.
  const limitRequest = limitRequests(limits, options.exemptLoopback ?? false)
  app.addHook('onRequest', async (request, reply) =>
    request.is404 ? limitRequest(request, reply) : undefined,
  )
  // Those that have not been upgraded yet, or never will, on top of what the hub itself allows.
  app.server.maxConnections = limits.registeredPeers + limits.anonymousPeers + 2 * limits.unregisteredSockets
  return app
}

async function certificateFor({ hubNames = [] }: StartHubOptions, tls: TlsFiles): Promise<Certificate> {
  if (hubNames.length === 0) throw new Error('with TLS it needs hubNames (HUB_NAMES)')
  return readCertificate(tls)
}

/** Shows each new certificate from then on. */
async function renew(app: FastifyInstance, tls: TlsFiles, shown: Certificate, health: Health): Promise<void> {
  const watch = await CertificateWatch.start(tls, shown, {
    onChange: (certificate) => {
      showCertificate(app.server as HttpsServer, certificate)
      const { validTo } = new X509Certificate(certificate.cert)
      health.note('tls', true)
      app.log.info({ validTo }, 'the certificate in the files is shown from now on')
    },
    onError: (err) => {
      health.note('tls', false)
      app.log.error({ err }, 'the new certificate cannot be used; the one before stays')
    },
  })
  app.addHook('onClose', () => watch.close())
}

function runningHub(
  app: FastifyInstance,
  options: StartHubOptions,
  limits: HubLimits,
  health: Health,
): RunningHub {
  const address = app.server.address() as AddressInfo
  const configured = canonicalNames(options.hubNames ?? [])
  const prefix = prefixOf(options)
  const [hubName = ''] = configured.length > 0 ? configured : loopbackNames(address.port, prefix)
  const url = `${options.tls === undefined ? 'ws' : 'wss'}://${hostOf(address)}:${address.port}${prefix}`
  app.log.info(whatIsOn(options, limits), 'the hub is up')
  return {
    url,
    hubName,
    app,
    leave: () => health.leave(),
    close: () => app.close(),
  }
}

/** As Fastify reads such a list, which includes names like `loopback`. */
function isAmong(listed: readonly string[]): (address: string) => boolean {
  const isListed = compile([...listed])
  return (address) => isListed(address, 0)
}

/** For the one line that says what this hub is: nothing secret, nothing that is as usual. */
function whatIsOn(options: StartHubOptions, limits: HubLimits): Record<string, unknown> {
  const { hubNames, iceServers, metrics = false, status = false } = options
  const changed = Object.entries(limits).filter(
    ([name, value]) => value !== limitsWith()[name as keyof HubLimits],
  )
  return {
    version,
    names: canonicalNames(hubNames ?? []),
    trustProxy: options.trustProxy ?? [],
    origins: options.origins ?? 'any',
    iceServers: iceServers?.flatMap(({ urls }) => urls) ?? [],
    turn: options.turn?.urls ?? [],
    relay: options.relay ?? true,
    metrics: typeof metrics === 'object' ? 'with a token' : metrics,
    status: typeof status === 'object' ? 'with a token' : status,
    tls: options.tls !== undefined,
    page: options.page !== undefined && options.page !== '',
    limits: Object.fromEntries(changed),
  }
}

function hostOf({ address, family }: AddressInfo): string {
  if (address === '0.0.0.0') return '127.0.0.1'
  if (address === '::') return '[::1]'
  return family === 'IPv6' ? `[${address}]` : address
}

/** As Fastify takes it: with or without its slash. */
function prefixOf({ prefix = '' }: StartHubOptions): string {
  return prefix === '' || prefix.startsWith('/') ? prefix : `/${prefix}`
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
