import { MultiserverError, toError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { CandidateOutlet } from './candidate-outlet.ts'
import { idOf, makeLink, makeRelaying, makeSignalPath, type IntroductionOptions } from './introduction.ts'
import { openPaths } from './open-paths.ts'
import { refusedError } from './refusal.ts'
import { rebuildSdp } from './sdp.ts'
import { createClientSignals } from './signals.ts'
import type { Bytes, DialStage, PathStage, Scope } from '../../core/types.ts'
import type { FramePath } from './frame-path.ts'
import type { IntroductionChannel } from './introduction-channel.ts'
import type { Offer } from './signal-payload.ts'
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
  /** For each path that opened. */
  readonly onPath: (path: FramePath) => void
  readonly signal: AbortSignal
  readonly onProgress?: ((stage: DialStage) => void) | undefined
  /** How far the paths are that are tried side by side. */
  readonly onPathStage?: ((stage: PathStage) => void) | undefined
}

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
    const signals = createClientSignals({ id: idOf(channel), serverKey })
    sealing = signals
    channel.introduce(serverKey)
    channel.introduced.then(
      () => onProgress?.('introduced'),
      () => undefined,
    )
    const candidates = new CandidateOutlet(options.filter)
    link = makeLink(options, {
      initiator: true,
      hubServers: channel.introduced,
      candidates,
      onStage: onPathStage,
    })
    const sdp = await link.description
    const relay = client.mayRelay() ? options.relay : 'never'
    // Bytes that a known session kept may be many: they wait for a path that carries them.
    const early = relay === 'first' && !resume ? makeSignalPath(channel, signals) : undefined
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
    link.accept(rebuiltAnswer(reply.sdp))
    const relaying = makeRelaying(channel, options, {
      role: 'client',
      relayKey: reply.relayKey,
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

function rebuiltAnswer(sdp: string): string {
  const clean = rebuildSdp(sdp, 'answer')
  if (clean === null) throw new MultiserverError('SIGNAL_INVALID', 'the answer describes no data channel')
  return clean
}
