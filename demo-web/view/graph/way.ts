import type { Over } from '../../../cli/demo/links.ts'
import type { Path } from '../../../core/types.ts'

/** What an edge is coloured by. */
export type Way = Exclude<Over, 'rtc'> | Path

export function wayOf(over: Over, path: Path | undefined): Way {
  return over === 'rtc' ? (path ?? 'direct') : over
}
