import type { Over } from '../../cli/demo/links.ts'
import type { Path } from '../../core/types.ts'
import type { LiveTalk } from './live-talk.ts'

/** Which way the bytes of a connection go now, in two or three words. */
export function overWords({ over, path }: LiveTalk): string {
  return wayWords(over, path.value)
}

/** The same for a connection of others. */
export function wayWords(over: Over, path: Path | undefined): string {
  return path === undefined ? names[over] : `${names[over]}, ${pathNames[path]}`
}

const names: Readonly<Record<Over, string>> = {
  net: 'over net',
  ws: 'over ws',
  rtc: 'over rtc',
  tunnel: 'through a bridge',
}

const pathNames: Readonly<Record<Path, string>> = {
  direct: 'direct',
  turn: 'by TURN',
  relay: 'by the relay',
}
