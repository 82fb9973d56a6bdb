import type { HubErrorCode } from '../core/hub-protocol.ts'
import type { IntroductionOutcome } from './hub-observer.ts'
import type { HubLimits } from './limits.ts'

/**
 * What `GET /status/data.json?run=RUN&after=N` answers, for the page of the operator: how much of everything, never
 * who. With `run` and `last` of an answer before, only what is newer; without, or of another run, all that is kept.
 */
export interface StatusAnswer {
  /** Of one start of one hub: another run counts its samples anew. */
  run: string
  version: string
  upSeconds: number
  /** As `/readyz` has them. */
  ready: boolean
  degraded: string[]
  /** Whether peers are told TURN credentials of their own. */
  turn: boolean
  /** Those limits that the page measures against. */
  limits: Pick<HubLimits, StatusLimit>
  /** The sequence number of the last sample below: the `after` of the next request. */
  last: number
  /** A sample every so often, as many as are kept at most. */
  intervalMs: number
  keptSamples: number
  /** The samples, oldest first, one column for each number: so each name is there once and not in each sample. */
  columns: Record<StatusColumn, (number | null)[]>
}

export type StatusColumn = GaugeColumn | LatencyColumn | CountColumn

/** How much there is now. */
export type GaugeColumn =
  | 'registered'
  | 'anonymous'
  | 'unregistered'
  | 'introductions'
  | 'records'
  | 'queuedBytes'
  | 'memoryBytes'
  /** The share of the time since the last sample in which the event loop was not idle: 0 to 1. */
  | 'busy'
  /** The time since the last sample: what counts are divided by. */
  | 'lastedMs'
  /** Nodes of the cluster, this one among them; null for a hub that is alone. */
  | 'nodes'
  /** Relay circuits that are open; null for a hub that does not relay. */
  | 'circuits'

/** Null when there was no signal. */
export type LatencyColumn = 'latencyP50Ms' | 'latencyP99Ms'

/** How often it happened since the last sample. */
export type CountColumn =
  | 'registrations'
  | 'started'
  | 'signals'
  | 'turnIssued'
  /** Clients of this node that were introduced to peers of others. */
  | 'crossed'
  | 'relayedBytes'
  | 'circuitsRefused'
  | `ended.${IntroductionOutcome}`
  | `refused.${HubErrorCode}`
  | `notTaken.${'BUSY' | 'RATE'}`

export type StatusLimit = (typeof statusLimits)[number]

export const statusLimits = [
  'registeredPeers',
  'anonymousPeers',
  'unregisteredSockets',
  'recordKeys',
  'queueBytesInAll',
  'relayCircuits',
] as const satisfies (keyof HubLimits)[]
