import type { PeerKind } from '../../cli/demo/protocol.ts'
import { shortKey } from '../../cli/demo/words.ts'

interface Known {
  readonly kind: PeerKind
  readonly name: string
  /** As base64. */
  readonly key: string
}

/** What stands below the name of a peer: what it is, where the name does not say so, and its key, short. */
export function aboutWords({ kind, name, key }: Known): string {
  const what = kindWords[kind]
  return what === name ? shortKey(key) : `${what} · ${shortKey(key)}`
}

/** What a peer is, for people. */
const kindWords: Readonly<Record<PeerKind, string>> = {
  browser: 'browser',
  desktop: 'desktop',
  server: 'server',
  veteran: 'on 3.8.2',
}
