import { abortWith } from '../../core/aborts.ts'
import { concat } from '../../core/bytes.ts'
import { abortReason, withDeadline } from '../../core/deadline.ts'
import { MultiserverError, toError } from '../../core/errors.ts'
import { canonicalHubName, hubUrlOf } from '../../core/hub-name.ts'
import { limits } from '../../core/limits.ts'
import type { Bytes } from '../../core/types.ts'

export interface HubRequestOptions {
  signal?: AbortSignal | undefined
  /** From the request to the last byte of the answer. @default 10000 */
  timeoutMs?: number | undefined
}

/** The URL of a hub as `rtc` takes it. @throws ADDRESS_INVALID */
export function hubUrlFrom(hub: string): string {
  const url = hubUrlOf(hub)
  if (url !== null) return url
  throw new MultiserverError('ADDRESS_INVALID', `${hub} is not the address of a hub`, { address: hub })
}

/**
 * What a hub has at a path under its own, at most `maxBytes`; null when it has nothing there. The hub is not trusted:
 * no redirects, no cookies, one deadline over everything.
 *
 * @throws HUB_LOST, HUB_REFUSED, BUSY, TIMEOUT, ABORTED
 */
export async function getFromHub(
  hubUrl: string,
  path: string,
  maxBytes: number,
  options: HubRequestOptions,
): Promise<Bytes | null> {
  const { signal: outer, timeoutMs = limits.record.lookupTimeoutMs } = options
  const controller = new AbortController()
  const stop = outer === undefined ? undefined : abortWith(controller, outer)
  const makeLate = () =>
    new MultiserverError('TIMEOUT', `${hubUrl} did not answer within ${timeoutMs} ms`, { address: hubUrl })
  try {
    const answer = get(httpUrl(hubUrl, path), maxBytes, controller.signal)
    return await withDeadline(answer, timeoutMs, makeLate, (error) => controller.abort(error))
  } catch (thrown) {
    if (outer?.aborted === true) throw abortReason(outer)
    throw toError(thrown, 'HUB_LOST', { address: hubUrl })
  } finally {
    stop?.()
  }
}

async function get(url: string, maxBytes: number, signal: AbortSignal): Promise<Bytes | null> {
  const response = await fetch(url, {
    signal,
    redirect: 'manual',
    credentials: 'omit',
    cache: 'no-store',
    referrerPolicy: 'no-referrer',
  }).catch((cause: unknown) => {
    // What fetch says is only that it failed; Node has the reason in the cause.
    throw new MultiserverError('HUB_LOST', `${url} can not be reached`, { cause })
  })
  if (response.status === 200) return readBody(response, url, maxBytes)
  await response.body?.cancel()
  if (response.status === 404) return null
  if (response.status === 429) throw new MultiserverError('BUSY', `${url} is asked too often from here`)
  // What a browser does not follow has the status 0.
  throw new MultiserverError('HUB_REFUSED', `${url} answered with status ${response.status}`)
}

async function readBody(response: Response, url: string, maxBytes: number): Promise<Bytes> {
  const reader = response.body?.getReader()
  const chunks: Uint8Array[] = []
  let length = 0
  for (;;) {
    const { value } = (await reader?.read()) ?? {}
    if (value === undefined) return concat(...chunks)
    chunks.push(value)
    length += value.length
    if (length <= maxBytes) continue
    await reader?.cancel()
    throw new MultiserverError('HUB_REFUSED', `${url} answered with more than ${maxBytes} bytes`)
  }
}

/** The hub's own path, with http for ws and https for wss. */
function httpUrl(hubUrl: string, path: string): string {
  return `${(canonicalHubName(hubUrl) ?? hubUrl).replace(/^ws/, 'http')}${path}`
}
