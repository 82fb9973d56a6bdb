import { hubCloseCodes, type HubErrorCode, hubErrorCodes } from '../core/hub-protocol.ts'
import { type ClusterState, clusterStates } from './cluster/neighbours.ts'
import { EventLoop } from './event-loop.ts'
import {
  type CrossingAnswer,
  crossingAnswers,
  type IntroductionOutcome,
  introductionOutcomes,
  type Observer,
  type RelayOutcome,
  relayOutcomes,
  type RelayRefusal,
  relayRefusals,
} from './hub-observer.ts'
import type { HubCounts } from './hub.ts'
import type { HubLimits } from './limits.ts'
import { MetricSet } from './metric-set.ts'
import { metricsPrefix as prefix, showProcess } from './process-metrics.ts'
import type { RelayCounts } from './relay-events.ts'

/** What is asked for when somebody looks, not counted as it happens. */
export interface MetricsSources {
  counts: () => HubCounts
  queuedBytes: () => number
  /** Undefined: this hub does not relay. */
  relay: () => { counts: RelayCounts; queuedBytes: number } | undefined
  cluster: () => { state: ClusterState; nodes: number; neighbours: number; sought: number }
  limits: HubLimits
}

/** From a tenth of a millisecond, which is good, to the ten seconds after which a flood is closed. */
const latencyBuckets = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
]

/** Close codes that are counted by themselves (RFC 6455, section 7.4.1): a peer can send any other. */
const standardCloseCodes = [1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1011]
const countedCloseCodes = new Set<number>([...Object.values(hubCloseCodes), ...standardCloseCodes])

/**
 * A hub in numbers, for Prometheus. Every label has few values, all known here and shown from the start: none is
 * made of what comes from the network, so nobody can fill the memory with them or be recognized by one.
 */
export class HubMetrics implements Observer {
  readonly #metrics = new MetricSet()
  readonly #eventLoop = new EventLoop()
  readonly #registrations = this.#metrics.counter(`${prefix}registrations_total`, 'Keys proved')
  readonly #refusals = this.#metrics.counter(`${prefix}refusals_total`, 'Requests answered with an error', [
    'code',
  ])
  readonly #introductions = this.#metrics.counter(
    `${prefix}introductions_started_total`,
    'Introductions begun',
  )
  readonly #ended = this.#metrics.counter(
    `${prefix}introductions_ended_total`,
    'Introductions over, by how they ended',
    ['outcome'],
  )
  readonly #turn = this.#metrics.counter(`${prefix}turn_credentials_total`, 'TURN credentials told to peers')
  readonly #notTaken = this.#metrics.counter(`${prefix}sockets_refused_total`, 'Sockets not taken, by why', [
    'code',
  ])
  readonly #closed = this.#metrics.counter(
    `${prefix}sockets_closed_total`,
    'Sockets closed, by whom and with which code',
    ['by', 'code'],
  )
  readonly #received = this.#metrics.counter(`${prefix}received_bytes_total`, 'Bytes of messages received')
  readonly #sent = this.#metrics.counter(`${prefix}sent_bytes_total`, 'Bytes of messages sent')
  readonly #relayOpened = this.#metrics.counter(
    `${prefix}relay_circuits_opened_total`,
    'Circuits with both ends there',
  )
  readonly #relayEnded = this.#metrics.counter(
    `${prefix}relay_circuits_ended_total`,
    'Circuits over, by how they ended',
    ['outcome'],
  )
  readonly #relayRefused = this.#metrics.counter(
    `${prefix}relay_circuits_refused_total`,
    'Circuits asked for and not given, by why',
    ['code'],
  )
  readonly #relayed = this.#metrics.counter(`${prefix}relay_bytes_total`, 'Bytes passed on in circuits')
  readonly #latency = this.#metrics.histogram(
    `${prefix}signal_latency_seconds`,
    'From a signal received to the same signal handed to the other socket',
    latencyBuckets,
  )
  readonly #crossings = this.#metrics.counter(
    `${prefix}crossings_answered_total`,
    'Introductions asked for to peers of other nodes, by what the client was told',
    ['answer'],
  )
  readonly #crossingsEnded = this.#metrics.counter(
    `${prefix}crossings_ended_total`,
    'Of introductions_ended_total those whose client is here and whose peer is at another node',
    ['outcome'],
  )
  readonly #crossingLatency = this.#metrics.histogram(
    `${prefix}crossing_latency_seconds`,
    'From an introduction asked for to its client told that the peer of another node takes it',
    latencyBuckets,
  )

  constructor(sources: MetricsSources) {
    for (const code of hubErrorCodes) this.#refusals.inc({ code }, 0)
    for (const outcome of introductionOutcomes) this.#ended.inc({ outcome }, 0)
    for (const code of ['BUSY', 'RATE']) this.#notTaken.inc({ code }, 0)
    for (const outcome of relayOutcomes) this.#relayEnded.inc({ outcome }, 0)
    for (const code of relayRefusals) this.#relayRefused.inc({ code }, 0)
    for (const answer of crossingAnswers) this.#crossings.inc({ answer }, 0)
    for (const outcome of introductionOutcomes) this.#crossingsEnded.inc({ outcome }, 0)
    this.#showCounts(sources)
    this.#showRelay(sources)
    this.#showCluster(sources)
    showProcess(this.#metrics, this.#eventLoop)
  }

  get contentType(): string {
    return this.#metrics.registry.contentType
  }

  /** All of it in Prometheus's text format. */
  text(): Promise<string> {
    return this.#metrics.registry.metrics()
  }

  close(): void {
    this.#eventLoop.close()
  }

  registered(): void {
    this.#registrations.inc()
  }

  refused(code: HubErrorCode): void {
    this.#refusals.inc({ code })
  }

  introductionStarted(): void {
    this.#introductions.inc()
  }

  introductionEnded(outcome: IntroductionOutcome, isCrossing: boolean): void {
    this.#ended.inc({ outcome })
    if (isCrossing) this.#crossingsEnded.inc({ outcome })
  }

  crossingAnswered(answer: CrossingAnswer, afterMs: number): void {
    this.#crossings.inc({ answer })
    if (answer === 'introduced') this.#crossingLatency.observe(afterMs / 1000)
  }

  turnIssued(): void {
    this.#turn.inc()
  }

  received(bytes: number): void {
    this.#received.inc(bytes)
  }

  sent(bytes: number): void {
    this.#sent.inc(bytes)
  }

  signalPassed(afterMs: number): void {
    this.#latency.observe(afterMs / 1000)
  }

  closed(by: 'hub' | 'peer', code: number): void {
    this.#closed.inc({ by, code: countedCloseCodes.has(code) ? String(code) : 'other' })
  }

  notTaken(code: 'BUSY' | 'RATE'): void {
    this.#notTaken.inc({ code })
  }

  relayOpened(): void {
    this.#relayOpened.inc()
  }

  relayEnded(outcome: RelayOutcome): void {
    this.#relayEnded.inc({ outcome })
  }

  relayPassed(bytes: number): void {
    this.#relayed.inc(bytes)
  }

  relayRefused(code: RelayRefusal): void {
    this.#relayRefused.inc({ code })
  }

  #showCounts({ counts, queuedBytes, limits }: MetricsSources): void {
    this.#metrics.gauge(
      `${prefix}limit`,
      'The limits of this hub, as /limits has them',
      ['name'],
      (gauge) => {
        for (const [name, limit] of Object.entries(limits)) gauge.set({ name }, limit)
      },
    )
    this.#metrics.gauge(`${prefix}sockets`, 'Sockets open now, by stage', ['stage'], (gauge) => {
      const { unregistered, anonymous, registered } = counts()
      gauge.set({ stage: 'new' }, unregistered)
      gauge.set({ stage: 'anonymous' }, anonymous)
      gauge.set({ stage: 'registered' }, registered)
    })
    this.#metrics.gauge(`${prefix}introductions`, 'Introductions under way', [], (gauge) =>
      gauge.set(counts().introductions),
    )
    this.#metrics.gauge(`${prefix}addresses`, 'Source addresses remembered', [], (gauge) =>
      gauge.set(counts().addresses),
    )
    this.#metrics.gauge(
      `${prefix}queued_bytes`,
      'Bytes that wait to be sent, of all sockets',
      [],
      (gauge) => {
        gauge.set(queuedBytes())
      },
    )
  }

  #showRelay({ relay }: MetricsSources): void {
    this.#metrics.gauge(`${prefix}relay_circuits`, 'Circuits now, by stage', ['stage'], (gauge) => {
      gauge.set({ stage: 'waiting' }, relay()?.counts.waiting ?? 0)
      gauge.set({ stage: 'open' }, relay()?.counts.open ?? 0)
    })
    this.#metrics.gauge(`${prefix}relay_peers`, 'Peers whose use of the relay is remembered', [], (gauge) =>
      gauge.set(relay()?.counts.peers ?? 0),
    )
    this.#metrics.gauge(`${prefix}relay_queued_bytes`, 'Memory of what waits to be passed on', [], (gauge) =>
      gauge.set(relay()?.queuedBytes ?? 0),
    )
  }

  #showCluster({ cluster }: MetricsSources): void {
    this.#metrics.gauge(`${prefix}cluster_state`, '1 for the state that it is in', ['state'], (gauge) => {
      for (const state of clusterStates) gauge.set({ state }, state === cluster().state ? 1 : 0)
    })
    this.#metrics.gauge(`${prefix}cluster_nodes`, 'Hubs that are one, this one among them', [], (gauge) =>
      gauge.set(cluster().nodes),
    )
    this.#metrics.gauge(
      `${prefix}cluster_neighbours`,
      'Nodes with whose peers there are introductions now',
      [],
      (gauge) => gauge.set(cluster().neighbours),
    )
    this.#metrics.gauge(`${prefix}cluster_sought_keys`, 'Keys whose node is being looked up', [], (gauge) =>
      gauge.set(cluster().sought),
    )
  }
}
