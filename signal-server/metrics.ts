import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { hubCloseCodes, type HubErrorCode, hubErrorCodes } from '../core/hub-protocol.ts'
import { EventLoop } from './event-loop.ts'
import {
  type HubObserver,
  type IntroductionOutcome,
  introductionOutcomes,
  type RelayObserver,
  type RelayOutcome,
  relayOutcomes,
  type RelayRefusal,
  relayRefusals,
  type SocketsObserver,
} from './hub-observer.ts'
import type { HubCounts } from './hub.ts'
import type { HubLimits } from './limits.ts'
import type { RelayCounts } from './relay-events.ts'
import { version } from './version.ts'

/** What is asked for when somebody looks, not counted as it happens. */
export interface MetricsSources {
  counts: () => HubCounts
  queuedBytes: () => number
  /** Undefined: this hub does not relay. */
  relay: () => { counts: RelayCounts; queuedBytes: number } | undefined
  limits: HubLimits
}

const prefix = 'multiserver_hub_'

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
export class HubMetrics implements HubObserver, SocketsObserver, RelayObserver {
  /** For parts of a hub that have metrics of their own. */
  readonly registry = new Registry()
  readonly #eventLoop = new EventLoop()
  readonly #registrations = this.#counter(`${prefix}registrations_total`, 'Keys proved')
  readonly #refusals = this.#counter(`${prefix}refusals_total`, 'Requests answered with an error', ['code'])
  readonly #introductions = this.#counter(`${prefix}introductions_started_total`, 'Introductions begun')
  readonly #ended = this.#counter(
    `${prefix}introductions_ended_total`,
    'Introductions over, by how they ended',
    ['outcome'],
  )
  readonly #turn = this.#counter(`${prefix}turn_credentials_total`, 'TURN credentials told to peers')
  readonly #notTaken = this.#counter(`${prefix}sockets_refused_total`, 'Sockets not taken, by why', ['code'])
  readonly #closed = this.#counter(
    `${prefix}sockets_closed_total`,
    'Sockets closed, by whom and with which code',
    ['by', 'code'],
  )
  readonly #received = this.#counter(`${prefix}received_bytes_total`, 'Bytes of messages received')
  readonly #sent = this.#counter(`${prefix}sent_bytes_total`, 'Bytes of messages sent')
  readonly #relayOpened = this.#counter(
    `${prefix}relay_circuits_opened_total`,
    'Circuits with both ends there',
  )
  readonly #relayEnded = this.#counter(
    `${prefix}relay_circuits_ended_total`,
    'Circuits over, by how they ended',
    ['outcome'],
  )
  readonly #relayRefused = this.#counter(
    `${prefix}relay_circuits_refused_total`,
    'Circuits asked for and not given, by why',
    ['code'],
  )
  readonly #relayed = this.#counter(`${prefix}relay_bytes_total`, 'Bytes passed on in circuits')
  readonly #latency = new Histogram({
    name: `${prefix}signal_latency_seconds`,
    help: 'From a signal received to the same signal handed to the other socket',
    buckets: latencyBuckets,
    registers: [this.registry],
  })

  constructor(sources: MetricsSources) {
    for (const code of hubErrorCodes) this.#refusals.inc({ code }, 0)
    for (const outcome of introductionOutcomes) this.#ended.inc({ outcome }, 0)
    for (const code of ['BUSY', 'RATE']) this.#notTaken.inc({ code }, 0)
    for (const outcome of relayOutcomes) this.#relayEnded.inc({ outcome }, 0)
    for (const code of relayRefusals) this.#relayRefused.inc({ code }, 0)
    this.#showCounts(sources)
    this.#showRelay(sources)
    this.#showProcess()
  }

  get contentType(): string {
    return this.registry.contentType
  }

  /** All of it in Prometheus's text format. */
  text(): Promise<string> {
    return this.registry.metrics()
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

  introductionEnded(outcome: IntroductionOutcome): void {
    this.#ended.inc({ outcome })
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
    this.#gauge(`${prefix}limit`, 'The limits of this hub, as /limits has them', ['name'], (gauge) => {
      for (const [name, limit] of Object.entries(limits)) gauge.set({ name }, limit)
    })
    this.#gauge(`${prefix}sockets`, 'Sockets open now, by stage', ['stage'], (gauge) => {
      const { unregistered, anonymous, registered } = counts()
      gauge.set({ stage: 'new' }, unregistered)
      gauge.set({ stage: 'anonymous' }, anonymous)
      gauge.set({ stage: 'registered' }, registered)
    })
    this.#gauge(`${prefix}introductions`, 'Introductions under way', [], (gauge) =>
      gauge.set(counts().introductions),
    )
    this.#gauge(`${prefix}addresses`, 'Source addresses remembered', [], (gauge) =>
      gauge.set(counts().addresses),
    )
    this.#gauge(`${prefix}queued_bytes`, 'Bytes that wait to be sent, of all sockets', [], (gauge) => {
      gauge.set(queuedBytes())
    })
  }

  #showRelay({ relay }: MetricsSources): void {
    this.#gauge(`${prefix}relay_circuits`, 'Circuits now, by stage', ['stage'], (gauge) => {
      gauge.set({ stage: 'waiting' }, relay()?.counts.waiting ?? 0)
      gauge.set({ stage: 'open' }, relay()?.counts.open ?? 0)
    })
    this.#gauge(`${prefix}relay_peers`, 'Peers whose use of the relay is remembered', [], (gauge) =>
      gauge.set(relay()?.counts.peers ?? 0),
    )
    this.#gauge(`${prefix}relay_queued_bytes`, 'Bytes that wait to be passed on', [], (gauge) =>
      gauge.set(relay()?.queuedBytes ?? 0),
    )
  }

  #showProcess(): void {
    this.#gauge(`${prefix}build_info`, 'Always 1', ['version', 'node'], (gauge) => {
      gauge.set({ version, node: process.version }, 1)
    })
    this.#gauge(
      `${prefix}event_loop_delay_seconds`,
      'How late timers were in the last 15 s',
      ['of'],
      (gauge) => {
        const { p50, p99, max } = this.#eventLoop.delaySeconds()
        gauge.set({ of: 'p50' }, p50)
        gauge.set({ of: 'p99' }, p99)
        gauge.set({ of: 'max' }, max)
      },
    )
    this.#reading(
      `${prefix}event_loop_active_seconds_total`,
      'Time at work; 1 more in each second is all there is',
      () => this.#eventLoop.activeSeconds(),
    )
    // Under the names that every Prometheus library gives them, which dashboards know.
    this.#gauge('process_resident_memory_bytes', 'Resident memory', [], (gauge) => {
      gauge.set(process.memoryUsage.rss())
    })
    this.#gauge('process_start_time_seconds', 'When the process started, Unix time', [], (gauge) => {
      gauge.set(Date.now() / 1000 - process.uptime())
    })
    this.#reading('process_cpu_seconds_total', 'Processor time, of the user and the system', () => {
      const { user, system } = process.cpuUsage()
      return (user + system) / 1e6
    })
  }

  #counter<Label extends string = never>(
    name: string,
    help: string,
    labelNames: readonly Label[] = [],
  ): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.registry] })
  }

  #gauge<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    collect: (gauge: Gauge<Label>) => void,
  ): void {
    const gauge: Gauge<Label> = new Gauge({
      name,
      help,
      labelNames,
      registers: [this.registry],
      collect: () => collect(gauge),
    })
  }

  /** A counter that somebody else keeps. */
  #reading(name: string, help: string, read: () => number): void {
    const counter = new Counter({
      name,
      help,
      registers: [this.registry],
      collect: () => {
        counter.reset()
        counter.inc(read())
      },
    })
  }
}
