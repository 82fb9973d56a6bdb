import { type StatusAnswer, type StatusLimit, statusLimits } from '../status-data.ts'
import { formatBytes, formatMs, formatNumber, formatShare } from './format.ts'
import type { History } from './history.ts'
import { refusalColumns } from './refusals.ts'

/** Rates are of the last seconds, so that they are calm enough to be read. */
const rateSeconds = 10
const minute = 60
const tenMinutes = 600
const unknown = '–'

/** What stands at each `data-figure` of the page. */
export function figuresOf({ limits, turn }: StatusAnswer, history: History): Record<string, string> {
  const now = (name: Parameters<History['latest']>[0], format: (value: number) => string): string => {
    const value = history.latest(name)
    return value === null ? unknown : format(value)
  }
  const rate = (...names: Parameters<History['latest']>[0][]): string =>
    formatNumber(history.rate(rateSeconds, ...names))
  const latency = (name: 'latencyP50Ms' | 'latencyP99Ms'): string => {
    const last = history.recent(minute, name).at(-1)
    return last === undefined ? unknown : formatMs(last)
  }
  return {
    ...Object.fromEntries(statusLimits.map((name) => [name, `of ${limitText(limits, name)}`])),
    registered: now('registered', formatNumber),
    anonymous: now('anonymous', formatNumber),
    unregistered: now('unregistered', formatNumber),
    started: rate('started'),
    underWay: now('introductions', formatNumber),
    openShare: openShare(history),
    latencyP50: latency('latencyP50Ms'),
    latencyP99: latency('latencyP99Ms'),
    signals: rate('signals'),
    refused: rate(...refusalColumns.filter((column) => column.startsWith('refused.'))),
    notTaken: rate('notTaken.BUSY', 'notTaken.RATE'),
    records: now('records', formatNumber),
    turnIssued: turn ? formatNumber(history.total(tenMinutes, 'turnIssued')) : 'none',
    turnNote: turn ? 'in 10 minutes' : 'as this hub has no TURN server of its own',
    busy: formatShare(mean(history.recent(rateSeconds, 'busy'))),
    memory: now('memoryBytes', formatBytes),
    queued: now('queuedBytes', formatBytes),
    nodes: now('nodes', formatNumber),
    crossed: rate('crossed'),
    circuits: now('circuits', formatNumber),
    relayed: formatBytes(history.rate(rateSeconds, 'relayedBytes')),
    circuitsRefused: formatNumber(history.total(tenMinutes, 'circuitsRefused')),
  }
}

/** One sentence for who only listens. */
export function summaryOf(history: History): string {
  const registered = formatNumber(history.latest('registered') ?? 0)
  const anonymous = formatNumber(history.latest('anonymous') ?? 0)
  const started = formatNumber(history.rate(rateSeconds, 'started'))
  return `${registered} registered and ${anonymous} anonymous peers, ${started} introductions a second.`
}

function openShare(history: History): string {
  const open = history.total(tenMinutes, 'ended.open')
  const ended = open + history.total(tenMinutes, 'ended.closed', 'ended.gone', 'ended.expired')
  return ended === 0 ? unknown : formatShare(open / ended)
}

function limitText(limits: StatusAnswer['limits'], name: StatusLimit): string {
  return name === 'queueBytesInAll' ? formatBytes(limits[name]) : formatNumber(limits[name])
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)
}
