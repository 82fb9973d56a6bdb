import type { PeerKind } from '../../cli/demo/protocol.ts'

/** What a peer is, for people. */
export const kindWords: Readonly<Record<PeerKind, string>> = {
  browser: 'browser',
  desktop: 'desktop',
  server: 'server',
  veteran: 'on 3.8.2',
}
