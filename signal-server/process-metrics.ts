import type { EventLoop } from './event-loop.ts'
import type { MetricSet } from './metric-set.ts'
import { version } from './version.ts'

export const metricsPrefix = 'multiserver_hub_'

/** What the process that a hub runs in uses. */
export function showProcess(metrics: MetricSet, eventLoop: EventLoop): void {
  metrics.gauge(`${metricsPrefix}build_info`, 'Always 1', ['version', 'node'], (gauge) => {
    gauge.set({ version, node: process.version }, 1)
  })
  metrics.gauge(
    `${metricsPrefix}event_loop_delay_seconds`,
    'How late timers were in the last 15 s',
    ['of'],
    (gauge) => {
      const { p50, p99, max } = eventLoop.delaySeconds()
      gauge.set({ of: 'p50' }, p50)
      gauge.set({ of: 'p99' }, p99)
      gauge.set({ of: 'max' }, max)
    },
  )
  metrics.reading(
    `${metricsPrefix}event_loop_active_seconds_total`,
    'Time at work; 1 more in each second is all there is',
    () => eventLoop.activeSeconds(),
  )
  // Under the names that every Prometheus library gives them, which dashboards know.
  metrics.gauge('process_resident_memory_bytes', 'Resident memory', [], (gauge) => {
    gauge.set(process.memoryUsage.rss())
  })
  metrics.gauge('process_start_time_seconds', 'When the process started, Unix time', [], (gauge) => {
    gauge.set(Date.now() / 1000 - process.uptime())
  })
  metrics.reading('process_cpu_seconds_total', 'Processor time, of the user and the system', () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6
  })
}
