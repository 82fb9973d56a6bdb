import { paint } from '../terminal.ts'
import { formatBytes, routeOf, shortPeer } from '../words.ts'
import type { Connection } from '../../core/multiserver.ts'
import type { Traffic } from './traffic.ts'

/** All that went through, in words. */
export function describeTraffic(traffic: Traffic): string {
  const { up, down } = traffic.totals()
  return `${formatBytes(up)} sent and ${formatBytes(down)} received`
}

/** For the status line: who is connected, over what path, and how fast. */
export function trafficStatus(
  peers: readonly { readonly connection: Connection; readonly traffic: Traffic }[],
): string {
  if (peers.length === 0) return paint('dim', 'nobody is connected')
  return peers.map(({ connection, traffic }) => peerStatus(connection, traffic)).join('  ·  ')
}

function peerStatus(connection: Connection, traffic: Traffic): string {
  const { up, down } = traffic.rates()
  const who = paint('bold', shortPeer(connection))
  const leftMs = connection.stats()['suspendedLeftMs']
  const how =
    typeof leftMs === 'number'
      ? paint('yellow', `lost, waiting ${Math.ceil(leftMs / 1000)} s`)
      : `↑ ${formatBytes(up)}/s ↓ ${formatBytes(down)}/s`
  return `${who} ${paint('cyan', routeOf(connection))} ${traffic.streams} open ${how}`
}
