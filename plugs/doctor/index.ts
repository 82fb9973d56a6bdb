import { ready } from '../../core/ed25519.ts'
import { MultiserverError, toError } from '../../core/errors.ts'
import { hubUrlOf } from '../../core/hub-name.ts'
import { limits } from '../../core/limits.ts'
import { loadWebRtc, type WebRtc } from '#wrtc'
import type { IceServer } from '../../core/hub-protocol.ts'
import { acceptIceServers } from '../rtc/ice-servers.ts'
import { diagnose, type Examination } from './diagnosis.ts'
import { examineFiltering } from './filtering.ts'
import { visitHub, type HubVisit } from './hub-visit.ts'
import { listServers, type Servers } from './servers.ts'
import { examineStun } from './stun.ts'
import { examineTurn } from './turn.ts'
import type { Finding } from './finding.ts'

export type { Finding, FindingName } from './finding.ts'

export interface DoctorOptions {
  /** As in an address: `hub.example.com`, or a whole `ws://` or `wss://` URL. */
  readonly hub: string
  /** STUN and TURN servers beside those that the hub names. @default none */
  readonly iceServers?: readonly IceServer[] | undefined
  /** What is not known by then is unknown. @default 20_000 */
  readonly timeoutMs?: number | undefined
  /** Ends it early: the rest is unknown. */
  readonly signal?: AbortSignal | undefined
  /** WebRTC to use instead of the browser's, or of the package wrtc. */
  readonly wrtc?: WebRtc | undefined
}

/**
 * What the network of this peer allows: the hub, UDP, what its NAT does, TURN, the relay, and what follows for direct
 * connections. It registers at the hub with a key made for that, and makes a dozen WebRTC connections, none of which is
 * left. Bad news are findings, never errors.
 *
 * @throws ADDRESS_INVALID when `hub` is not the address of one
 */
export async function examineNetwork(options: DoctorOptions): Promise<Finding[]> {
  const hubUrl = hubUrlOf(options.hub)
  if (hubUrl === null) {
    throw new MultiserverError('ADDRESS_INVALID', `${options.hub} is not the address of a hub`)
  }
  await ready()
  const over = new AbortController()
  const stop = () => over.abort()
  const timer = setTimeout(stop, Math.min(options.timeoutMs ?? defaultTimeoutMs, limits.timer.longestMs))
  options.signal?.addEventListener('abort', stop, { once: true })
  if (options.signal?.aborted === true) stop()
  try {
    return diagnose(await examine(hubUrl, options, over.signal))
  } finally {
    clearTimeout(timer)
    options.signal?.removeEventListener('abort', stop)
  }
}

/** What a slow hub, silent servers and a NAT that lets nothing in take together. */
const defaultTimeoutMs = 20_000

async function examine(hubUrl: string, options: DoctorOptions, signal: AbortSignal): Promise<Examination> {
  const [hub, webRtc] = await Promise.all([visitHub(hubUrl, signal), tryToLoad(options.wrtc)])
  const servers = serversFrom(hubUrl, hub, options)
  if (webRtc instanceof Error) return { hubUrl, hub, servers, webRtc }
  try {
    return { hubUrl, hub, servers, webRtc: undefined, ...(await examineNat(webRtc, servers, signal)) }
  } catch (thrown) {
    return { hubUrl, hub, servers, webRtc: toError(thrown, 'RTC_UNAVAILABLE') }
  }
}

async function examineNat(
  webRtc: WebRtc,
  servers: Servers,
  signal: AbortSignal,
): Promise<Pick<Examination, 'isCutShort' | 'stun' | 'turn' | 'filtering'>> {
  const [stun, turn] = await Promise.all([
    examineStun(webRtc, servers, signal),
    examineTurn(webRtc, servers, signal),
  ])
  const seen = { isCutShort: signal.aborted, stun, turn }
  const relay = servers.turn.find(({ url }) => turn.has(url))
  if (relay === undefined) return seen
  return { ...seen, filtering: await examineFiltering(webRtc, relay, stun, servers.stun, signal) }
}

/** The caller's own are taken as they are; the hub's as every dial takes them. */
function serversFrom(hubUrl: string, hub: HubVisit, { iceServers = [] }: DoctorOptions): Servers {
  return listServers([...iceServers, ...acceptIceServers(hub.iceServers, new URL(hubUrl).hostname)])
}

async function tryToLoad(given: WebRtc | undefined): Promise<WebRtc | Error> {
  return given ?? loadWebRtc().catch((thrown: unknown) => toError(thrown, 'RTC_UNAVAILABLE'))
}
