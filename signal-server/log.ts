import { type FastifyReply, type FastifyRequest, type FastifyServerOptions, LogController } from 'fastify'
import { classifyIp, formatNetwork, parseIp, sourceOf } from '../core/ip.ts'

export type HubLogger = NonNullable<FastifyServerOptions['logger']>

/**
 * What a hub logs of a request, whoever reads the log later: the route and not the URL, which can have a key in it;
 * the network and not the address; of an error what it is and not what was received.
 */
export function loggerOptions(logger: HubLogger | undefined): HubLogger {
  if (logger === undefined || logger === false) return false
  const given = logger === true ? {} : logger
  return { ...given, serializers: { req: describeRequest, err: describeError, ...given.serializers } }
}

/** A public hub is asked many things a second: each is a line at `debug`, errors of the hub itself are errors. */
export class RequestLog extends LogController {
  override incomingRequest(): void {}

  override requestCompleted(
    error: Error | null | undefined,
    request: FastifyRequest,
    reply: FastifyReply,
  ): void {
    const line = { req: request, status: reply.statusCode, ms: Math.round(reply.elapsedTime) }
    if (error) request.log.error({ ...line, err: error }, 'request failed')
    else request.log.debug(line, 'request')
  }

  override defaultErrorLog(error: Error, request: FastifyRequest, reply: FastifyReply): void {
    const level = reply.statusCode >= 500 ? 'error' : 'debug'
    request.log[level]({ req: request, status: reply.statusCode, err: error }, 'request refused')
  }

  /** requestCompleted says so. */
  override routeNotFound(): void {}
}

/** The network of an address, an IPv4 /24 or IPv6 /48: enough to see where trouble comes from, not who it is. */
export function networkOf(address: string): string {
  const ip = parseIp(sourceOf(address).replace(/\/\d+$/, ''))
  return ip === null ? 'unknown' : formatNetwork(ip, ip.length === 4 ? 24 : 48)
}

/** A machine of the operator's own network in full, any other by its network. */
export function neighbourOf(address: string): string {
  const ip = parseIp(sourceOf(address).replace(/\/\d+$/, ''))
  const isNear = ip !== null && ['loopback', 'private'].includes(classifyIp(ip))
  return isNear ? address : networkOf(address)
}

function describeRequest(request: FastifyRequest): { method: string; route: string; source: string } {
  const route = request.routeOptions.url ?? 'none'
  return { method: request.method, route, source: networkOf(request.ip) }
}

function describeError(error: Error): { type: string; message: string; stack: string; code?: unknown } {
  const code = 'code' in error ? { code: error.code } : {}
  return { type: error.name, message: error.message, stack: error.stack ?? '', ...code }
}
