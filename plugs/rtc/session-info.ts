import type { Path, StreamInfo } from '../../core/types.ts'
import type { CandidateTypes, PathTimes } from './frame-path.ts'
import type { Incoming } from './incoming.ts'
import type { Outgoing } from './outgoing.ts'
import type { SessionPaths } from './session-paths.ts'
import type { Suspension } from './suspension.ts'

export interface SessionParts {
  readonly address: string
  readonly source?: string | undefined
  readonly paths: SessionPaths
  readonly suspension: Suspension
  readonly outgoing: Outgoing
  readonly incoming: Incoming
}

/** What `connection.stats()` tells of an rtc connection. Bytes are those of the stream, without frames and headers. */
export type RtcStats = {
  /** The path in use; undefined while there is none. */
  readonly path: Path | undefined
  /** Of the pair in use: `host`, `srflx`, `prflx` or `relay` at each end. Absent on the relay of a hub. */
  readonly candidates: CandidateTypes | undefined
  /** The last round trip of a small frame on the path in use, queues included. */
  readonly rttMs: number | undefined
  /** On the relay of a hub: how much this circuit has used of what the hub grants it. */
  readonly relay: Record<string, number | boolean> | undefined
  /**
   * What paths took to open: the newest circuit of a relay, and the newest WebRTC connection. The stages of a dial (`stageMs`) end with
   * its first path; a better one comes later.
   */
  readonly pathMs: PathTimes
  /** Each counted once, however often it was sent. */
  readonly sentBytes: number
  readonly receivedBytes: number
  /** What was sent again because the path was another. */
  readonly resentBytes: number
  /** Written here, and kept until the peer says that it has them. */
  readonly unacknowledgedBytes: number
  /** Come, and not read here yet. */
  readonly unreadBytes: number
  /** Those that stand: a worse one stays for a while beside a better one. */
  readonly openPaths: number
  /** How often another path was taken into use, the first included. */
  readonly pathChanges: number
  /** How often the connection was without a path and got one. */
  readonly resumes: number
  /** There is no path now, and another one may come. */
  readonly isSuspended: boolean
  /**
   * How much longer that is waited for, until the connection fails with PATH_LOST; undefined while it is not suspended. Once it has come to
   * 0 what was answered by then has ten seconds more, which are told in its place.
   */
  readonly suspendedLeftMs: number | undefined
}

/** What a session tells of itself: its path, and figures for people. */
export function describeSession({ address, source, ...parts }: SessionParts): StreamInfo {
  const { paths, suspension, outgoing, incoming } = parts
  return {
    address,
    source,
    get path() {
      return paths.current?.kind
    },
    get deliveredBytes() {
      return outgoing.acknowledgedBytes
    },
    onPath: (listener) => paths.onChange(listener),
    stats: (): RtcStats => ({
      path: paths.current?.kind,
      candidates: paths.current?.candidates,
      rttMs: paths.current?.rttMs,
      relay: paths.current?.usage?.figures(),
      pathMs: paths.tookMs,
      sentBytes: outgoing.sentBytes,
      receivedBytes: incoming.receivedBytes,
      resentBytes: outgoing.resentBytes,
      unacknowledgedBytes: outgoing.keptBytes,
      unreadBytes: incoming.unreadBytes,
      openPaths: paths.open.length,
      pathChanges: paths.changes,
      resumes: suspension.resumes,
      isSuspended: suspension.isOn,
      suspendedLeftMs: suspension.leftMs,
    }),
  }
}
