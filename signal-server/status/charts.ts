import type { StatusColumn } from '../status-data.ts'
import type { ChartSpec, Line } from './chart-spec.ts'
import { formatBytes, formatMs, formatNumber, formatShare } from './format.ts'
import { refusalColumns } from './refusals.ts'

/** Every chart of the page, by the id of its place. */
export const chartSpecs: Record<string, ChartSpec> = {
  'peers-chart': {
    title: 'Peers',
    lines: [
      gauge('Registered', 'registered'),
      gauge('Anonymous', 'anonymous'),
      gauge('New sockets', 'unregistered'),
    ],
    format: formatNumber,
    leastStep: 1,
    summary: 'last',
  },
  'introductions-chart': {
    title: 'Introductions that ended, a second',
    lines: [
      rate('Open', 'ended.open'),
      rate('Closed', 'ended.closed'),
      rate('Gone', 'ended.gone'),
      rate('Expired', 'ended.expired'),
    ],
    format: formatNumber,
    summary: 'mean',
  },
  'latency-chart': {
    title: 'Signal latency',
    lines: [gauge('Half within (p50)', 'latencyP50Ms'), gauge('99 % within (p99)', 'latencyP99Ms')],
    format: formatMs,
    leastStep: 0.01,
    summary: 'worst',
  },
  'refusals-chart': {
    title: 'Refusals, a second',
    lines: [
      rate('Requests', ...refusalColumns.filter((column) => column.startsWith('refused.'))),
      rate('Sockets', 'notTaken.BUSY', 'notTaken.RATE'),
    ],
    format: formatNumber,
    summary: 'mean',
  },
  'turn-chart': {
    title: 'TURN credentials, a second',
    lines: [rate('TURN credentials', 'turnIssued')],
    format: formatNumber,
    summary: 'mean',
  },
  'process-chart': {
    title: 'Busy time of the process',
    lines: [gauge('Busy', 'busy')],
    format: formatShare,
    summary: 'mean',
  },
  'nodes-chart': {
    title: 'Nodes of the cluster',
    lines: [gauge('Nodes', 'nodes')],
    format: formatNumber,
    leastStep: 1,
    summary: 'last',
  },
  'crossed-chart': {
    title: 'Introductions to other nodes, a second',
    lines: [rate('Introduced', 'crossed')],
    format: formatNumber,
    summary: 'mean',
  },
  'circuits-chart': {
    title: 'Relay circuits',
    lines: [gauge('Open circuits', 'circuits')],
    format: formatNumber,
    leastStep: 1,
    summary: 'last',
  },
  'relayed-chart': {
    title: 'Bytes relayed, a second',
    lines: [rate('Relayed', 'relayedBytes')],
    format: formatBytes,
    leastStep: 1,
    summary: 'mean',
  },
}

function gauge(label: string, column: StatusColumn): Line {
  return { label, values: (history) => history.column(column) }
}

function rate(label: string, ...columns: StatusColumn[]): Line {
  return { label, values: (history) => history.perSecond(...columns) }
}
