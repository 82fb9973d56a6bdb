import { fromBase64Url } from '../../core/bytes.ts'
import { untilAborted, withDeadline } from '../../core/deadline.ts'
import { MultiserverError, toError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { CandidateOutlet } from './candidate-outlet.ts'
import { rebuildCandidate, type CandidateFilter } from './candidates.ts'
import { acceptIceServers } from './ice-servers.ts'
import { rebuildSdp } from './sdp.ts'
import { createClientSignals, createServerSignals, type Signals } from './signals.ts'
import { WebRtcLink } from './webrtc-link.ts'
import { openReason, type IceServer } from '../../core/hub-protocol.ts'
import type { Bytes, DialStage, Identity } from '../../core/types.ts'
import type { FramePath } from './frame-path.ts'
import type { IntroductionChannel } from './introduction-channel.ts'
import type { Answer, CandidateSignal, Offer, RefusalCode, Signal } from './signal-payload.ts'
import type { WebRtc } from './wrtc.ts'

const { pathTimeoutMs, firstSignalTimeoutMs, lastTriesMs } = limits.introduction

/** What both sides of every introduction of a plug have in common. */
export interface IntroductionOptions {
  readonly hubUrl: string
  readonly webRtc: WebRtc
  /** The user's own, beside the hub's. */
  readonly iceServers: readonly IceServer[]
  readonly iceTransportPolicy?: RTCIceTransportPolicy | undefined
  readonly filter: CandidateFilter
}

export interface ClientIntroduction {
  readonly serverKey: Bytes
  /** 16 bytes. */
  readonly session: Bytes
  /** Whether the server should know the session: then this is to be another path for it. */
  readonly resume: boolean
  readonly transforms: readonly string[]
  readonly signal: AbortSignal
  readonly onProgress?: ((stage: DialStage) => void) | undefined
}

/** The signals of either side, as far as they come after the first two. */
type LaterSignals = Pick<Signals<CandidateSignal, Signal>, 'seal' | 'open'>

/** What a server decides about an offer before it makes anything: a refusal, or whom the path is for. */
export type OfferVerdict<T> = { readonly refused: RefusalCode } | { readonly taker: T }

/**
 * The client's side: asks the hub for the server, offers, and gives the path once it is open.
 * @throws PEER_NOT_FOUND, BUSY, HUB_REFUSED, SIGNAL_INVALID, CONNECT_FAILED, RTC_LIMIT; PATH_LOST when the server does
 *   not know the session any more
 */
export async function introduceClient(
  channel: IntroductionChannel,
  client: ClientIntroduction,
  options: IntroductionOptions,
): Promise<FramePath> {
  const { serverKey, session, resume, transforms, signal, onProgress } = client
  let link: WebRtcLink | undefined
  const release = (reason: string) => {
    link?.close()
    channel.close(reason)
  }
  const onAbort = () => release('aborted')
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    if (signal.aborted) throw toError(signal.reason, 'ABORTED')
    const signals = createClientSignals({ id: idBytes(channel), serverKey })
    channel.introduce(serverKey)
    const hubServers = await channel.introduced
    onProgress?.('introduced')
    const candidates = new CandidateOutlet(options.filter)
    link = makeLink(true, hubServers, options, candidates)
    const sdp = await link.description
    const offer: Offer = {
      kind: 'offer',
      session,
      resume,
      transforms: [...transforms],
      relay: 'never',
      sdp,
    }
    channel.sendSignal(await signals.seal(offer))
    const reply = await signals.open(await channel.nextSignal())
    if (reply.kind !== 'answer') throw refusedError(reply.kind === 'refused' ? reply.code : 'INVALID', resume)
    onProgress?.('answered')
    link.accept(rebuilt(reply.sdp, 'answer'))
    return await connect(link, channel, signals, candidates, options, signal)
  } catch (thrown) {
    const error = toError(thrown, 'CONNECT_FAILED')
    release(error.code)
    await link?.closed
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

export interface ServerIntroduction<T> {
  readonly identity: Identity
  readonly iceServers: readonly IceServer[]
  /** Aborts when the server listens no more. */
  readonly signal: AbortSignal
  /** Called once the offer has opened. */
  readonly judge: (offer: Offer) => OfferVerdict<T>
}

/** Whom a path is for. */
export interface IntroductionTarget {
  readonly options: IntroductionOptions
  /** Aborts when it wants none any more. */
  readonly signal: AbortSignal
}

/**
 * The server's side: opens the offer before it makes anything, answers, and gives the path once it is open.
 * Resolves to null when the offer was refused.
 */
export async function introduceServer<T extends IntroductionTarget>(
  channel: IntroductionChannel,
  server: ServerIntroduction<T>,
): Promise<{ path: FramePath; taker: T } | null> {
  let link: WebRtcLink | undefined
  try {
    const signals = createServerSignals({ id: idBytes(channel), identity: server.identity })
    const offer = await firstSignal(channel, signals)
    const verdict = server.judge(offer)
    if ('refused' in verdict) return await refuse(channel, signals, verdict.refused)
    const sdp = rebuildSdp(offer.sdp, 'offer')
    if (sdp === null) return await refuse(channel, signals, 'INVALID')
    const { taker } = verdict
    const { options } = taker
    // Of its own for each introduction: dozens may be under way.
    const signal = AbortSignal.any([taker.signal, server.signal])
    const candidates = new CandidateOutlet(options.filter)
    link = await makeLinkOrRefuse(channel, signals, () =>
      makeLink(false, server.iceServers, options, candidates),
    )
    link.accept(sdp)
    const answer: Answer = { kind: 'answer', sdp: await link.description, relayKey: randomBytes(32) }
    channel.sendSignal(await signals.seal(answer))
    const refuseRelay = async () =>
      channel.sendSignal(await signals.seal({ kind: 'refused', code: 'RELAY_OFF' }))
    const path = await connect(link, channel, signals, candidates, options, signal, refuseRelay)
    return { path, taker }
  } catch (thrown) {
    const error = toError(thrown, 'CONNECT_FAILED')
    link?.close()
    channel.close(error.code)
    await link?.closed
    throw error
  }
}

/** Candidates go both ways until the path stands. A hub that goes away meanwhile takes nothing with it. */
async function connect(
  link: WebRtcLink,
  channel: IntroductionChannel,
  signals: LaterSignals,
  candidates: CandidateOutlet,
  options: IntroductionOptions,
  signal: AbortSignal,
  onRelay?: () => Promise<void>,
): Promise<FramePath> {
  const stands = new AbortController()
  candidates.start(async (candidate) => channel.sendSignal(await signals.seal(candidate)))
  const broken = receiveSignals(link, channel, signals, options.filter, onRelay).then(() =>
    rejectAfter(lastTriesMs, stands.signal),
  )
  try {
    const opened = withDeadline(Promise.race([link.opened, broken]), pathTimeoutMs, noPath)
    const path = await untilAborted(opened, signal, (late) => late.close())
    channel.close(openReason)
    return path
  } finally {
    stands.abort()
  }
}

function noPath(): MultiserverError {
  return new MultiserverError('CONNECT_FAILED', 'no WebRTC path opened in time')
}

/** Without the hub no more candidates come: what does not open soon does not open. Leaves no timer once aborted. */
function rejectAfter(delayMs: number, signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) return
    const timer = setTimeout(() => reject(noPath()), delayMs)
    signal.addEventListener('abort', () => clearTimeout(timer), { once: true })
  })
}

/**
 * Until the hub's part is over. Rejects when the peer gives up, or when a signal does not open: then the hub or the peer
 * plays false.
 */
async function receiveSignals(
  link: WebRtcLink,
  channel: IntroductionChannel,
  signals: LaterSignals,
  filter: CandidateFilter,
  onRelay?: () => Promise<void>,
): Promise<void> {
  for (let count = 0; ;) {
    const data = await channel.nextSignal().catch(() => null)
    if (data === null && channel.isGivenUp) throw new MultiserverError('CONNECT_FAILED', 'the peer gave up')
    if (data === null) return
    const signal = await signals.open(data)
    if (signal.kind === 'relay') await onRelay?.()
    if (signal.kind !== 'candidate' || signal.candidate === '') continue
    count += 1
    if (count > limits.signal.candidates) continue
    const candidate = rebuildCandidate(signal.candidate, { ...filter, relayOnly: false })
    if (candidate !== null) link.addCandidate(candidate, signal.mid)
  }
}

function makeLink(
  initiator: boolean,
  hubServers: readonly IceServer[],
  options: IntroductionOptions,
  candidates: CandidateOutlet,
): WebRtcLink {
  const hubHost = new URL(options.hubUrl).hostname
  return new WebRtcLink({
    initiator,
    webRtc: options.webRtc,
    iceServers: [...options.iceServers, ...acceptIceServers(hubServers, hubHost)],
    iceTransportPolicy: options.iceTransportPolicy,
    onCandidate: (candidate) => candidates.add(candidate),
  })
}

async function firstSignal(
  channel: IntroductionChannel,
  signals: ReturnType<typeof createServerSignals>,
): Promise<Offer> {
  const makeLate = () => new MultiserverError('BUSY', 'an introduction brought no signal in time')
  const signal = await signals.open(await withDeadline(channel.nextSignal(), firstSignalTimeoutMs, makeLate))
  if (signal.kind !== 'offer') throw new MultiserverError('SIGNAL_INVALID')
  return signal
}

async function makeLinkOrRefuse(
  channel: IntroductionChannel,
  signals: ReturnType<typeof createServerSignals>,
  make: () => WebRtcLink,
): Promise<WebRtcLink> {
  try {
    return make()
  } catch (thrown) {
    await refuse(channel, signals, 'BUSY')
    throw thrown
  }
}

async function refuse(
  channel: IntroductionChannel,
  signals: ReturnType<typeof createServerSignals>,
  code: RefusalCode,
): Promise<null> {
  channel.sendSignal(await signals.seal({ kind: 'refused', code }))
  channel.close(code)
  return null
}

function refusedError(code: RefusalCode, resume: boolean): MultiserverError {
  if (code === 'NO_SESSION' && resume) {
    return new MultiserverError('PATH_LOST', 'the path was lost, and the peer has given the connection up')
  }
  switch (code) {
    case 'BUSY':
      return new MultiserverError('BUSY')
    case 'NO_STACK':
      return new MultiserverError('CONNECT_FAILED', 'the peer has no stack with these transforms')
    default:
      return new MultiserverError('CONNECT_FAILED', `the peer refused the introduction: ${code}`)
  }
}

function rebuilt(sdp: string, type: 'offer' | 'answer'): string {
  const clean = rebuildSdp(sdp, type)
  if (clean === null) throw new MultiserverError('SIGNAL_INVALID', `the ${type} describes no data channel`)
  return clean
}

function idBytes(channel: IntroductionChannel): Bytes {
  return fromBase64Url(channel.id) ?? new Uint8Array(0)
}

function randomBytes(length: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(length))
}
