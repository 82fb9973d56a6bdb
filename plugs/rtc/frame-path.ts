import type { Bytes, Path, PathStage } from '../../core/types.ts'
import type { RelayUsage } from './relay-usage.ts'

/** One way for the frames of a session: a data channel, or a relay circuit. It is open when the session gets it. */
export interface FramePath {
  /** May change while it stands, which `onKind` tells: ICE goes over to a better pair. */
  readonly kind: Path
  /** It goes ahead of the others, carries little, and is not to be gone back to once another one is open. */
  readonly isAhead?: boolean | undefined
  /** The far side's network address, where it is known and no relay's: what limits count by. */
  readonly source?: string | undefined
  /** Of the pair of ICE candidates in use. */
  readonly candidates?: CandidateTypes | undefined
  /** How long it took to open. */
  readonly tookMs?: PathTimes | undefined
  /** How much of what a relay grants is used. */
  readonly usage?: RelayUsage | undefined
  /** The largest message that the far side takes. */
  readonly maxFrameBytes: number
  /** Bytes handed over that have not left yet; a few may not be counted. */
  readonly queuedBytes: number
  /** Takes a copy: the memory is the caller's again. Never throws; what can't be sent shows as `onClose`. */
  send(frame: Bytes): void
  /** Called once, in the turn in which the session gets the path: messages that came before are delivered now. */
  start(handlers: FramePathHandlers): void
  /** Ends the path; what is still queued may be lost. `atOnce`: nothing runs afterwards that could see to the rest. */
  close(how?: { atOnce: boolean }): void
  /** Resolves when nothing of the path is left. */
  readonly closed: Promise<void>
}

/** Each `host`, `srflx`, `prflx` or `relay`. */
export interface CandidateTypes {
  readonly local: string
  readonly remote: string
}

/**
 * Milliseconds: the relay's circuit from asking for it, ICE from the far side's description on, and DTLS with the data
 * channel from there.
 */
export type PathTimes = Readonly<Partial<Record<PathStage, number>>>

export interface FramePathHandlers {
  onMessage(message: Bytes): void
  /** Where the path can tell: its queue has drained. */
  onDrain(): void
  /** Where the path can tell: nothing gets through at the moment, which may pass. */
  onDoubt(): void
  /** `kind` is another. */
  onKind(): void
  onClose(): void
}
