import { fromBase64Url } from '../../core/bytes.ts'
import { withDeadline } from '../../core/deadline.ts'
import { MultiserverError, toError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { CandidateOutlet } from './candidate-outlet.ts'
import type { CandidateFilter } from './candidates.ts'
import { acceptIceServers } from './ice-servers.ts'
import { openPaths } from './open-paths.ts'
import { refuse, refusedError } from './refusal.ts'
import { Relaying, type RelayingOptions } from './relaying.ts'
import { rebuildSdp } from './sdp.ts'
import { SignalPath } from './signal-path.ts'
import { createClientSignals, createServerSignals, type Signals } from './signals.ts'
import { WebRtcLink, type LinkStage } from './webrtc-link.ts'
import type { IceServer } from '../../core/hub-protocol.ts'
import type { Bytes, DialStage, Identity, PathStage, Scope } from '../../core/types.ts'
import type { FramePath } from './frame-path.ts'
import type { IntroductionChannel } from './introduction-channel.ts'
import type { Answer, FrameSignal, Offer, RefusalCode, RelayUse, Signal } from './signal-payload.ts'
import type { WebRtc } from './wrtc.ts'

const { firstSignalTimeoutMs } = limits.introduction

/** What both sides of every introduction of a plug have in common. */
export interface IntroductionOptions {
  readonly hubUrl: string
  readonly webRtc: WebRtc
  /** The user's own, beside the hub's. */
  readonly iceServers: readonly IceServer[]
  readonly iceTransportPolicy?: RTCIceTransportPolicy | undefined
  readonly filter: CandidateFilter
  readonly relay: RelayUse
  /** Where a relay may be, beside the hub's own host. */
  readonly relayHosts: readonly string[]
  readonly onRelayLimit: (error: MultiserverError) => void
}

export interface ClientIntroduction {
  readonly serverKey: Bytes
  /** 16 bytes. */
  readonly session: Bytes
  /** Whether the server should know the session: then this is to be another path for it. */
  readonly resume: boolean
  readonly transforms: readonly string[]
  /** How near hub and relay may be. */
  readonly reach?: Scope | undefined
  /** Whether the hub relays, and this session may still use that. The hub has said welcome. */
  readonly mayRelay: () => boolean
  /** The hub's relay gives no more. */
  readonly onRelayOver: () => void
  /** For each path that opened. */
  readonly onPath: (path: FramePath) => void
  readonly signal: AbortSignal
  readonly onProgress?: ((stage: DialStage) => void) | undefined
  /** How far the paths are that are tried side by side. */
  readonly onPathStage?: ((stage: PathStage) => void) | undefined
}

/** What a server decides about an offer before it makes anything: a refusal, or whom the path is for. */
export type OfferVerdict<T> = { readonly refused: RefusalCode } | { readonly taker: T }

/**
 * The client's side: asks the hub for the server, offers, and gives each path as it opens. Resolves when no more come.
 * @throws PEER_NOT_FOUND, BUSY, HUB_REFUSED, SIGNAL_INVALID, CONNECT_FAILED, RTC_LIMIT; PATH_LOST when the server does
 *   not know the session any more
 */
export async function introduceClient(
  channel: IntroductionChannel,
  client: ClientIntroduction,
  options: IntroductionOptions,
): Promise<void> {
  const { serverKey, session, resume, transforms, signal, onProgress, onPathStage } = client
  let link: WebRtcLink | undefined
  let sealing: { idle(): Promise<void> } | undefined
  let closing: Promise<void> | undefined
  /** The channel goes behind what is being sealed: a RESET may be among it. */
  const release = (reason: string) => {
    link?.close()
    closing ??= (sealing?.idle() ?? Promise.resolve()).then(() => channel.close(reason))
    return closing
  }
  const onAbort = () => void release('aborted')
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    if (signal.aborted) throw toError(signal.reason, 'ABORTED')
    const signals = createClientSignals({ id: idBytes(channel), serverKey })
    sealing = signals
    channel.introduce(serverKey)
    channel.introduced.then(
      () => onProgress?.('introduced'),
      () => undefined,
    )
    const candidates = new CandidateOutlet(options.filter)
    link = makeLink(true, channel.introduced, options, candidates, onPathStage)
    const sdp = await link.description
    const relay = client.mayRelay() ? options.relay : 'never'
    // Bytes that a known session kept may be many: they wait for a path that carries them.
    const early = relay === 'first' && !resume ? signalPath(channel, signals) : undefined
    const offer: Offer = {
      kind: 'offer',
      session,
      resume,
      transforms: [...transforms],
      relay,
      early: early !== undefined,
      sdp,
    }
    channel.sendSignal(await signals.seal(offer))
    const reply = await signals.open(await channel.nextSignal())
    if (reply.kind !== 'answer') throw refusedError(reply.kind === 'refused' ? reply.code : 'INVALID', resume)
    onProgress?.('answered')
    link.accept(rebuilt(reply.sdp, 'answer'))
    const relaying = new Relaying({
      ...relayingOptions(channel, 'client', reply.relayKey, options),
      reach: client.reach,
      ask: async () => channel.sendSignal(await signals.seal({ kind: 'relay' })),
      onLimit(error, isOver) {
        if (isOver) client.onRelayOver()
        options.onRelayLimit(error)
      },
    })
    if (relay === 'never') relaying.stop()
    else if (relay === 'first') relaying.start()
    else relaying.startAfter(limits.relay.fallbackAfterMs)
    // The server has begun, and the hub has granted what it consented to.
    if (early !== undefined)
      Promise.all([early.begun, channel.relayed]).then(
        () => client.onPath(early),
        () => early.close(),
      )
    const onPath = (path: FramePath) => {
      if (path.kind === 'relay') onPathStage?.('relay')
      client.onPath(path)
    }
    const { filter } = options
    await openPaths({ link, relaying, early, channel, signals, candidates, filter, signal, onPath })
  } catch (thrown) {
    const error = toError(thrown, 'CONNECT_FAILED')
    await release(error.code)
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
  /** For each path that opened. */
  readonly onPath: (taker: T, path: FramePath) => void
}

/** Whom a path is for. */
export interface IntroductionTarget {
  readonly options: IntroductionOptions
  /** Aborts when it wants none any more. */
  readonly signal: AbortSignal
}

/**
 * The server's side: opens the offer before it makes anything, answers, and gives each path as it opens.
 * Resolves when no more come, and when the offer was refused.
 */
export async function introduceServer<T extends IntroductionTarget>(
  channel: IntroductionChannel,
  server: ServerIntroduction<T>,
): Promise<void> {
  let link: WebRtcLink | undefined
  let relaying: Relaying | undefined
  let sealing: { idle(): Promise<void> } | undefined
  try {
    const signals = createServerSignals({ id: idBytes(channel), identity: server.identity })
    sealing = signals
    const offer = await firstSignal(channel, signals)
    const verdict = server.judge(offer)
    if ('refused' in verdict) return await refuse(channel, signals, verdict.refused)
    const sdp = rebuildSdp(offer.sdp, 'offer')
    if (sdp === null) return await refuse(channel, signals, 'INVALID')
    const { taker } = verdict
    const { options } = taker
    // Of its own for each introduction: dozens may be under way.
    const signal = AbortSignal.any([taker.signal, server.signal])
    const relayKey = randomBytes(32)
    const consents = options.relay !== 'never' && offer.relay !== 'never'
    const isFirst = consents && offer.relay === 'first'
    const early = isFirst && offer.early === true && !offer.resume ? signalPath(channel, signals) : undefined
    const circuit = new Relaying({
      ...relayingOptions(channel, 'server', relayKey, options),
      ask: () => Promise.resolve(channel.askForRelay()),
      onLimit: options.onRelayLimit,
    })
    relaying = circuit
    // Whoever wants to begin there has asked with the offer. The hub's grant is to be there before the answer.
    if (isFirst) circuit.start()
    const candidates = new CandidateOutlet(options.filter)
    link = await makeLinkOrRefuse(channel, signals, () =>
      makeLink(false, server.iceServers, options, candidates),
    )
    link.accept(sdp)
    const answer: Answer = { kind: 'answer', sdp: await link.description, relayKey }
    channel.sendSignal(await signals.seal(answer))
    const refuseRelay = async () =>
      channel.sendSignal(await signals.seal({ kind: 'refused', code: 'RELAY_OFF' }))
    void circuit.failed.then(refuseRelay).catch(() => undefined)
    if (early !== undefined) server.onPath(taker, early)
    await openPaths({
      link,
      relaying,
      early,
      channel,
      signals,
      candidates,
      filter: options.filter,
      signal,
      onRelayRequest: () => (consents ? Promise.resolve(circuit.start()) : refuseRelay()),
      onPath: (path) => server.onPath(taker, path),
    })
  } catch (thrown) {
    const error = toError(thrown, 'CONNECT_FAILED')
    link?.close()
    relaying?.stop()
    // Behind what is being sealed: a RESET may be among it.
    await sealing?.idle()
    channel.close(error.code)
    await link?.closed
    throw error
  }
}

function signalPath(
  channel: IntroductionChannel,
  signals: Pick<Signals<FrameSignal, Signal>, 'seal'>,
): SignalPath {
  return new SignalPath((frame) => {
    signals.seal({ kind: 'frame', frame }).then(
      (data) => channel.sendSignal(data),
      () => undefined,
    )
  })
}

/** What both sides do alike. */
function relayingOptions(
  channel: IntroductionChannel,
  role: 'client' | 'server',
  relayKey: Bytes,
  { hubUrl, relayHosts }: IntroductionOptions,
): Pick<RelayingOptions, 'channel' | 'role' | 'relayKey' | 'hubUrl' | 'relayHosts'> {
  return { channel, role, relayKey, hubUrl, relayHosts }
}

function makeLink(
  initiator: boolean,
  hubServers: readonly IceServer[] | Promise<readonly IceServer[]>,
  options: IntroductionOptions,
  candidates: CandidateOutlet,
  onStage?: (stage: LinkStage) => void,
): WebRtcLink {
  const hubHost = new URL(options.hubUrl).hostname
  const withOwn = (servers: readonly IceServer[]) => [
    ...options.iceServers,
    ...acceptIceServers(servers, hubHost),
  ]
  return new WebRtcLink({
    initiator,
    webRtc: options.webRtc,
    iceServers: hubServers instanceof Promise ? hubServers.then(withOwn) : withOwn(hubServers),
    iceTransportPolicy: options.iceTransportPolicy,
    onCandidate: (candidate) => candidates.add(candidate),
    onStage,
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
