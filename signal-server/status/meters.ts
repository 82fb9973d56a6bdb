import type { StatusAnswer, StatusColumn, StatusLimit } from '../status-data.ts'
import type { History } from './history.ts'
import { almostFull } from './worries.ts'

/** What each limit is a limit of. */
const limited: Record<StatusLimit, StatusColumn> = {
  registeredPeers: 'registered',
  anonymousPeers: 'anonymous',
  unregisteredSockets: 'unregistered',
  recordKeys: 'records',
  queueBytesInAll: 'queuedBytes',
  relayCircuits: 'circuits',
}

/** How much of each limit is used, as a bar at each `data-limit` of the page. */
export function showMeters({ limits }: StatusAnswer, history: History): void {
  for (const meter of document.querySelectorAll<HTMLMeterElement>('meter[data-limit]')) {
    const name = meter.dataset['limit'] as StatusLimit
    meter.max = limits[name]
    // Between the two there is nothing: it is well, or almost full.
    meter.low = meter.high = almostFull * limits[name]
    meter.value = history.latest(limited[name]) ?? 0
  }
}
