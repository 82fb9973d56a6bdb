import { isLoopbackHost } from '../core/hub-name.ts'

export interface GateOptions {
  /** The hub is for this machine only. */
  isLoopback: boolean
  /** Origins that pages may come from, for example `https://example.com`; absent: any. */
  origins: readonly string[] | undefined
}

/**
 * Why a request is not served, undefined when it is. Programs send no Origin and pages always do, so the
 * list is about pages. A page from anywhere can reach loopback once its name points there (DNS rebinding):
 * a hub of this machine therefore wants to be called by a name of this machine, from a page of this machine.
 */
export function refuseRequest(
  headers: { host?: string | undefined; origin?: string | undefined },
  { isLoopback, origins }: GateOptions,
): string | undefined {
  const { host, origin } = headers
  if (isLoopback && (host === undefined || !isLoopbackUrl(`http://${host}`))) {
    return 'this hub is reached as localhost, 127.0.0.1 or [::1] only'
  }
  if (origin === undefined) return undefined
  const isAllowed = origins === undefined ? !isLoopback || isLoopbackUrl(origin) : origins.includes(origin)
  return isAllowed ? undefined : 'pages of this origin may not use this hub'
}

function isLoopbackUrl(url: string): boolean {
  return URL.canParse(url) && isLoopbackHost(new URL(url).hostname)
}
