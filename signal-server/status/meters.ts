import type { StatusAnswer, StatusColumn, StatusLimit } from '../status-data.ts'
import { find, html } from './dom.ts'
import { formatNumber, formatShare } from './format.ts'
import type { History } from './history.ts'
import { almostFull } from './worries.ts'

interface Meter {
  readonly label: string
  readonly column: StatusColumn
  readonly limit: StatusLimit
  readonly element: HTMLMeterElement
}

/** How much of the limits is used, as bars. */
export class Meters {
  readonly #meters = [
    addMeter('#peers-meters', 'Registered', 'registered', 'registeredPeers'),
    addMeter('#peers-meters', 'Anonymous', 'anonymous', 'anonymousPeers'),
    addMeter('#peers-meters', 'New sockets', 'unregistered', 'unregisteredSockets'),
    addMeter('#records-meters', 'Records', 'records', 'recordKeys'),
  ]

  show({ limits }: StatusAnswer, history: History): void {
    for (const { label, column, limit, element } of this.#meters) {
      const value = history.latest(column) ?? 0
      const most = limits[limit]
      element.max = most
      element.low = almostFull * most
      element.high = almostFull * most
      element.value = value
      element.setAttribute('aria-valuetext', `${formatNumber(value)} of ${formatNumber(most)}`)
      element.title = `${label}: ${formatShare(value / most)} of the limit`
    }
  }
}

function addMeter(place: string, label: string, column: StatusColumn, limit: StatusLimit): Meter {
  const element = html('meter', { min: 0, optimum: 0, 'aria-label': `${label}, of the limit` })
  find(place).append(element)
  return { label, column, limit, element }
}
