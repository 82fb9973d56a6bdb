import { untilAborted, withDeadline } from '../../core/deadline.ts'
import { MultiserverError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { openReason } from '../../core/hub-protocol.ts'
import { rebuildCandidate, type CandidateFilter } from './candidates.ts'
import type { CandidateOutlet } from './candidate-outlet.ts'
import type { FramePath } from './frame-path.ts'
import type { IntroductionChannel } from './introduction-channel.ts'
import type { Relaying } from './relaying.ts'
import type { SignalPath } from './signal-path.ts'
import type { CandidateSignal, Signal } from './signal-payload.ts'
import type { Signals } from './signals.ts'
import type { Link } from './late-link.ts'

const { pathTimeoutMs, lastTriesMs } = limits.introduction
const { directTimeoutMs } = limits.relay

/** The signals of either side, as far as they come after the first two. */
export type LaterSignals = Pick<Signals<CandidateSignal, Signal>, 'seal' | 'open'>

export interface PathSearch {
  readonly link: Link
  readonly relaying: Relaying
  /** For the first frames, where they may come as signals. */
  readonly early: SignalPath | undefined
  readonly channel: IntroductionChannel
  readonly signals: LaterSignals
  readonly candidates: CandidateOutlet
  readonly filter: CandidateFilter
  readonly signal: AbortSignal
  /** The far side's description follows its answer. */
  readonly onDescription?: ((sdp: string) => void) | undefined
  /** The far side asks for a circuit. */
  readonly onRelayRequest?: (() => Promise<void>) | undefined
  /** For each path that opened: that of WebRTC, one through the relay, or both. */
  readonly onPath: (path: FramePath) => void
}

/**
 * Candidates go both ways until WebRTC stands, and a circuit is opened meanwhile where it may be. A hub that goes away
 * takes nothing with it. Resolves when no more paths come; rejects when none came.
 */
export async function openPaths(search: PathSearch): Promise<void> {
  const { link, relaying, early, channel, signals, candidates, signal, onPath } = search
  const over = new AbortController()
  const onAbort = () => relaying.stop()
  signal.addEventListener('abort', onAbort, { once: true })
  candidates.start(async (candidate) => channel.sendSignal(await signals.seal(candidate)))
  const heard = receiveSignals(search)
  heard.then(
    () => relaying.close(),
    () => relaying.stop(),
  )
  const relayed = relaying.path.then((path) => {
    if (path !== null) onPath(path)
    return path !== null
  })
  const broken = heard.then(() => rejectAfter(lastTriesMs, over.signal))
  const late = relayed.then((isRelayed) =>
    rejectAfter(isRelayed ? directTimeoutMs : pathTimeoutMs, over.signal),
  )
  try {
    const opened = withDeadline(Promise.race([link.opened, broken, late]), pathTimeoutMs, noPath)
    onPath(await untilAborted(opened, signal, (unwanted) => unwanted.close()))
    relaying.stop()
  } catch (thrown) {
    link.close()
    // Nothing else is left.
    if (search.onRelayRequest === undefined) relaying.start()
    const isRelayed = await relayed
    // Whoever has a circuit has moved there, and signals pass no more.
    early?.close()
    if (!isRelayed) throw thrown
    await link.closed
  } finally {
    over.abort()
    signal.removeEventListener('abort', onAbort)
  }
  channel.close(openReason)
}

function noPath(): MultiserverError {
  return new MultiserverError('CONNECT_FAILED', 'no WebRTC path opened in time')
}

/** Leaves no timer once `signal` has aborted. */
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
async function receiveSignals(search: PathSearch): Promise<void> {
  const { link, relaying, early, channel, signals, filter, onDescription, onRelayRequest } = search
  let describe = onDescription
  for (let count = 0; ;) {
    const data = await channel.nextSignal().catch(() => null)
    if (data === null && channel.isGivenUp) throw new MultiserverError('CONNECT_FAILED', 'the peer gave up')
    if (data === null) return
    const signal = await signals.open(data)
    if (signal.kind === 'description') {
      if (describe === undefined) throw new MultiserverError('SIGNAL_INVALID', 'it is described already')
      describe(signal.sdp)
      describe = undefined
    }
    if (signal.kind === 'relay') await onRelayRequest?.()
    if (signal.kind === 'refused') relaying.refuse()
    if (signal.kind === 'frame') {
      if (early === undefined) throw new MultiserverError('SIGNAL_INVALID', 'nobody asked for frames')
      early.receive(signal.frame)
    }
    if (signal.kind !== 'candidate' || signal.candidate === '') continue
    count += 1
    if (count > limits.signal.candidates) continue
    const candidate = rebuildCandidate(signal.candidate, { ...filter, relayOnly: false })
    if (candidate !== null) link.addCandidate(candidate, signal.mid)
  }
}
