import type { StreamInfo } from '../../core/types.ts'
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

/** What a session tells of itself: its path, and figures for people. Bytes are those of the stream, each counted once. */
export function describeSession({ address, source, ...parts }: SessionParts): StreamInfo {
  const { paths, suspension, outgoing, incoming } = parts
  return {
    address,
    source,
    get path() {
      return paths.current?.kind
    },
    onPath: (listener) => paths.onChange(listener),
    stats: () => ({
      path: paths.current?.kind,
      candidates: paths.current?.candidates,
      rttMs: paths.current?.rttMs,
      relay: paths.current?.usage?.figures(),
      sentBytes: outgoing.sentBytes,
      receivedBytes: incoming.receivedBytes,
      resentBytes: outgoing.resentBytes,
      unacknowledgedBytes: outgoing.keptBytes,
      unreadBytes: incoming.unreadBytes,
      openPaths: paths.open.length,
      pathChanges: paths.changes,
      resumes: suspension.resumes,
      isSuspended: suspension.isOn,
    }),
  }
}
