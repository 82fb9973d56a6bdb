import { abortWith } from '../../core/aborts.ts'
import { withDeadline } from '../../core/deadline.ts'
import { MultiserverError, toError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { CandidateOutlet } from './candidate-outlet.ts'
import {
  gatheringServers,
  idOf,
  makeLink,
  makeRelaying,
  makeSignalPath,
  type IntroductionOptions,
} from './introduction.ts'
import { LateLink, type Link } from './late-link.ts'
import { openPaths } from './open-paths.ts'
import { refuse } from './refusal.ts'
import { rebuildSdp } from './sdp.ts'
import { createServerSignals } from './signals.ts'
import { requireRoom } from './webrtc-link.ts'
import type { IceServer } from '../../core/hub-protocol.ts'
import type { Identity } from '../../core/types.ts'
import type { FramePath } from './frame-path.ts'
import type { IntroductionChannel } from './introduction-channel.ts'
import type { Relaying } from './relaying.ts'
import type { Answer, Offer, RefusalCode } from './signal-payload.ts'

const { firstSignalTimeoutMs } = limits.introduction

/** What a server decides about an offer before it makes anything: a refusal, or whom the path is for. */
export type OfferVerdict<T> = { readonly refused: RefusalCode } | { readonly taker: T }

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
  let link: Link | undefined
  let relaying: Relaying | undefined
  let sealing: { idle(): Promise<void> } | undefined
  const stop = new AbortController()
  let unfollow: (() => void) | undefined
  try {
    const signals = createServerSignals({ id: idOf(channel), identity: server.identity })
    sealing = signals
    const offer = await firstSignal(channel, signals)
    const verdict = server.judge(offer)
    if ('refused' in verdict) return await refuse(channel, signals, verdict.refused)
    const sdp = rebuildSdp(offer.sdp, 'offer')
    if (sdp === null) return await refuse(channel, signals, 'INVALID')
    const { taker } = verdict
    const { options } = taker
    unfollow = abortWith(stop, taker.signal, server.signal)
    const relayKey = crypto.getRandomValues(new Uint8Array(32))
    const consents = options.relay !== 'never' && offer.relay !== 'never'
    const isFirst = consents && offer.relay === 'first'
    const early =
      isFirst && offer.early === true && !offer.resume ? makeSignalPath(channel, signals) : undefined
    const circuit = makeRelaying(channel, options, {
      role: 'server',
      relayKey,
      after: early?.headStart,
      ask: () => Promise.resolve(channel.askForRelay()),
      onLimit: options.onRelayLimit,
    })
    relaying = circuit
    // Whoever wants to begin there has asked with the offer. The hub's grant is to be there before the answer.
    if (isFirst) circuit.start()
    const candidates = new CandidateOutlet(options.filter)
    const iceServers = gatheringServers(options, server.iceServers, {
      forDirect: isFirst && offer.direct === true,
    })
    const make = () => makeLink(options, { initiator: false, iceServers, candidates })
    const isSplit = early !== undefined && offer.split === true
    link = await makeLinkOrRefuse(channel, signals, () => {
      if (!isSplit) return make()
      requireRoom()
      return new LateLink(early.headStart, make)
    })
    link.accept(sdp, { bye: offer.bye === true })
    const whole = isSplit ? {} : { sdp: await link.description }
    const answer: Answer = { kind: 'answer', relayKey, bye: true, ...whole }
    channel.sendSignal(await signals.seal(answer))
    early?.lead()
    if (isSplit) {
      const describe = async (described: string) =>
        channel.sendSignal(await signals.seal({ kind: 'description', sdp: described }))
      link.description.then(describe).catch(() => undefined)
    }
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
      signal: stop.signal,
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
  } finally {
    unfollow?.()
  }
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
  make: () => Link,
): Promise<Link> {
  try {
    return make()
  } catch (thrown) {
    await refuse(channel, signals, 'BUSY')
    throw thrown
  }
}
