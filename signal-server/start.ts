import { compile } from '@fastify/proxy-addr'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import type { AddressInfo } from 'node:net'
import { MultiserverError } from '../core/errors.ts'
import { guardAccept } from './accept-guard.ts'
import { type HubLimits, limitsWith } from './limits.ts'
import { canonicalNames, loopbackNames } from './names.ts'
import { hub, type HubPluginOptions } from './server.ts'

export interface StartHubOptions extends HubPluginOptions {
  /** What to bind. @default '127.0.0.1' */
  host?: string | undefined
  /** 0: the system chooses. @default 0 */
  port?: number | undefined
  /** Addresses or networks of the proxies whose forwarded headers are believed. @default none */
  trustProxy?: readonly string[] | undefined
  /** As for Fastify. @default false */
  logger?: FastifyServerOptions['logger']
}

export interface RunningHub {
  /** Where it can be dialed from this machine. */
  url: string
  /** The first of the names that registrations may be signed for. */
  hubName: string
  /** The app that listens; routes can't be added any more, see `extend`. */
  app: FastifyInstance
  /** Tells every peer to come back, and resolves when all is released, at most a second or two later. */
  close(): Promise<void>
}

/** A hub that listens, in a Fastify app of its own. Rejects with LISTEN_FAILED. TLS is for the proxy before it. */
export async function startHub(options: StartHubOptions = {}): Promise<RunningHub> {
  const limits = readLimits(options)
  const app = Fastify({
    logger: options.logger ?? false,
    trustProxy: options.trustProxy === undefined ? false : [...options.trustProxy],
    // Before the upgrade Node holds the deadline, looking five times in it.
    requestTimeout: limits.registerMs,
    keepAliveTimeout: limits.registerMs,
    http: {
      headersTimeout: limits.registerMs,
      connectionsCheckingInterval: Math.ceil(limits.registerMs / 5),
    },
    forceCloseConnections: true,
    bodyLimit: limits.messageBytes,
  })
  guardAccept(app.server, {
    limits,
    isProxy: isAmong(options.trustProxy ?? []),
    exemptLoopback: options.exemptLoopback ?? false,
  })
  // Those that have not been upgraded yet, or never will, on top of what the hub itself allows.
  app.server.maxConnections = limits.registeredPeers + limits.anonymousPeers + 2 * limits.unregisteredSockets
  try {
    await hub(app, options)
    await app.listen({ host: options.host ?? '127.0.0.1', port: options.port ?? 0 })
  } catch (cause) {
    await app.close()
    throw new MultiserverError('LISTEN_FAILED', `the hub cannot start: ${messageOf(cause)}`, { cause })
  }
  const address = app.server.address() as AddressInfo
  const configured = canonicalNames(options.hubNames ?? [])
  const prefix = prefixOf(options)
  const [hubName = ''] = configured.length > 0 ? configured : loopbackNames(address.port, prefix)
  return { url: `${urlOf(address)}${prefix}`, hubName, app, close: () => app.close() }
}

function readLimits(options: StartHubOptions): HubLimits {
  try {
    return limitsWith(options.limits)
  } catch (cause) {
    throw new MultiserverError('LISTEN_FAILED', messageOf(cause), { cause })
  }
}

/** As Fastify reads such a list, which includes names like `loopback`. */
function isAmong(listed: readonly string[]): (address: string) => boolean {
  const isListed = compile([...listed])
  return (address) => isListed(address, 0)
}

function urlOf({ address, port, family }: AddressInfo): string {
  if (address === '0.0.0.0') return `ws://127.0.0.1:${port}`
  if (address === '::') return `ws://[::1]:${port}`
  return `ws://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}

/** As Fastify takes it: with or without its slash. */
function prefixOf({ prefix = '' }: StartHubOptions): string {
  return prefix === '' || prefix.startsWith('/') ? prefix : `/${prefix}`
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
