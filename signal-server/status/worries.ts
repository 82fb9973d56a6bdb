import type { StatusAnswer, StatusColumn, StatusLimit } from '../status-data.ts'
import { formatBytes, formatMs, formatNumber, formatShare } from './format.ts'
import type { History } from './history.ts'

/** From this share of a limit on there is reason to look; alerts.yaml has the same. */
export const almostFull = 0.8
const slowMs = 150
const queuedTooMuchBytes = 64e6
const socketsRefusedPerSecond = 20
const registrationsRefusedPerSecond = 1
/** Fewer introductions than this say nothing about what goes wrong. */
const enoughIntroductions = 20

const minute = 60
const tenMinutes = 600

/** What needs the operator, a sentence each with what to do; empty when all is well. */
export function findWorries(answer: StatusAnswer, history: History): string[] {
  const worries = [
    answer.ready ? undefined : 'This hub is about to end: new peers are sent elsewhere.',
    ...answer.degraded.map((part) => `“${part}” does not work, although the hub does: its log says why.`),
    history.isMixed
      ? 'Several hubs answer here by turns, so the figures jump: ask one of them directly, past the load balancer.'
      : undefined,
    fullness(answer, history, 'registered', 'registeredPeers', 'Registered peers'),
    fullness(answer, history, 'anonymous', 'anonymousPeers', 'Anonymous peers'),
    fullness(answer, history, 'unregistered', 'unregisteredSockets', 'New sockets'),
    fullness(answer, history, 'records', 'recordKeys', 'Records'),
    fullness(answer, history, 'circuits', 'relayCircuits', 'Relay circuits'),
    slowness(history),
    busyness(history),
    queues(history),
    refusedSockets(history),
    refusedRegistrations(history),
    failures(history),
  ]
  return worries.filter((worry) => worry !== undefined)
}

function fullness(
  { limits }: StatusAnswer,
  history: History,
  column: StatusColumn,
  limit: StatusLimit,
  what: string,
): string | undefined {
  const count = history.latest(column) ?? 0
  if (count < almostFull * limits[limit]) return undefined
  return `${what}: ${formatNumber(count)} of ${formatNumber(limits[limit])}. More hubs, or a higher ${limit}.`
}

function slowness(history: History): string | undefined {
  const samples = history.recent(minute, 'latencyP99Ms')
  const slow = samples.filter((p99) => p99 > slowMs)
  // One late moment is no trouble yet.
  if (slow.length < 3 || slow.length * 2 < samples.length) return undefined
  return `Signals are slow: one in a hundred takes ${formatMs(Math.max(...slow))}. More hubs, or lower limits.`
}

function busyness(history: History): string | undefined {
  const samples = history.recent(minute, 'busy')
  const mean = samples.reduce((sum, busy) => sum + busy, 0) / Math.max(1, samples.length)
  if (samples.length < 5 || mean < almostFull) return undefined
  return `The hub was busy for ${formatShare(mean)} of the last minute. More hubs, or lower limits.`
}

function queues(history: History): string | undefined {
  const bytes = history.latest('queuedBytes') ?? 0
  if (bytes <= queuedTooMuchBytes) return undefined
  return `${formatBytes(bytes)} wait to be sent: peers read slowly, or the network is full.`
}

function refusedSockets(history: History): string | undefined {
  const rate = history.rate(minute, 'notTaken.BUSY', 'notTaken.RATE')
  if (rate <= socketsRefusedPerSecond) return undefined
  return `${formatNumber(rate)} sockets a second are refused: an attack, or a proxy that TRUST_PROXY does not name.`
}

function refusedRegistrations(history: History): string | undefined {
  const rate = history.rate(minute, 'refused.BAD_SIGNATURE', 'refused.WRONG_HUB')
  if (rate <= registrationsRefusedPerSecond) return undefined
  return 'Registrations are refused. WRONG_HUB means that HUB_NAMES lacks a name that peers dial.'
}

function failures(history: History): string | undefined {
  const ended = history.total(tenMinutes, 'ended.open', 'ended.closed', 'ended.gone', 'ended.expired')
  const open = history.total(tenMinutes, 'ended.open')
  if (ended < enoughIntroductions || open * 2 >= ended) return undefined
  return `Only ${formatShare(open / ended)} of the introductions led to a connection. Is the TURN server well?`
}
