import { randomUUID } from 'node:crypto'
import { createHistogram, performance } from 'node:perf_hooks'
import { type HubErrorCode, hubErrorCodes } from '../core/hub-protocol.ts'
import type { Health } from './health.ts'
import {
  type CrossingAnswer,
  type IntroductionOutcome,
  introductionOutcomes,
  type Observer,
} from './hub-observer.ts'
import type { HubCounts } from './hub.ts'
import type { HubLimits } from './limits.ts'
import {
  type CountColumn,
  type GaugeColumn,
  type LatencyColumn,
  type StatusAnswer,
  type StatusColumn,
  statusLimits,
} from './status-data.ts'
import { version } from './version.ts'

/** What is asked for with each sample, not counted as it happens. */
export interface StatusSources {
  counts: () => HubCounts
  records: () => number
  queuedBytes: () => number
  limits: HubLimits
  health: Health
  /** Whether peers are told TURN credentials of their own. */
  turn: boolean
  /** Nodes of the cluster, this one among them; absent when there is no cluster. */
  nodes?: (() => number) | undefined
  /** Relay circuits that are open; absent when the hub does not relay. */
  circuits?: (() => number) | undefined
}

/** A sample that somebody has, by its sequence number. */
export interface SeenSample {
  run: string
  after: number
}

/** Often enough to see something happen, seldom enough to cost nothing. */
const intervalMs = 2_000
/** Ten minutes: what has just happened, for whoever comes to look. Longer memories are Prometheus's. */
const keptSamples = 300
/** In microseconds. What took longer than a minute is shown as a minute. */
const latencyRange = { lowest: 1, highest: 60_000_000, figures: 2 }

/**
 * The last minutes of a hub in numbers, for the operator's page. A sample is taken every two seconds whether somebody
 * looks or not, so that what happened before one looks can be seen: well under a millisecond each time, and some 120 KB.
 */
export class HubStatus implements Observer {
  readonly #sources: StatusSources
  readonly #run = randomUUID()
  readonly #startedAtMs = performance.now()
  readonly #timer = setInterval(() => this.takeSample(), intervalMs).unref()
  readonly #latency = createHistogram(latencyRange)
  readonly #columns = fromEntries(statusColumns.map((name): [StatusColumn, (number | null)[]] => [name, []]))
  #counted = noCounts()
  #taken = 0
  #sampledAtMs = this.#startedAtMs
  #loop = performance.eventLoopUtilization()

  constructor(sources: StatusSources) {
    this.#sources = sources
  }

  /** All that is kept, or what came after a sample that was seen. */
  answer(seen?: SeenSample): StatusAnswer {
    const { health, limits, turn } = this.#sources
    const { ready, degraded = [] } = health.report()
    const after = seen?.run === this.#run ? seen.after : 0
    const kept = this.#columns.lastedMs.length
    const from = kept - Math.max(0, Math.min(kept, this.#taken - after))
    return {
      run: this.#run,
      version,
      upSeconds: Math.floor((performance.now() - this.#startedAtMs) / 1000),
      ready,
      degraded,
      turn,
      limits: fromEntries(statusLimits.map((name) => [name, limits[name]])),
      last: this.#taken,
      intervalMs,
      keptSamples,
      columns: fromEntries(statusColumns.map((name) => [name, this.#columns[name].slice(from)])),
    }
  }

  /** The timer does; for tests, which have no time for ten minutes. */
  takeSample(): void {
    const sample = { ...this.#gauges(), ...this.#latencies(), ...this.#counted }
    for (const name of statusColumns) {
      const column = this.#columns[name]
      column.push(sample[name])
      if (column.length > keptSamples) column.shift()
    }
    this.#taken += 1
    this.#counted = noCounts()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  registered(): void {
    this.#counted.registrations += 1
  }

  refused(code: HubErrorCode): void {
    this.#counted[`refused.${code}`] += 1
  }

  introductionStarted(): void {
    this.#counted.started += 1
  }

  introductionEnded(outcome: IntroductionOutcome): void {
    this.#counted[`ended.${outcome}`] += 1
  }

  turnIssued(): void {
    this.#counted.turnIssued += 1
  }

  signalPassed(afterMs: number): void {
    this.#counted.signals += 1
    const { lowest, highest } = latencyRange
    this.#latency.record(Math.min(highest, Math.max(lowest, Math.round(afterMs * 1000))))
  }

  notTaken(code: 'BUSY' | 'RATE'): void {
    this.#counted[`notTaken.${code}`] += 1
  }

  crossingAnswered(answer: CrossingAnswer): void {
    if (answer === 'introduced') this.#counted.crossed += 1
  }

  relayPassed(bytes: number): void {
    this.#counted.relayedBytes += bytes
  }

  relayRefused(): void {
    this.#counted.circuitsRefused += 1
  }

  // What is not shown is in /metrics.
  received(): void {}
  sent(): void {}
  closed(): void {}
  relayOpened(): void {}
  relayEnded(): void {}

  #gauges(): Record<GaugeColumn, number | null> {
    const { counts, records, queuedBytes, nodes, circuits } = this.#sources
    const { registered, anonymous, unregistered, introductions } = counts()
    const nowMs = performance.now()
    const lastedMs = Math.max(1, Math.round(nowMs - this.#sampledAtMs))
    const loop = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(loop, this.#loop)
    this.#sampledAtMs = nowMs
    this.#loop = loop
    return {
      registered,
      anonymous,
      unregistered,
      introductions,
      records: records(),
      queuedBytes: queuedBytes(),
      memoryBytes: process.memoryUsage.rss(),
      busy: Math.round(utilization * 1000) / 1000,
      lastedMs,
      nodes: nodes?.() ?? null,
      circuits: circuits?.() ?? null,
    }
  }

  #latencies(): Record<LatencyColumn, number | null> {
    if (this.#counted.signals === 0) return { latencyP50Ms: null, latencyP99Ms: null }
    const [latencyP50Ms, latencyP99Ms] = [50, 99].map((share) => this.#latency.percentile(share) / 1000)
    this.#latency.reset()
    return { latencyP50Ms: latencyP50Ms ?? null, latencyP99Ms: latencyP99Ms ?? null }
  }
}

function noCounts(): Record<CountColumn, number> {
  return {
    registrations: 0,
    started: 0,
    signals: 0,
    turnIssued: 0,
    crossed: 0,
    relayedBytes: 0,
    circuitsRefused: 0,
    ...fromEntries(introductionOutcomes.map((outcome) => [`ended.${outcome}`, 0])),
    ...fromEntries(hubErrorCodes.map((code) => [`refused.${code}`, 0])),
    'notTaken.BUSY': 0,
    'notTaken.RATE': 0,
  }
}

/** Written out, so that the compiler sees when one is missing. */
const noGauges: Record<GaugeColumn | LatencyColumn, null> = {
  registered: null,
  anonymous: null,
  unregistered: null,
  introductions: null,
  records: null,
  queuedBytes: null,
  memoryBytes: null,
  busy: null,
  lastedMs: null,
  nodes: null,
  circuits: null,
  latencyP50Ms: null,
  latencyP99Ms: null,
}

const statusColumns = Object.keys({ ...noGauges, ...noCounts() }) as StatusColumn[]

/** `Object.fromEntries`, with the names that it got. */
function fromEntries<Name extends string, T>(entries: readonly (readonly [Name, T])[]): Record<Name, T> {
  return Object.fromEntries(entries) as Record<Name, T>
}
