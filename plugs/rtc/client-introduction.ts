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
import { openPaths } from './open-paths.ts'
import { refusedError } from './refusal.ts'
import { rebuildSdp } from './sdp.ts'
import { createClientSignals } from './signals.ts'
import type { IceServer } from '../../core/hub-protocol.ts'
import type { Bytes, DialStage, PathStage, Scope } from '../../core/types.ts'
import type { FramePath } from './frame-path.ts'
import type { IntroductionChannel } from './introduction-channel.ts'
import type { Relaying } from './relaying.ts'
import type { Offer, RelayUse } from './signal-payload.ts'
import type { SignalPath } from './signal-path.ts'
import type { WebRtcLink } from './webrtc-link.ts'

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
  /** Whether the direct path is looked for alone where the hub's relay is to carry from the beginning. */
  readonly seeksDirect?: boolean | undefined
  /** It is, and the relay does not. */
  readonly onUnrelayed?: (() => void) | undefined
  /** For each path that opened. */
  readonly onPath: (path: FramePath) => void
  readonly signal: AbortSignal
  readonly onProgress?: ((stage: DialStage) => void) | undefined
  /** How far the paths are that are tried side by side. */
  readonly onPathStage?: ((stage: PathStage) => void) | undefined
}

/** The hub that a client goes through. */
export interface HubForClient {
  /** Resolves when its machine has answered: from then on it is worth while to make something. Rejects as `signal` aborts. */
  readonly reached: Promise<void>
  /** Resolves when it has said welcome. Rejects as `signal` aborts. */
  readonly welcomed: Promise<void>
  openChannel(): IntroductionChannel
}

/**
 * The client's side: asks the hub for the server, offers, and gives each path as it opens. Resolves when no more come.
 * The offer is made while the hub's socket opens.
 * @throws PEER_NOT_FOUND, BUSY, HUB_REFUSED, SIGNAL_INVALID, CONNECT_FAILED, RTC_LIMIT; PATH_LOST when the server does
 *   not know the session any more
 */
export async function introduceClient(
  hub: HubForClient,
  client: ClientIntroduction,
  options: IntroductionOptions,
): Promise<void> {
  const { signal, onPathStage } = client
  await hub.reached
  const candidates = new CandidateOutlet(options.filter)
  let gatherWith: OwnWebRtc['gatherWith'] = () => undefined
  const iceServers = new Promise<readonly IceServer[]>((resolve) => (gatherWith = resolve))
  const link = makeLink(options, { initiator: true, iceServers, candidates, onStage: onPathStage })
  try {
    await hub.welcomed
    if (signal.aborted) throw toError(signal.reason, 'ABORTED')
    await introduceOver(hub.openChannel(), { link, candidates, gatherWith }, client, options)
  } catch (thrown) {
    link.close()
    await link.closed
    throw toError(thrown, 'CONNECT_FAILED')
  }
}

/** The client's WebRTC, which describes itself at once and gathers when it is told with what. */
interface OwnWebRtc {
  readonly link: WebRtcLink
  readonly candidates: CandidateOutlet
  readonly gatherWith: (iceServers: Promise<readonly IceServer[]>) => void
}

async function introduceOver(
  channel: IntroductionChannel,
  { link, candidates, gatherWith }: OwnWebRtc,
  client: ClientIntroduction,
  options: IntroductionOptions,
): Promise<void> {
  const { serverKey, session, resume, transforms, signal, onProgress } = client
  const signals = createClientSignals({ id: idOf(channel), serverKey })
  let closing: Promise<void> | undefined
  /** The channel goes behind what is being sealed: a RESET may be among it. */
  const release = (reason: string) => {
    link.close()
    closing ??= signals.idle().then(() => channel.close(reason))
    return closing
  }
  const onAbort = () => void release('aborted')
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    channel.introduce(serverKey)
    channel.introduced.then(
      () => onProgress?.('introduced'),
      () => undefined,
    )
    const sdp = await link.description
    const relay = client.mayRelay() ? options.relay : 'never'
    // Bytes that a known session kept may be many: they wait for a path that carries them.
    const early = relay === 'first' && !resume ? makeSignalPath(channel, signals) : undefined
    const isEarly = early !== undefined
    const forDirect = isEarly && client.seeksDirect === true && options.iceTransportPolicy !== 'relay'
    const iceServers = channel.introduced.then((servers) => gatheringServers(options, servers, { forDirect }))
    iceServers.catch(() => undefined)
    const gather = () => gatherWith(iceServers)
    if (early === undefined) gather()
    else {
      // Where the answer takes its time, there is time to gather.
      channel.introduced.then(
        () => early.lead(),
        () => undefined,
      )
      void early.headStart.then(gather)
    }
    const offer: Offer = {
      kind: 'offer',
      session,
      resume,
      transforms: [...transforms],
      relay,
      early: isEarly,
      split: isEarly,
      bye: true,
      direct: forDirect,
      sdp,
    }
    channel.sendSignal(await signals.seal(offer))
    const reply = await signals.open(await channel.nextSignal())
    if (reply.kind !== 'answer') throw refusedError(reply.kind === 'refused' ? reply.code : 'INVALID', resume)
    onProgress?.('answered')
    const describe = (described: string) => {
      link.accept(rebuiltAnswer(described), { bye: reply.bye === true })
      gather()
    }
    if (reply.sdp !== undefined) describe(reply.sdp)
    else if (early === undefined) throw new MultiserverError('SIGNAL_INVALID', 'the answer describes nothing')
    // The server has begun, and the hub has granted what it consented to.
    if (early !== undefined)
      Promise.all([early.begun, channel.relayed]).then(
        () => client.onPath(early),
        () => early.close(),
      )
    const relaying = startRelaying(
      { channel, signals, early, relay, relayKey: reply.relayKey },
      client,
      options,
    )
    if (forDirect) void relaying.failed.then(client.onUnrelayed)
    await openPaths({
      link,
      relaying,
      early,
      channel,
      signals,
      candidates,
      filter: options.filter,
      signal,
      onDescription: reply.sdp === undefined ? describe : undefined,
      onPath(path) {
        if (path.kind === 'relay') client.onPathStage?.('relay')
        client.onPath(path)
      },
    })
  } catch (thrown) {
    const error = toError(thrown, 'CONNECT_FAILED')
    await release(error.code)
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

interface AskingForRelay {
  readonly channel: IntroductionChannel
  readonly signals: ReturnType<typeof createClientSignals>
  readonly early: SignalPath | undefined
  /** As the offer said it. */
  readonly relay: RelayUse
  readonly relayKey: Bytes
}

/** The client's way to a circuit, as soon as it may take it. */
function startRelaying(
  { channel, signals, early, relay, relayKey }: AskingForRelay,
  client: ClientIntroduction,
  options: IntroductionOptions,
): Relaying {
  const relaying = makeRelaying(channel, options, {
    role: 'client',
    relayKey,
    reach: client.reach,
    after: early?.headStart,
    async ask() {
      // An offer that says `first` has asked already; a server that does not consent says so when it is asked again.
      const late = early?.headStart.then(() => false)
      const isGranted = late !== undefined && (await Promise.race([channel.relayed.then(() => true), late]))
      if (!isGranted) channel.sendSignal(await signals.seal({ kind: 'relay' }))
    },
    onLimit(error, isOver) {
      if (isOver) client.onRelayOver()
      options.onRelayLimit(error)
    },
  })
  if (relay === 'never') relaying.stop()
  else if (relay === 'first') relaying.start()
  else relaying.startAfter(limits.relay.fallbackAfterMs)
  return relaying
}

function rebuiltAnswer(sdp: string): string {
  const clean = rebuildSdp(sdp, 'answer')
  if (clean === null) throw new MultiserverError('SIGNAL_INVALID', 'the answer describes no data channel')
  return clean
}
